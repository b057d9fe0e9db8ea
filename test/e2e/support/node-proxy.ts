/**
 * A proxy of a few lines on node:http, as somebody writes it who wants bytes to pass and nothing more: what others make of the same
 * messages. Run with the target's URL; prints its port.
 */
import { Agent, createServer, request as forward, type IncomingMessage } from "node:http";

const target = new URL(process.argv.at(-1) ?? "");
const agent = new Agent({ keepAlive: true });

const HOP_BY_HOP = /^(connection|keep-alive|proxy-authenticate|proxy-authorization|proxy-connection|te|upgrade)$/i;

/** Names and values in turn, as node:http gives and takes them. */
function endToEnd({ rawHeaders }: IncomingMessage): string[] {
  const pairs = rawHeaders.flatMap((name, index) => (index % 2 === 0 ? [[name, rawHeaders[index + 1] ?? ""] as const] : []));
  const named = pairs
    .filter(([name]) => /^connection$/i.test(name))
    .flatMap(([, value]) => value.toLowerCase().split(/[ \t]*,[ \t]*/))
    .filter((name) => name !== "content-length" && name !== "host" && name !== "transfer-encoding");
  return pairs.filter(([name]) => !HOP_BY_HOP.test(name) && !named.includes(name.toLowerCase())).flat();
}

const server = createServer({ maxHeaderSize: 65_536, keepAliveTimeout: 60_000 }, (request, response) => {
  const headers = endToEnd(request).map((text, index, all) =>
    /^host$/i.test(all[index - 1] ?? "") && index % 2 === 1 ? target.host : text,
  );
  const path = (request.url ?? "").replace(/^https?:\/\/[^/?]*/i, "").replace(/^(?=\?|$)/, "/");
  const options = { agent, host: target.hostname, port: target.port, method: request.method, path, headers, setHost: false };
  const onward = forward(options, (answer) => {
    response.sendDate = false;
    response.writeHead(answer.statusCode ?? 0, answer.statusMessage, endToEnd(answer));
    answer.on("end", () => {
      const { rawTrailers } = answer;
      response.addTrailers(
        rawTrailers.flatMap((name, index) => (index % 2 === 0 ? [[name, rawTrailers[index + 1] ?? ""] as [string, string]] : [])),
      );
    });
    answer.on("error", () => response.destroy());
    answer.pipe(response);
  });
  onward.on("error", () => response.destroy());
  response.on("close", () => onward.destroy());
  request.on("end", () => {
    const { rawTrailers } = request;
    onward.addTrailers(
      rawTrailers.flatMap((name, index) => (index % 2 === 0 ? [[name, rawTrailers[index + 1] ?? ""] as [string, string]] : [])),
    );
  });
  request.pipe(onward);
});
server.listen(0, "127.0.0.1", () => process.stdout.write(`${JSON.stringify(server.address())}\n`));
