import { timingSafeEqual } from "node:crypto";
import { lookup } from "node:dns/promises";
import { BlockList, isIP } from "node:net";
import { hostname } from "node:os";
import type { Settings, TargetSetting } from "../config/settings.ts";
import { type Access, isOwnHost, PROVIDER_KEY_FIELDS } from "../core/access.ts";
import { type InputError, inputError } from "../core/errors.ts";
import type { Target } from "../core/ports.ts";
import { PROVIDER_NAMES, type ProviderName } from "../core/provider.ts";
import { remembered } from "../core/remembered.ts";
import { globMatches } from "../rules/glob.ts";
import type { HandedSocket } from "./handed-sockets.ts";
import type { Targets } from "./targets.ts";

type AccessSettings = Pick<
  Settings,
  "routes" | "apiKeys" | "names" | "host" | "listen" | "corsOrigins" | "targets" | "bodyBytesMax" | "streamsMax"
>;

/** `running` counts the requests that are being answered. */
export function accessOf(settings: AccessSettings, targets: Targets, running: () => number): Access {
  const { apiKeys, corsOrigins, bodyBytesMax, streamsMax } = settings;
  return {
    isKey: apiKeys.length === 0 ? undefined : keyCheck(apiKeys),
    isServed: hostCheck(settings),
    origins: new Set(corsOrigins.filter((origin) => origin !== "*").map((origin) => origin.toLowerCase())),
    lends: providersWhere((name) => hasCredential(targets[name], settingOf(name, targets[name], settings))),
    takesKeyInPlace: providersWhere(
      (name) => needsNoKey(targets[name], settingOf(name, targets[name], settings)) || isRouted(name, settings),
    ),
    bodyBytesMax,
    streamsMax,
    running,
  };
}

// ---- keys ----

const DIGEST = /^sha256:([0-9a-f]{64})$/i;

/** Every key is compared, each in the same time: how long it takes tells nothing of them. */
function keyCheck(apiKeys: readonly string[]): (text: string) => boolean {
  const digests = apiKeys.map((key) => {
    const hex = DIGEST.exec(key)?.[1];
    return hex === undefined ? sha256(key) : new Uint8Array(Buffer.from(hex, "hex"));
  });
  return (text) => {
    const shown = sha256(text);
    let isFound = false;
    for (const digest of digests) isFound = timingSafeEqual(shown, digest) || isFound;
    return isFound;
  };
}

function sha256(text: string): Uint8Array {
  return Bun.SHA256.hash(text, new Uint8Array(32)) as Uint8Array;
}

// ---- names ----

/** Where keys are needed, a page that passes for this proxy's own by a name of its own making has gained nothing. */
function hostCheck({ apiKeys, names, host, listen }: AccessSettings): Access["isServed"] {
  if (apiKeys.length > 0 || names.includes("*")) return undefined;
  const hosts = listen.flatMap(({ address }) => (address.kind === "tcp" ? address.host : []));
  const own = new Set([hostname(), host, ...hosts, ...names].map((name) => name.toLowerCase()));
  return remembered((asked) => isOwnHost(asked, own));
}

// ---- credentials ----

function providersWhere(holds: (name: ProviderName) => boolean): ReadonlySet<ProviderName> {
  return new Set(PROVIDER_NAMES.filter(holds));
}

function settingOf(name: ProviderName, target: Target, { targets }: AccessSettings): TargetSetting {
  return targets["isBackend" in target ? "backend" : name] ?? {};
}

/** Of names such as `X-Team-Token`. */
const CREDENTIAL_NAME = /auth|key|token|secret|cookie|passw|credential/i;
const CREDENTIAL_VALUE = /^(?:bearer|basic|token)[ \t]/i;

function hasCredential(target: Target, setting: TargetSetting): boolean {
  return hasClientCertificate(target, setting) || fieldsOf(target, setting).some(([name, value]) => isCredential(name, value));
}

function isCredential(name: string, value: string): boolean {
  return CREDENTIAL_NAME.test(name) || CREDENTIAL_VALUE.test(value);
}

/** The built-in provider asks for no key at all. */
function needsNoKey(target: Target, setting: TargetSetting): boolean {
  if (target.kind === "simulated" || hasClientCertificate(target, setting)) return true;
  return fieldsOf(target, setting).some(([name]) => PROVIDER_KEY_FIELDS.has(name.toLowerCase()));
}

/** Do all targets that its requests may be led to show credentials of ours? */
function isRouted(name: ProviderName, { routes }: AccessSettings): boolean {
  const own = routes.filter(({ match }) => match.provider === undefined || globMatches(match.provider, name));
  return (
    own.length > 0 && own.every(({ targets }) => targets.every(({ credential, url }) => credential !== undefined || url === "simulated"))
  );
}

/** An identity alone may be no more than an authority or a server name. */
function hasClientCertificate(target: Target, { certFile }: TargetSetting): boolean {
  return target.kind === "url" && target.identity !== undefined && certFile !== undefined;
}

/** What is sent beside what the client sends. The built-in provider gets nothing that it could give away. */
function fieldsOf(target: Target, { extraHeaders = {} }: TargetSetting): readonly (readonly [string, string])[] {
  return target.kind === "url" ? Object.entries(extraHeaders).filter(([, value]) => value !== "") : [];
}

// ---- addresses that other machines reach ----

const LOOPBACK = new BlockList();
LOOPBACK.addSubnet("127.0.0.0", 8, "ipv4");
LOOPBACK.addAddress("::1", "ipv6");

/** A socket that was handed over, perhaps from where this process sees nothing. */
export const UNKNOWN_ADDRESS = "a socket that was handed over, with an address that the system does not tell";

/** All addresses of a name. */
type Resolve = (name: string) => Promise<readonly { readonly address: string }[]>;

type Place = { readonly host: string; readonly setting: string };

/** The first address that other machines may reach, for people; undefined: there is none. */
export async function exposedAddress(
  { host, listen }: Pick<Settings, "host" | "listen">,
  handed: readonly HandedSocket[],
  resolve: Resolve = (name) => lookup(name, { all: true }),
): Promise<string | undefined> {
  const ofHanded = handed.flatMap(({ at }) => (at?.kind === "tcp" ? { host: at.host, setting: "the socket unit, with" } : []));
  const further = listen.flatMap(({ address }) => (address.kind === "tcp" ? { host: address.host, setting: "--listen" } : []));
  const places: readonly Place[] = [...(handed.length === 0 ? [{ host, setting: "--host" }] : ofHanded), ...further];
  for (const place of places) {
    const reached = await reachedAt(place.host, resolve);
    if (reached === undefined) continue;
    const shown = place.host.includes(":") ? `[${place.host}]` : place.host;
    return `${place.setting} ${shown}${reached === place.host ? "" : ` (${reached})`}`;
  }
  return undefined;
}

/** The address by which other machines reach this host; undefined: none. One that nobody knows cannot be listened on, and is told then. */
async function reachedAt(host: string, resolve: Resolve): Promise<string | undefined> {
  if (host.toLowerCase() === "localhost") return undefined;
  const addresses = isIP(host) === 0 ? await resolve(host).catch(() => []) : [{ address: host }];
  return addresses.map(({ address }) => address).find((address) => !isLoopback(address));
}

function isLoopback(address: string): boolean {
  return LOOPBACK.check(address, isIP(address) === 6 ? "ipv6" : "ipv4");
}

/** Why it is not to be opened: nobody has said who may use it. */
export function exposureMistake(
  exposed: string | undefined,
  { apiKeys, open }: Pick<Settings, "apiKeys" | "open">,
): InputError | undefined {
  if (exposed === undefined || apiKeys.length > 0 || open) return undefined;
  return inputError(
    `${exposed}: other machines may reach this address, and nobody has said who may use the proxy. Set api_keys in [server] (FAULTPROXY_API_KEYS), of which every client then has to show one; or listen on 127.0.0.1; or let everybody in with --open (open = true in [server])`,
  );
}
