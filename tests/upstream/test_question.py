"""What goes upstream, and what is taken for the reply to it."""

import dns.message
import pytest

from skydns_py.upstream.question import Question, answers, pack, question_of
from tests.upstream.messages import ask, query, reply_to

SENT = pack(ask(), 4242)


def test_nothing_of_a_client_goes_on():
    """Options, id and spelling of a client stay here; RD, CD and DO go on."""
    client = query("wWw.example.org", use_edns=0, want_dnssec=True, payload=4096)
    sent = dns.message.from_wire(pack(question_of(client), 7))

    assert (7, "www.example.org.") == (sent.id, sent.question[0].name.to_text())
    assert (0, 1232, 0x8000, ()) == (sent.edns, sent.payload, sent.ednsflags, sent.options)
    assert Question(client.name, 1, 0x0100, dnssec_ok=True) == question_of(client)


def test_spelled_at_random():
    """Each set bit spells one letter as a capital, and length octets stay what they are."""
    sent = pack(ask(), 7, (1 << 200) - 1)

    assert b"\x03WWW\x07EXAMPLE\x03ORG\x00" in sent
    assert answers(sent, reply_to(sent), exactly=True) is not None
    assert answers(sent, reply_to(pack(ask(), 7)), exactly=True) is None
    assert answers(sent, reply_to(pack(ask(), 7))) is not None


def _changed(at: int, octet: int) -> bytes:
    wire = bytearray(reply_to(SENT))
    wire[at] = octet
    return bytes(wire)


@pytest.mark.parametrize(
    "forged",
    [
        pytest.param(reply_to(pack(ask(), 4243)), id="another id"),
        pytest.param(reply_to(pack(ask("ftp.example.org"), 4242)), id="another name"),
        pytest.param(reply_to(pack(ask(rrtype=28), 4242)), id="another type"),
        pytest.param(SENT, id="the question itself"),
        pytest.param(_changed(2, 0x01), id="no QR"),
        pytest.param(_changed(2, 0xA1), id="opcode NOTIFY"),
        pytest.param(_changed(2, 0xA8), id="opcode UPDATE"),
        pytest.param(_changed(32, 3), id="class CHAOS"),
        pytest.param(_changed(5, 0), id="no question"),
        pytest.param(_changed(5, 2), id="two questions"),
        pytest.param(_changed(7, 9), id="answers that are not there"),
        pytest.param(SENT[:12], id="a header"),
        pytest.param(SENT[:2], id="an id"),
        pytest.param(b"", id="nothing"),
        pytest.param(reply_to(SENT) + b"\x00", id="an octet too many"),
        pytest.param(reply_to(SENT)[:-1], id="an octet too few"),
    ],
)
def test_forged(forged):
    """Whatever is not the reply to what was sent is nothing."""
    assert answers(SENT, reply_to(SENT)) is not None
    assert answers(SENT, forged) is None
