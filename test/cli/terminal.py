"""Runs `serve` on a terminal, types a command and then the end of input, prints what was shown, and exits as it did."""
import os
import pty
import select
import sys
import time

pid, terminal = pty.fork()
if pid == 0:
    os.execv(sys.argv[1], [*sys.argv[1:], "serve", "--simulate", "--port", "0"])

shown = b""


def read_until(wanted, count=1):
    global shown
    deadline = time.monotonic() + 15
    while wanted is None or shown.count(wanted) < count:
        ready, _, _ = select.select([terminal], [], [], max(0, deadline - time.monotonic()))
        if not ready:
            sys.exit("waited in vain; shown so far:\n" + shown.decode())
        try:
            data = os.read(terminal, 65536)
        except OSError:
            data = b""
        if not data:
            return
        shown += data


read_until(b"Enter command: ")
os.write(terminal, b"r\n")
read_until(b"Enter command: ", 2)
os.write(terminal, b"\x04")
read_until(None)
_, status = os.waitpid(pid, 0)
print(shown.decode())
sys.exit(os.waitstatus_to_exitcode(status))
