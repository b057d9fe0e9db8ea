import { dlopen, FFIType, ptr } from "bun:ffi";

const AF_UNIX = 1;
const SOCK_DGRAM_CLOEXEC = 0x80002;
const MSG_NOSIGNAL = 0x4000;
const LIBRARIES = ["libc.so.6", "libc.so"] as const;

/**
 * Tells the service manager how far the service is, where one asks for it: a datagram to the socket in NOTIFY_SOCKET
 * (sd_notify(3)). Runtime and standard library have no Unix datagram sockets, so that the C library is asked. Nothing is lost where it cannot
 * be done but that the manager waits in vain, which it says itself.
 */
export function notifyManager(state: "READY=1" | "STOPPING=1", environment: Readonly<Record<string, string | undefined>>): boolean {
  const path = environment.NOTIFY_SOCKET ?? "";
  if (process.platform !== "linux" || !/^[/@]./.test(path)) return false;
  for (const library of LIBRARIES) {
    try {
      return sendTo(library, path, state);
    } catch {
      // Another C library.
    }
  }
  return false;
}

function sendTo(library: string, path: string, text: string): boolean {
  const { symbols, close: unload } = dlopen(library, {
    socket: { args: [FFIType.i32, FFIType.i32, FFIType.i32], returns: FFIType.i32 },
    sendto: { args: [FFIType.i32, FFIType.ptr, FFIType.u64, FFIType.i32, FFIType.ptr, FFIType.u32], returns: FFIType.i64 },
    close: { args: [FFIType.i32], returns: FFIType.i32 },
  });
  const message = Buffer.from(text);
  // struct sockaddr_un: the family, then the path; a path in the abstract namespace begins with NUL.
  const address = Buffer.concat([
    new Uint8Array(new Uint16Array([AF_UNIX]).buffer),
    Buffer.from(path.replace(/^@/, "\0")),
    path.startsWith("@") ? Buffer.alloc(0) : Buffer.alloc(1),
  ]);
  const fd = symbols.socket(AF_UNIX, SOCK_DGRAM_CLOEXEC, 0);
  if (fd < 0) return false;
  const sent = symbols.sendto(fd, ptr(message), BigInt(message.length), MSG_NOSIGNAL, ptr(address), address.length);
  symbols.close(fd);
  unload();
  return Number(sent) === message.length;
}
