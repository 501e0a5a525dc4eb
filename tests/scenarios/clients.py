"""Ask a scenario's questions over sockets, with `dig`, `kdig` and packets that dnspython made.

Each client puts all questions for one port in one go and returns replies as scenario text, in the
order of the questions.
This module never judges a reply, and waits for each no longer than `LIMIT`.
"""

import asyncio
import re
import socket
from collections.abc import Sequence

from tests.scenario import SECTIONS, Question, as_text, query_packet, reply_text

HOST = "127.0.0.1"

LIMIT = 10
"""Seconds for one reply: far more than it takes, far less than a build waits."""

RUN_LIMIT = 50
"""Seconds for one run of a program, whatever it does."""

PACKAGES = {"dig": "bind9-dnsutils", "kdig": "knot-dnsutils"}
"""The Debian packages that have the programs."""

_PLAIN = ["+norecurse", "+noadflag", "+nocookie", "+ignore", f"+timeout={LIMIT}"]

_DIG = [*_PLAIN, "+tries=1", "+noidnin", "+noidnout", "+noednsnegotiation"]
_KDIG = [*_PLAIN, "+retry=0", "+noidn"]

_STATUS = re.compile(r"status: (\w+)")
_FLAGS = re.compile(r"^;; flags: qr ?([a-z ]*);", re.IGNORECASE | re.MULTILINE)
_EDNS = re.compile(r"version: 0[,;] flags:([ a-z]*); udp(?: size)?: (\d+)", re.IGNORECASE)
_EDE = re.compile(r"EDE: (\d+)")


async def ask_with_dig(port: int, questions: Sequence[Question]) -> list[str]:
    """Ask with one `dig`, which is kept from TCP for ANY and from a second try after BADVERS.

    Its batch files would take neither `+tcp` nor `+notcp`: the questions are arguments.
    """
    return await _ask_with(["dig", *_DIG], port, questions)


async def ask_with_kdig(port: int, questions: Sequence[Question]) -> list[str]:
    """Ask with one `kdig`."""
    return await _ask_with(["kdig", *_KDIG], port, questions)


async def ask_with_dnspython(port: int, questions: Sequence[Question]) -> list[str]:
    """Send packets that dnspython made, and let it read what comes back."""
    return await asyncio.to_thread(lambda: [_exchange(port, question) for question in questions])


async def _ask_with(command: list[str], port: int, questions: Sequence[Question]) -> list[str]:
    """Return the replies that a program prints when it has all questions as arguments.

    Raises:
        AssertionError: it failed, or did not print one reply for each question.
        TimeoutError: it did not end.
    """
    arguments = [argument for question in questions for argument in _arguments(question)]
    output = await _run([*command, f"@{HOST}", "-p", str(port), *arguments])
    replies = [_printed_reply(text) for text in output.split("->>HEADER<<-")[1:]]
    assert len(questions) == len(replies), f"not one reply for each question:\n{output}"
    return replies


def _arguments(question: Question) -> list[str]:
    """Return a question and its options, which both programs call by the same names."""
    options = question.options
    edns = ["+noedns"]
    if {"edns", "do"} & options.keys():
        edns = [
            f"+edns={options.get('edns-version', 0)}",
            f"+bufsize={options.get('edns') or 1232}",
        ]
    flags = {"do": "+dnssec", "rd": "+rdflag", "cd": "+cdflag", "ad": "+adflag"}
    return [
        *("-q", question.name, "-t", question.type, "-c", options.get("class", "IN")),
        *edns,
        *(flag for word, flag in flags.items() if word in options),
        "+tcp" if "tcp" in options else "+notcp",
    ]


async def _run(command: list[str]) -> str:
    process = await asyncio.create_subprocess_exec(
        *command,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        async with asyncio.timeout(RUN_LIMIT):
            output, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0, f"{command[0]} failed:\n{output.decode()}"
    return output.decode()


def _printed_reply(text: str) -> str:
    words = [*_STATUS.findall(text)[:1], *" ".join(_FLAGS.findall(text)).split()]
    for flags, size in _EDNS.findall(text):
        words += [f"edns={size}", *flags.split()]
    words += [f"ede={code}" for code in _EDE.findall(text)]
    return as_text(" ".join(words), *(_printed_section(text, title) for title in SECTIONS))


def _printed_section(text: str, title: str) -> tuple[str, ...]:
    """Return the record lines between a section's headline and the next empty line."""
    lines = iter(text.partition(f";; {title} SECTION:\n")[2].splitlines())
    return tuple(iter(lambda: next(lines, ""), ""))


def _exchange(port: int, question: Question) -> str:
    packet = query_packet(question)
    if "tcp" in question.options:
        return reply_text(_exchange_over_tcp(port, packet))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.settimeout(LIMIT)
        udp.connect((HOST, port))
        udp.send(packet)
        return reply_text(udp.recv(65_535))


def _exchange_over_tcp(port: int, packet: bytes) -> bytes:
    """Send one message behind its length, and read one (RFC 1035 4.2.2)."""
    with socket.create_connection((HOST, port), LIMIT) as tcp, tcp.makefile("rb") as stream:
        tcp.sendall(len(packet).to_bytes(2, "big") + packet)
        return stream.read(int.from_bytes(stream.read(2), "big"))
