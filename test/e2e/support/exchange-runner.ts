import { connect, type Socket } from "node:net";
import { answerTextOf, type Exchange, isLast, methodOf, piecesOf, textOf } from "./any-exchange.ts";
import { type DaemonOptions, startTestDaemon } from "./daemon.ts";
import { type ProxyName, type Seen, seenOf } from "./differences.ts";
import { field, type Message, messageScan, responseFraming, statusOf } from "./http-message.ts";
import { type Arrived, startRawTarget } from "./raw-target.ts";

/** What both ends saw of an exchange; undefined where nothing complete came. */
export type Outcome = { readonly request: Seen | undefined; readonly answer: Seen | undefined };

/** A proxy with a target of its own behind it. */
export type ProxyUnderTest = {
  readonly name: ProxyName;
  readonly port: number;
  readonly stop: () => Promise<void>;
  /** Has the target answer requests with this id so, and tells what it saw of them. */
  readonly expect: (id: string, exchange: Exchange) => { readonly request: () => Seen | undefined; readonly forget: () => void };
};

const PROVIDERS = ["openai", "anthropic", "google", "openrouter", "tetrate", "databricks"];

export async function startProxy(name: ProxyName): Promise<ProxyUnderTest> {
  const waiting = new Map<string, { readonly exchange: Exchange; request?: Seen }>();
  const idOf = ({ headers }: Pick<Message, "headers">) => field(headers, "x-exchange")[0] ?? "";
  const answer = async ({ headers, complete, connection }: Arrived) => {
    const one = waiting.get(idOf({ headers }));
    const request = await complete;
    if (one === undefined) return;
    one.request = seenOf(request);
    for (const piece of piecesOf(answerTextOf(one.exchange), one.exchange.answerCuts)) {
      connection.write(piece);
      await turn();
    }
    if (one.exchange.untilClose) connection.fin();
  };
  const target = await startRawTarget(answer);
  const proxy = name === "node:http" ? await startNodeProxy(target.url) : await startFaultproxy(name, target.url);
  return {
    name,
    port: proxy.port,
    async stop() {
      await proxy.stop();
      target.stop();
    },
    expect(id, exchange) {
      const one: { readonly exchange: Exchange; request?: Seen } = { exchange };
      waiting.set(id, one);
      return { request: () => one.request, forget: () => waiting.delete(id) };
    },
  };
}

async function startFaultproxy(engine: DaemonOptions["engine"], url: string) {
  // Whatever provider a request is taken to be for, it goes to the target.
  return startTestDaemon({
    engine,
    args: ["--log-level", "error", ...PROVIDERS.flatMap((provider) => ["--upstream", `${provider}=${url}`])],
  });
}

async function startNodeProxy(url: string) {
  const source = await Bun.file(`${import.meta.dir}/node-proxy.ts`).text();
  const script = new Bun.Transpiler({ loader: "ts" }).transformSync(source);
  const command = ["node", "--input-type=module", "-e", script, url];
  const child = Bun.spawn(command, { stdin: "ignore", stdout: "pipe", stderr: "inherit" });
  const reader = child.stdout.getReader();
  const { value } = await reader.read();
  const { port } = JSON.parse(new TextDecoder().decode(value)) as { port: number };
  return {
    port,
    async stop() {
      child.kill("SIGKILL");
      await child.exited;
    },
  };
}

/** Lets what has been written go out, so that what follows is another write. */
function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

const ANSWER_MS_MAX = 4_000;

/** One client of a proxy: exchanges over a connection that is kept while it can be. */
export class ExchangeClient {
  readonly #proxy: ProxyUnderTest;
  readonly #msMax: number;
  #connection: Connection | undefined;
  static #ids = 0;

  constructor(proxy: ProxyUnderTest, msMax = ANSWER_MS_MAX) {
    this.#proxy = proxy;
    this.#msMax = msMax;
  }

  /** One after the other, or all requests at once. */
  async perform(exchanges: readonly Exchange[], pipelined: boolean): Promise<readonly Outcome[]> {
    const outcomes: Outcome[] = [];
    const sendings = exchanges.map((exchange) => this.#sending(exchange));
    if (pipelined) {
      const connection = this.#open();
      const answers = sendings.map(({ method }) => connection.next(method));
      await connection.write(sendings.flatMap(({ pieces }) => pieces));
      for (const [index, { expected }] of sendings.entries()) {
        const answer = await this.#within(answers[index], connection);
        outcomes.push({ request: expected.request(), answer });
      }
    } else {
      for (const [index, { method, pieces, expected }] of sendings.entries()) {
        const connection = this.#open();
        const answer = connection.next(method);
        await connection.write(pieces);
        outcomes.push({ answer: await this.#within(answer, connection), request: expected.request() });
        const exchange = exchanges[index];
        if (exchange !== undefined && isLast(exchange)) connection.isOver = true;
      }
    }
    for (const { expected } of sendings) expected.forget();
    return outcomes;
  }

  close(): void {
    this.#connection?.socket.destroy();
  }

  #sending(exchange: Exchange) {
    const id = `${++ExchangeClient.#ids}`;
    const { request } = exchange;
    const text = textOf({ ...request, lines: [...request.lines, `X-Exchange: ${id}`] });
    return { method: methodOf(request), pieces: piecesOf(text, exchange.requestCuts), expected: this.#proxy.expect(id, exchange) };
  }

  #open(): Connection {
    if (this.#connection === undefined || this.#connection.isOver) this.#connection = new Connection(this.#proxy.port);
    return this.#connection;
  }

  /** A connection without its answer is of no more use. */
  async #within(answer: Promise<Seen | undefined> | undefined, connection: Connection): Promise<Seen | undefined> {
    const timer = setTimeout(() => connection.socket.destroy(), this.#msMax);
    const seen = await answer;
    clearTimeout(timer);
    return seen;
  }
}

class Connection {
  readonly socket: Socket;
  isOver = false;
  #wanted: { readonly method: string; readonly resolve: (seen: Seen | undefined) => void }[] = [];
  #interims: Message[] = [];
  readonly #scan = messageScan((head) => responseFraming(head, this.#wanted[0]?.method ?? "GET"));

  constructor(port: number) {
    this.socket = connect({ host: "127.0.0.1", port });
    this.socket.setNoDelay(true);
    this.socket.on("data", (bytes) => {
      // One message at a time: how long the next one is depends on what it answers.
      let messages = this.#scan.push(bytes.toString("latin1"), 1);
      while (messages.length > 0) {
        for (const message of messages) this.#take(message);
        messages = this.#scan.push("", 1);
      }
    });
    this.socket.on("end", () => {
      const last = this.#scan.end();
      if (last !== undefined) this.#take(last);
      this.#over();
    });
    this.socket.on("error", () => this.#over());
    this.socket.on("close", () => this.#over());
  }

  next(method: string): Promise<Seen | undefined> {
    return new Promise((resolve) => this.#wanted.push({ method, resolve }));
  }

  async write(pieces: readonly string[]): Promise<void> {
    for (const piece of pieces) {
      this.socket.write(Buffer.from(piece, "latin1"));
      await turn();
    }
  }

  #take(message: Message): void {
    if (statusOf(message.startLine) < 200) {
      this.#interims.push(message);
      return;
    }
    // The connection ends when it says so, also before that is seen.
    if (field(message.headers, "connection").some((value) => value.toLowerCase() === "close")) this.isOver = true;
    this.#wanted.shift()?.resolve(seenOf(message, this.#interims));
    this.#interims = [];
  }

  #over(): void {
    this.isOver = true;
    for (const { resolve } of this.#wanted) resolve(undefined);
    this.#wanted = [];
    this.socket.destroy();
  }
}
