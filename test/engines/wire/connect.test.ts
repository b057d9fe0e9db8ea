import { afterEach, describe, expect, test } from "bun:test";
import { createServer, type Socket as NodeSocket, type Server } from "node:net";
import { connect } from "../../../src/engines/wire/connect.ts";
import { GoneSignal } from "../../../src/engines/wire/gone-signal.ts";
import { originOf } from "../../../src/engines/wire/origin.ts";
import type { Socket, SocketError } from "../../../src/engines/wire/socket.ts";
import { mistrust, tlsDetail, tlsOptions } from "../../../src/engines/wire/tls.ts";

const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) server.close();
});

/** A server that says nothing, and how its first connection was closed. */
async function silent() {
  const came = Promise.withResolvers<NodeSocket>();
  const closed = Promise.withResolvers<void>();
  const server = createServer((socket) => {
    socket.on("error", () => {});
    socket.on("close", () => closed.resolve());
    socket.on("data", () => came.resolve(socket));
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { port: (server.address() as { port: number }).port, asked: came.promise, closed: closed.promise };
}

const OPTIONS = { connectMs: 5_000, trustAll: false };

describe("a client that leaves", () => {
  test("ends a TLS handshake", async () => {
    const { port, asked, closed } = await silent();
    const signal = new GoneSignal();
    const connected = connect(originOf(`https://127.0.0.1:${port}`, undefined, {}), OPTIONS, signal);
    await asked;
    signal.abort();
    expect(await connected).toMatchObject({ kind: "failure", reason: "client_gone" });
    await closed;
  });

  test("ends the wait for a proxy", async () => {
    const { port, asked, closed } = await silent();
    const signal = new GoneSignal();
    const connected = connect(originOf("https://localhost", undefined, { https_proxy: `http://127.0.0.1:${port}` }), OPTIONS, signal);
    await asked;
    signal.abort();
    expect(await connected).toMatchObject({ kind: "failure", reason: "client_gone" });
    await closed;
  });

  test("ends a connection that is only being made", async () => {
    const { port, closed } = await silent();
    const signal = new GoneSignal();
    const connected = connect(originOf(`http://127.0.0.1:${port}`, undefined, {}), OPTIONS, signal);
    signal.abort();
    expect(await connected).toMatchObject({ kind: "failure", reason: "client_gone" });
    await closed;
  });
});

describe("the certificate of a peer", () => {
  const error = (code: string): SocketError => Object.assign(new Error(code), { code });
  const named = originOf("https://api.example.com", undefined, {});
  const address = originOf("https://192.0.2.1", undefined, {});
  const renamed = originOf("https://192.0.2.1", { serverName: "api.example.com" }, {});
  const peer = (subjectaltname: string) => ({ getPeerCertificate: () => ({ subject: { CN: "x" }, subjectaltname }) }) as unknown as Socket;
  const MISMATCH = error("ERR_TLS_CERT_ALTNAME_INVALID");

  test.each<[string, typeof named, boolean, SocketError | null, string, boolean, string]>([
    ["is good", named, true, null, "", false, "trusted"],
    ["has another name", named, false, MISMATCH, "DNS:other", false, "ERR_TLS_CERT_ALTNAME_INVALID"],
    ["is not vouched for", named, true, error("SELF_SIGNED_CERT_IN_CHAIN"), "", false, "SELF_SIGNED_CERT_IN_CHAIN"],
    ["is not vouched for and has another name", named, false, error("CERT_HAS_EXPIRED"), "", false, "CERT_HAS_EXPIRED"],
    ["has the address, and not the proxy's name", address, false, MISMATCH, "IP Address:192.0.2.1", false, "trusted"],
    ["has the proxy's name, and not the address", address, true, null, "DNS:proxy", false, "ERR_TLS_CERT_ALTNAME_INVALID"],
    ["has the address and is not vouched for", address, true, error("CERT_HAS_EXPIRED"), "IP Address:192.0.2.1", false, "CERT_HAS_EXPIRED"],
    ["has the name that was given for an address", renamed, true, null, "", false, "trusted"],
    ["has another than was given for an address", renamed, false, MISMATCH, "IP Address:192.0.2.1", false, "ERR_TLS_CERT_ALTNAME_INVALID"],
    ["is bad in every way, and all are trusted", named, false, error("CERT_HAS_EXPIRED"), "", true, "trusted"],
    ["has another name, and all are trusted", address, false, MISMATCH, "", true, "trusted"],
    ["did not come, and all are trusted", named, false, error("EPROTO"), "", true, "EPROTO"],
    ["did not come, and nobody knows why", named, false, null, "", true, "unknown"],
  ])("%s", (_, origin, isDone, found, names, trustAll, expected) => {
    const mistake = mistrust(peer(names), isDone, found, origin, trustAll);
    expect(mistake === undefined ? "trusted" : ((mistake as SocketError).code ?? "unknown")).toBe(expected);
  });

  test.each([
    ["https://api.example.com", "api.example.com"],
    ["https://api.example.com.", "api.example.com"],
    ["https://192.0.2.1", ""],
    ["https://[2001:db8::1]", ""],
  ])("of %s is asked for by the name %j", (base, name) => {
    expect(tlsOptions(originOf(base, undefined, {})).serverName).toBe(name);
  });

  const openssl = (reason: string) => Object.assign(new Error(`error:1:SSL routines:OPENSSL_internal:${reason}`), { code: "EPROTO" });
  test.each([
    ["host:1 closed the connection during the TLS handshake", undefined],
    ["host:1 closed the connection during the TLS handshake (ECONNRESET)", error("ECONNRESET")],
    ["no trusted TLS connection to host:1 (CERT_HAS_EXPIRED: CERT_HAS_EXPIRED)", error("CERT_HAS_EXPIRED")],
    ["no TLS connection to host:1 (WRONG_VERSION_NUMBER: it does not answer in TLS; is it http://?)", openssl("WRONG_VERSION_NUMBER")],
    ["no TLS connection to host:1 (UNSUPPORTED_PROTOCOL)", openssl("UNSUPPORTED_PROTOCOL")],
  ])("that is not taken: %s", (sentence, found) => {
    expect(tlsDetail({ authority: "host:1", tls: undefined }, found)).toBe(sentence);
  });
});
