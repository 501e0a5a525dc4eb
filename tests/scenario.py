"""Scenario files: a cluster, questions, and the replies a DNS person expects, all as text.

`read` takes one file apart, `query_packet` and `reply_text` go between its lines and real messages.
The format is documented in `scenarios/README.md`.
This module never asks a server anything and never decides what is right: the files do.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import dns.flags
import dns.message
import dns.rcode
import dns.rdataclass
import yaml

FOLDER = Path(__file__).with_name("scenarios")

SECTIONS = ("ANSWER", "AUTHORITY", "ADDITIONAL")

DEFAULT_TTL = "5"
"""Seconds, where the head says nothing."""

QUESTION_OPTIONS = frozenset(
    ("tcp", "edns", "do", "rd", "cd", "ad", "class", "edns-version"),
)
"""What may follow a question behind `+`, and every client can send."""

PACKET_OPTIONS = frozenset(("opcode", "qdcount", "second-opt", "trailing", "compressed"))
"""What may follow too, and only a packet made by hand can be like."""

Section = tuple[str, ...]


class ScenarioError(Exception):
    """A scenario file that cannot be read; the message begins with `file:line`."""


class Question(NamedTuple):
    """A question line: `options` are those behind `+`, with their values ("" for none)."""

    name: str
    type: str
    options: Mapping[str, str]

    @property
    def is_for_any_client(self) -> bool:
        """Whether `dig` and `kdig` can put it: transfers they print in a way of their own."""
        return not (PACKET_OPTIONS & self.options.keys() or self.type in ("AXFR", "IXFR"))


class Case(NamedTuple):
    """One behaviour: a sentence, a question, and the reply in the text of `as_text`."""

    sentence: str
    question: Question
    expected: str


class Scenario(NamedTuple):
    """One file: the options of its head as written, Kubernetes objects, cases in their order."""

    name: str
    options: Mapping[str, tuple[str, ...]]
    objects: tuple[dict[str, Any], ...]
    cases: tuple[Case, ...]


def read_all() -> list[Scenario]:
    """Read every scenario of the folder, in the order of the file names."""
    return [read(path) for path in sorted(FOLDER.glob("*.txt"))]


def read(path: Path) -> Scenario:
    """Read one scenario file.

    Raises:
        ScenarioError: a line that is neither comment, cluster nor case; a case without a question,
            a sentence twice, an option nobody knows.
    """
    lines = path.read_text("utf-8").splitlines()
    start, end = _cluster_lines(lines)
    options = _head_options(path.name, lines[:start])
    objects = yaml.load_all("\n".join(lines[start:end]), Loader=yaml.CSafeLoader)
    ttl = options.get("ttl", (DEFAULT_TTL,))[0]
    cases: dict[str, Case] = {}
    for number, block in _blocks(lines, end):
        case = _case(f"{path.name}:{number}", block, ttl)
        if case.sentence in cases:
            raise ScenarioError(f"{path.name}:{number}: the sentence stands here twice")
        cases[case.sentence] = case
    return Scenario(path.stem, options, tuple(objects), tuple(cases.values()))


def query_packet(question: Question) -> bytes:
    """Return the message that asks a question, with nothing in it that the line does not say."""
    options = question.options
    edns = "edns" in options or "do" in options
    query = dns.message.make_query(
        question.name,
        question.type,
        options.get("class", "IN"),
        use_edns=int(options.get("edns-version", 0)) if edns else False,
        want_dnssec="do" in options,
        payload=int(options.get("edns") or 1232),
        flags=sum(bit for flag, bit in _FLAGS.items() if flag in options),
        id=0x5A17,
    )
    return _spoiled(query.to_wire(), options)


def reply_text(packet: bytes) -> str:
    """Return a reply as a scenario file has it.

    Raises:
        dns.exception.DNSException: the packet is no message, or has octets behind its end.
    """
    reply = dns.message.from_wire(packet, one_rr_per_rrset=True)
    if not reply.flags & dns.flags.QR:
        raise ScenarioError("the packet is a question, not a reply")
    status = [dns.rcode.to_text(reply.rcode()), *dns.flags.to_text(reply.flags).lower().split()[1:]]
    if reply.opcode():
        status.append(f"opcode={int(reply.opcode())}")
    if reply.edns >= 0:
        status += [f"edns={reply.payload}", *(["do"] if reply.ednsflags & dns.flags.DO else [])]
        status += [f"ede={int(option.code)}" for option in reply.extended_errors()]
    sections = (
        [rrset.to_text(want_origin=False) for rrset in section] for section in reply.sections[1:]
    )
    return as_text(" ".join(status), *(tuple(section) for section in sections))


def as_text(status: str, *sections: Section) -> str:
    """Return status and sections in the one order and spacing that replies are compared in."""
    lines = [status]
    for title, section in zip(SECTIONS, sections, strict=True):
        if section:
            lines += [title, *sorted(" ".join(line.split()) for line in section)]
    return "\n".join(lines)


def without_serials(text: str, like: str) -> str:
    """Return a reply with a star for each SOA serial, if the reply it should be `like` has one."""
    if " * " not in like:
        return text
    return re.sub(r"( SOA \S+ \S+) \d+ ", r"\1 * ", text)


_FLAGS = {"rd": dns.flags.RD, "cd": dns.flags.CD, "ad": dns.flags.AD}


def _cluster_lines(lines: list[str]) -> tuple[int, int]:
    """Return where the YAML documents begin and end: at the first `---` and behind `...`."""
    if "---" in lines and "..." in lines:
        return lines.index("---"), lines.index("...") + 1
    start = next((i for i, line in enumerate(lines) if not line.startswith(";")), len(lines))
    return start, start


def _head_options(file: str, lines: list[str]) -> dict[str, tuple[str, ...]]:
    """Return the options of a head: those of the `kubernetes` directive, and a few of our own."""
    options = {}
    for number, line in enumerate(lines, 1):
        if line and not line.startswith(";"):
            raise ScenarioError(f"{file}:{number}: the head has lines that begin with `;` only")
        if line.startswith("; options:"):
            for option in line.removeprefix("; options:").split(","):
                word, *values = option.split()
                options[word] = tuple(values)
    return options


def _blocks(lines: list[str], start: int) -> Iterator[tuple[int, list[str]]]:
    """Yield the paragraphs from `start` on with their line numbers, comments left out."""
    block: list[str] = []
    for number, line in enumerate([*lines[start:], ""], start + 1):
        if line.startswith(";"):
            continue
        if line.strip():
            block.append(line.strip())
        elif block:
            yield number - len(block), block
            block = []


def _case(where: str, block: list[str], ttl: str) -> Case:
    asked = next((i for i, line in enumerate(block) if line.startswith("? ")), 0)
    if not asked or len(block) < asked + 2:
        raise ScenarioError(f"{where}: a case is a sentence, a line that begins with `?`, a reply")
    sections: dict[str, list[str]] = {title: [] for title in SECTIONS}
    status, *rest = block[asked + 1 :]
    records = None
    for line in rest:
        if line in sections:
            records = sections[line]
        elif records is None or len(line.split()) < 5:
            raise ScenarioError(f"{where}: {line!r} is no record of a section")
        else:
            records.append(_soa_in_full(line, ttl))
    expected = as_text(status, *map(tuple, sections.values()))
    return Case(" ".join(block[:asked]), _question(where, block[asked]), expected)


def _question(where: str, line: str) -> Question:
    _, name, rrtype, *words = [*line.split(), ""]
    if not rrtype:
        raise ScenarioError(f"{where}: a question is `? NAME TYPE`")
    options = dict(word.removeprefix("+").partition("=")[::2] for word in words[:-1])
    unknown = options.keys() - QUESTION_OPTIONS - PACKET_OPTIONS
    if unknown:
        raise ScenarioError(f"{where}: nobody knows the option {', '.join(sorted(unknown))}")
    return Question(name, rrtype, options)


def _soa_in_full(line: str, ttl: str) -> str:
    """Return a record line, with the rdata that a zone's SOA always has in place of a lone star."""
    owner, *middle, rdata = line.split()
    if middle[-1:] != ["SOA"] or rdata != "*":
        return line
    return f"{line[:-1]}ns.dns.{owner} hostmaster.{owner} * 7200 1800 86400 {ttl}"


def _spoiled(packet: bytes, options: Mapping[str, str]) -> bytes:
    """Return a query with what no library would send."""
    header, body = bytearray(packet[:12]), packet[12:]
    header[2] |= int(options.get("opcode", 0)) << 3
    header[5] = int(options.get("qdcount", 1))
    if "compressed" in options:
        body = b"\xc0\x0c" + body[-4:]
    if "second-opt" in options:
        header[11] += 1
        body += b"\x00\x00\x29\x04\xd0" + bytes(6)
    return bytes(header) + body + b"\x00" * ("trailing" in options)
