"""Make a query and print its reply, as dig does: for the `query` command.

This module never sends anything, and no server uses it.
"""

from dnslib import QTYPE, DNSError, DNSRecord

from skydns_py.answers.query import CLASS_IN, MAX_UDP
from skydns_py.names import from_text


class UnreadableReplyError(ValueError):
    """Bytes that came back and are no DNS reply."""


def type_number(text: str) -> int | None:
    """Return the number of a type by its name, or by `TYPE123` (RFC 3597 section 5); or None."""
    number = text.upper().removeprefix("TYPE")
    if number.isdigit() and int(number) < 2**16:
        return int(number)
    found: int | None = QTYPE.reverse.get(text.upper())
    return found


def make_query(message_id: bytes, name: str, rrtype: int) -> bytes:
    """Return a query with RD and an OPT, as dig sends it.

    Raises:
        InvalidNameError: the text is no domain name.
    """
    header = message_id + b"\x01\x00\x00\x01\x00\x00\x00\x00\x00\x01"
    question = from_text(name) + rrtype.to_bytes(2, "big") + CLASS_IN.to_bytes(2, "big")
    return header + question + b"\x00\x00\x29" + MAX_UDP.to_bytes(2, "big") + bytes(6)


def is_truncated(reply: bytes) -> bool:
    """Tell whether a reply asks for the question to be repeated over TCP."""
    return bool(reply[2] & 0x02)


def long_text(reply: bytes) -> str:
    """Return a reply with header, question and sections.

    Raises:
        UnreadableReplyError: it is no DNS message.
    """
    return str(_parse(reply).toZone())


def short_text(reply: bytes) -> str:
    """Return the rdata of the answers only, a line each.

    Raises:
        UnreadableReplyError: it is no DNS message.
    """
    return "\n".join(str(rr.rdata) for rr in _parse(reply).rr)


def _parse(reply: bytes) -> DNSRecord:
    try:
        return DNSRecord.parse(reply)
    except (DNSError, ValueError) as error:
        raise UnreadableReplyError(f"what came back is no DNS message: {error}") from error
