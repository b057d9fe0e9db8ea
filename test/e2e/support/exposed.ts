import { networkInterfaces } from "node:os";

/** An address of this machine that others reach; undefined where it has none. */
export const LAN_ADDRESS: string | undefined = Object.values(networkInterfaces())
  .flatMap((addresses) => addresses ?? [])
  .find(({ family, internal }) => family === "IPv4" && !internal)?.address;

export const HAS_IPV6: boolean = Object.values(networkInterfaces()).some((all) => all?.some(({ address }) => address === "::1"));
