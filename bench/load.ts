/** Load generators on raw sockets; each runs in the process of the benchmark, beside the proxy's and the target's own. */

const question = { model: "gpt-4o", messages: [{ role: "user", content: "x".repeat(960) }] };
const post = (path: string, body: string) =>
  `POST ${path} HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer sk-bench\r\nuser-agent: bench\r\naccept: */*\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`;

/** The rest of the answer comes in chunks. */
const CHUNKED = -1;

/** Requests per second of 1 KB JSON POSTs over `connections` kept-alive connections during `ms`. */
export async function requestsPerSecond(port: number, connections: number, ms: number, path = "/v1/chat/completions"): Promise<number> {
  const request = post(path, JSON.stringify(question));
  let answered = 0;
  let measuring = true;
  const sockets = await Promise.all(
    Array.from({ length: connections }, () => {
      let owed = 0;
      let text = "";
      return Bun.connect({
        hostname: "127.0.0.1",
        port,
        socket: {
          open: (socket) => void socket.write(request),
          data(socket, bytes) {
            if (owed === CHUNKED) {
              if (bytes.toString("latin1").endsWith("0\r\n\r\n")) owed = 0;
            } else if (owed > 0) {
              owed -= bytes.length;
            } else {
              text += bytes.toString("latin1");
              const end = text.indexOf("\r\n\r\n");
              if (end < 0) return;
              if (!text.startsWith("HTTP/1.1 200")) throw new Error(`unexpected answer: ${text.slice(0, 200)}`);
              const length = /\r\ncontent-length: (\d+)/i.exec(text)?.[1];
              if (length !== undefined) owed = Number(length) - (text.length - end - 4);
              else owed = text.endsWith("0\r\n\r\n") ? 0 : CHUNKED;
              text = "";
            }
            if (owed === 0) {
              answered++;
              if (measuring) socket.write(request);
            }
          },
        },
      });
    }),
  );
  const start = performance.now();
  await Bun.sleep(ms);
  measuring = false;
  const seconds = (performance.now() - start) / 1000;
  const rate = answered / seconds;
  for (const socket of sockets) socket.end();
  return rate;
}

export type StreamResult = { readonly complete: number; readonly events: number; readonly latenciesUs: Float64Array };

/** Opens `streams` at once; counts events and, per event, the time from the target's write to our read in µs. */
export async function streams(
  port: number,
  count: number,
  chunks: number,
  gapMs: number,
  { path = "/v1/sse", onAllOpen }: { readonly path?: string; readonly onAllOpen?: () => void } = {},
): Promise<StreamResult> {
  const request = post(`${path}?chunks=${chunks}&gap=${gapMs}`, JSON.stringify({ ...question, stream: true }));
  const latenciesUs = new Float64Array(count * chunks);
  let events = 0;
  let complete = 0;
  let open = 0;
  await Promise.all(
    Array.from(
      { length: count },
      () =>
        new Promise<void>((resolve, reject) => {
          let first = true;
          let tail = "";
          void Bun.connect({
            hostname: "127.0.0.1",
            port,
            socket: {
              open: (socket) => void socket.write(request),
              data(socket, bytes) {
                const nowUs = (performance.timeOrigin + performance.now()) * 1000;
                const text = tail + bytes.toString("latin1");
                if (first && text.includes("data:")) {
                  first = false;
                  if (++open === count) onAllOpen?.();
                }
                const consumed = text.lastIndexOf("\n\n") + 2;
                for (const [, us] of text.slice(0, Math.max(consumed, 0)).matchAll(/"t(?:":|=)(\d+)/g))
                  latenciesUs[events++] = nowUs - Number(us);
                tail = consumed > 1 ? text.slice(consumed) : text;
                if (/\r\n0\r\n\r\n$/.test(text)) {
                  complete++;
                  socket.end();
                  resolve();
                }
              },
              close: () => resolve(),
              connectError: (_socket, error) => reject(error),
            },
          }).catch(reject);
        }),
    ),
  );
  return { complete, events, latenciesUs: latenciesUs.subarray(0, events).sort() };
}

export function quantile(sorted: Float64Array, q: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))] ?? Number.NaN;
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}
