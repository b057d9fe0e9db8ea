/** The pass-through that anybody would write first; what faultproxy is measured against. */
const target = process.argv[2];
const hopByHop = [
  "host",
  "connection",
  "keep-alive",
  "proxy-authenticate",
  "proxy-authorization",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
];
const server = Bun.serve({
  hostname: "127.0.0.1",
  port: 0,
  development: false,
  idleTimeout: 0,
  async fetch(request) {
    const headers = new Headers(request.headers);
    for (const name of hopByHop) headers.delete(name);
    const { pathname, search } = new URL(request.url);
    const response = await fetch(target + pathname + search, {
      method: request.method,
      headers,
      body: request.body,
      redirect: "manual",
      decompress: false,
      signal: request.signal,
    });
    const answer = new Headers(response.headers);
    for (const name of hopByHop) answer.delete(name);
    return new Response(response.body, { status: response.status, headers: answer });
  },
});
process.stdout.write(`${server.port}\n`);

export {};
