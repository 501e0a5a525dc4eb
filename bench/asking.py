"""Asks one question again and again, and writes down when the answer becomes another one.

`python -m bench.asking PORT NAME SOCKETS` writes a line `SOCKET ADDRESS NANOSECONDS` for each
socket whose answer has changed, by the clock that all processes of this machine share.
It is a process of its own, so that nothing else holds it up, and ends by itself after `LONGEST`.
"""

import contextlib
import socket
import sys
import time
from typing import Final

from skydns_py import names

LONGEST: Final = 600.0
"""Seconds after which nobody can be reading any more."""

PAUSE: Final = 0.000_1
"""Seconds between two questions: they are to see the change, not to be a load."""

_HEADER: Final = bytes((0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0))
_A_IN: Final = bytes((0, 1, 0, 1))

PATIENCE: Final = 1.0
"""Seconds an answer is waited for; then it is lost and the question asked again."""


def main(port: int, name: str, sockets: int) -> None:
    """Ask from so many sockets in turn."""
    packet = _HEADER + names.from_text(name) + _A_IN
    end = time.monotonic() + LONGEST
    with contextlib.ExitStack() as stack:
        opened = [stack.enter_context(_socket(port)) for _ in range(sockets)]
        seen: dict[int, bytes] = {}
        while time.monotonic() < end:
            time.sleep(PAUSE)
            for number, sock in enumerate(opened):
                reply = _ask(sock, packet)
                # There is no OPT: the reply ends with the address.
                if reply and seen.get(number) != reply[-4:]:
                    seen[number] = reply[-4:]
                    _tell(number, reply[-4:])


def _socket(port: int) -> socket.socket:
    sock = socket.socket(type=socket.SOCK_DGRAM)
    sock.settimeout(PATIENCE)
    sock.connect(("127.0.0.1", port))
    return sock


def _ask(sock: socket.socket, packet: bytes) -> bytes:
    try:
        sock.send(packet)
        return sock.recv(4096)
    except OSError:
        return b""


def _tell(number: int, address: bytes) -> None:
    sys.stdout.write(f"{number} {socket.inet_ntoa(address)} {time.monotonic_ns()}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
