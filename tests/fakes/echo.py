"""The smallest DNS responder there is, and questions to put to it.

It turns a question into its own answer; questions for a few names are treated otherwise.
"""

import struct

from skydns_py.servers.respond import Client, Later, Transport

HEADER = 12


def question(number: int = 1, name: str = "www.example.org", extra: int = 0) -> bytes:
    """Return a question of type A with the id `number`, `extra` octets behind it."""
    labels = b"".join(bytes((len(label),)) + label.encode() for label in name.split("."))
    header = struct.pack(">6H", number, 0x0100, 1, 0, 0, 0)
    return header + labels + b"\x00\x00\x01\x00\x01" + bytes(extra)


def answer(packet: bytes) -> bytes:
    """Return what `Echo` answers to a question: the same with QR and AA set."""
    return packet[:2] + b"\x85" + packet[3:]


class Echo:
    """Answers a question with itself, and remembers who asked.

    Silent to `silent.example.org`; `later.example.org` waits in `waiting` for the test to answer;
    `large.example.org` gets `large` octets.
    """

    def __init__(self, large: int = 60_000) -> None:
        self.asked: list[tuple[str, int, Transport]] = []
        self.waiting: list[tuple[bytes, Later]] = []
        self.large = large

    def __call__(self, packet: bytes, client: Client, transport: Transport) -> bytes | None:
        self.asked.append((client.host, client.port, transport))
        if b"silent" in packet:
            return None
        if b"later" in packet:
            self.waiting.append((packet, client.later()))
            return None
        if b"large" in packet:
            return answer(packet).ljust(self.large, b"\x00")
        return answer(packet)
