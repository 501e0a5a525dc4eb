"""The parts of the benchmark that decide what its numbers say."""

import dns.message
import dns.rcode
import pytest

from bench.aims import cheaper, judged
from bench.load import LoadError, Run, _run_of
from bench.plot import svg
from bench.questions import LOADS, NEVER_AGAIN, Load
from bench.report import Report, lines_of, verdict
from bench.rounds import PACED, Row, row_of
from bench.usage import cpu_seconds, family
from tests.processes import started

OUT = """
> NOERROR binary input 0.000128
> NOERROR binary input 0.000045

  Queries sent:         3
  Queries completed:    2 (66.67%)
  Queries lost:         1 (33.33%)

  Response codes:       NOERROR 2 (100.00%)
  Run time (s):         0.500000
"""


def packets(load: Load, turn: int = 0) -> list[bytes]:
    stream, start, found = load.stream(turn), 0, []
    while start < len(stream):
        end = start + 2 + int.from_bytes(stream[start : start + 2], "big")
        found.append(stream[start + 2 : end])
        start = end
    return found


def run(cpu=0.001, latencies=(), lost=0):
    return Run(1000, lost, 1.0, cpu, "NOERROR 1000 (100.00%)", latencies)


def row(server, load="hit", cpu=1.0, **more):
    return Row(server, load, cpu, 0.1, 1000.0, 0.5, 0.0, **more)


@pytest.mark.parametrize("load", LOADS, ids=lambda load: load.name)
def test_questions_are_questions(load):
    """Every packet of a set is a query another library can read."""
    found = [dns.message.from_wire(packet) for packet in packets(load)[:200]]

    assert all(len(query.question) == 1 for query in found)
    assert {dns.rcode.NOERROR} == {query.rcode() for query in found}


def test_cookies_differ():
    """No two packets with cookies are the same, within a run and from one run to the next."""
    load = next(load for load in LOADS if load.name == "cookie")
    both = packets(load, 1) + packets(load, 2)

    assert len(both) == len(set(both))


def test_missed_names_differ():
    """A name that is to be missed is never asked again, in no other run either."""
    load = next(load for load in LOADS if load.name == "miss")
    one, other = set(load.make(1)), set(load.make(2))

    assert NEVER_AGAIN == len(one) == len(other)
    assert one.isdisjoint(other)


def test_letters_differ():
    """Spellings at random mean the same names as the hits do."""
    hit, mixed = (next(load for load in LOADS if load.name == name) for name in ("hit", "0x20"))
    spelled = packets(mixed)

    assert {packet[12:] for packet in packets(hit)} == {packet[12:].lower() for packet in spelled}
    assert any(packet != packet.lower() for packet in spelled)


def test_output_of_dnsperf():
    """What dnsperf prints is read: counts, codes and the latency of each answer."""
    found = _run_of(OUT, 0.001)

    assert (2, 1, 0.5) == (found.answered, found.lost, found.seconds)
    assert (0.000128, 0.000045) == found.latencies
    assert pytest.approx((500.0, 4.0, 0.002)) == (found.cpu_per_answer, found.rate, found.busy)


def test_silence_is_an_error():
    """A server that answered nothing has no costs an answer."""
    with pytest.raises(LoadError, match="no question was answered"):
        _run_of(OUT.replace("completed:    2", "completed:    0"), 0.001)


def test_row_tells_medians():
    """One round that was disturbed does not move the numbers, but shows in the spread."""
    found = row_of("NSD", "hit", [run(0.001), run(0.009), run(0.002)])

    assert pytest.approx((2.0, 4.0)) == (found.cpu, found.spread)


def test_percentiles():
    """Latencies are told in microseconds."""
    found = row_of("NSD", PACED, [run(latencies=tuple(n / 1e6 for n in range(1, 1000)))])

    assert pytest.approx((500.0, 990.0)) == (found.p50, found.p99)


def test_missed_aim_is_told():
    """An aim that is missed stands under `lost`, one that is reached does not."""
    rows = [row("C echo"), row("skydns-py", cpu=1.7), row("Knot DNS", cpu=1.8)]
    lost = "\n".join(verdict(rows)).partition("lost:")[2]

    assert [False, True] == [reached for _, reached in judged(rows)]
    assert "1.70 times C echo's" in lost
    assert "Knot" not in lost


def test_cheaper_servers_are_told():
    """A server that needs less than we do is named; the echo, which answers nothing, is not."""
    rows = [row("C echo"), row("skydns-py", cpu=1.7), row("NSD", cpu=1.5), row("Unbound", cpu=2.0)]

    assert ["hit: NSD 1.50; we 1.70 µs an answer"] == list(cheaper(rows))


def test_rate_of_an_idle_server():
    """A rate that the generator limited is marked as at least that much."""
    assert "≥" in list(lines_of([row("NSD")]))[-1]


def test_document_and_picture():
    """Every row is in the document and in the picture."""
    rows = [row("C echo"), row("skydns-py")]
    report = Report("a machine", {}, [], rows)

    assert b'"server": "skydns-py"' in report.json()
    assert 2 == svg(rows).count('fill="#9aa0a6"') + svg(rows).count('fill="#1a73e8"')


async def test_usage_counts_children():
    """What a child that has ended used up is counted with its parent."""
    busy = "i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done"
    async with started("sh", "-c", f"sh -c '{busy}'; echo done; sleep 60") as program:
        await program.line("done")
        pid = program.process.pid

        assert cpu_seconds(pid) > 0
        assert family(pid)[0] == pid
