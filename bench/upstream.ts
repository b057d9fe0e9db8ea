/**
 * The loopback target of all measurements, on raw sockets so that it is never the bottleneck. POST: a 1 KB JSON answer.
 * POST /sse?chunks=N&gap=MS: so many events, each with the time in µs at which it was written. POST /responses: the same in the
 * Responses API, with and without chunks. GET /bytes?n=N: so many bytes. POST /v1/slow-upload: read slowly. Arguments: the port,
 * and `tls`.
 */
const answer = JSON.stringify({
  id: "chatcmpl-1",
  object: "chat.completion",
  created: 1_763_388_000,
  model: "gpt-4o",
  choices: [{ index: 0, message: { role: "assistant", content: "x".repeat(700) }, finish_reason: "stop" }],
  usage: { prompt_tokens: 240, completion_tokens: 135, total_tokens: 375, prompt_tokens_details: { cached_tokens: 0 } },
});
const response = {
  id: "resp_1",
  object: "response",
  created_at: 1_763_388_000,
  status: "completed",
  model: "gpt-4o",
  output: [
    {
      id: "msg_1",
      type: "message",
      status: "completed",
      role: "assistant",
      content: [{ type: "output_text", annotations: [], logprobs: [], text: "x".repeat(540) }],
    },
  ],
  usage: { input_tokens: 240, output_tokens: 135, total_tokens: 375 },
};
const wholeOf = (body: string) =>
  Buffer.from(`HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`);
const whole = wholeOf(answer);
const wholeResponse = wholeOf(JSON.stringify(response));
const block = Buffer.alloc(64 * 1024, 0x61);

type State = { head: string; owed: number; left: number; isPaused: boolean };

const fixture = (name: string) => Bun.file(new URL(`../test/fixtures/${name}`, import.meta.url));

const server = Bun.listen<State>({
  hostname: "127.0.0.1",
  port: Number(process.argv[2] ?? 0),
  ...(process.argv[3] === "tls" ? { tls: { cert: fixture("self-signed.crt"), key: fixture("self-signed.key") } } : {}),
  socket: {
    open(socket) {
      socket.data = { head: "", owed: 0, left: 0, isPaused: false };
    },
    data(socket, bytes) {
      const state = socket.data;
      let rest: Buffer = bytes;
      while (rest.length > 0 || state.owed < 0) {
        if (state.owed > 0) {
          if (state.head.startsWith("POST /v1/slow-upload")) pauseAWhile(socket);
          const taken = Math.min(state.owed, rest.length);
          state.owed -= taken;
          rest = rest.subarray(taken);
          if (state.owed === 0) reply(socket);
          continue;
        }
        const text = state.head + rest.toString("latin1");
        const end = text.indexOf("\r\n\r\n");
        if (end < 0) {
          state.head = text;
          return;
        }
        rest = rest.subarray(end + 4 - state.head.length);
        state.head = text.slice(0, end);
        state.owed = Number(/\r\ncontent-length: (\d+)/i.exec(state.head)?.[1] ?? 0);
        if (state.owed === 0) reply(socket);
      }
    },
    drain: pour,
  },
});

/** Reads in bursts with pauses between, far slower than a client can send. */
function pauseAWhile(socket: Bun.Socket<State>): void {
  if (socket.data.isPaused) return;
  socket.data.isPaused = true;
  socket.pause();
  setTimeout(() => {
    socket.data.isPaused = false;
    socket.resume();
  }, 5);
}

function reply(socket: Bun.Socket<State>): void {
  const { head } = socket.data;
  socket.data.head = "";
  if (head.startsWith("GET /bytes")) {
    socket.data.left = Number(/n=(\d+)/.exec(head)?.[1]);
    socket.write(`HTTP/1.1 200 OK\r\ncontent-type: application/octet-stream\r\ncontent-length: ${socket.data.left}\r\n\r\n`);
    pour(socket);
  } else if (/^POST \S*\/(?:sse|responses)\?chunks/.test(head)) {
    const events = /^POST \S*\/sse/.test(head) ? PLAIN : RESPONSES;
    stream(socket, events, Number(/chunks=(\d+)/.exec(head)?.[1]), Number(/gap=(\d+)/.exec(head)?.[1]));
  } else if (/^POST \S*\/responses/.test(head)) {
    socket.write(wholeResponse);
  } else {
    socket.write(whole);
  }
}

function pour(socket: Bun.Socket<State>): void {
  while (socket.data.left > 0) {
    const written = socket.write(block, 0, Math.min(block.length, socket.data.left));
    socket.data.left -= Math.max(0, written);
    if (written < block.length) return;
  }
}

type Events = { readonly begin: string; readonly event: (us: number) => string; readonly end: string };

const pad = "x".repeat(120);
const PLAIN: Events = { begin: "", event: (us) => `data: {"t":${us},"pad":"${pad}"}\n\n`, end: "" };

const named = (type: string, rest: object) => `event: ${type}\ndata: ${JSON.stringify({ type, sequence_number: 1, ...rest })}\n\n`;
const place = { item_id: "msg_1", output_index: 0, content_index: 0 };
const RESPONSES: Events = {
  begin: named("response.created", { response: { ...response, status: "in_progress", output: [] } }),
  event: (us) => named("response.output_text.delta", { ...place, delta: `t=${us} ${pad}`, logprobs: [] }),
  end: named("response.completed", { response: { ...response, output: [] } }),
};

function stream(socket: Bun.Socket<State>, { begin, event, end }: Events, chunks: number, gapMs: number): void {
  const write = (text: string) => {
    if (text !== "") socket.write(`${text.length.toString(16)}\r\n${text}\r\n`);
  };
  socket.write("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n");
  write(begin);
  let sent = 0;
  const timer = setInterval(() => {
    if (sent++ < chunks) write(event(Math.round((performance.timeOrigin + performance.now()) * 1000)));
    else {
      clearInterval(timer);
      write(end);
      socket.write("0\r\n\r\n");
    }
  }, gapMs);
}

process.stdout.write(`${server.port}\n`);

export {};
