"""Errors that come by the thousand are told once per period, with their number.

Time is simulated: a period of an hour takes no time.
Source: CoreDNS 1.14, plugin errors.
"""

import asyncio

import pytest

from skydns_py.app.consolidation import Consolidator
from skydns_py.settings import Consolidation

pytestmark = pytest.mark.looptime

Lines = list[tuple[str, str]]

SENTENCE = "plugin/kubernetes: the cluster has not been read yet"


def line(name: str = "web.example.org.", sentence: str = SENTENCE) -> str:
    return f"plugin/errors: 2 {name} A: {sentence}"


def consolidator(lines: Lines, *rules: Consolidation) -> Consolidator:
    return Consolidator(rules, lambda *told: lines.append(told))


async def test_errors_of_a_period_are_told_once_with_their_number():
    """However many match, one line comes at the end of the period, and starts no other."""
    lines: Lines = []
    tell = consolidator(lines, Consolidation(30, "not been read", "warning"))
    for _ in range(1000):
        tell("error", line())
    assert [] == lines

    await asyncio.sleep(29)
    assert [] == lines
    await asyncio.sleep(2)
    told = "plugin/errors: 1000 errors like 'not been read' occurred in last 30s"
    assert [("warning", told)] == lines
    await asyncio.sleep(300)
    assert 1 == len(lines)


async def test_the_next_error_begins_another_period():
    """A period begins with its first error, not on the clock."""
    lines: Lines = []
    tell = consolidator(lines, Consolidation(10, "read"))
    tell("error", line())
    await asyncio.sleep(15)
    tell("error", line())
    await asyncio.sleep(9)
    assert 1 == len(lines)
    await asyncio.sleep(2)

    assert 2 * [("error", "plugin/errors: 1 errors like 'read' occurred in last 10s")] == lines


@pytest.mark.parametrize(
    ("period", "told"),
    [(0.5, "500ms"), (30.0, "30s"), (90.0, "1m30s"), (300.0, "5m0s"), (3600.0, "1h0m0s")],
)
async def test_a_period_is_told_as_go_writes_it(period: float, told: str):
    """CoreDNS prints its duration as Go does: what reads the line looks for `5m0s`."""
    lines: Lines = []
    consolidator(lines, Consolidation(period, "read"))("error", line())
    await asyncio.sleep(period + 1)

    assert lines[0][1].endswith(f" occurred in last {told}")


async def test_the_first_may_be_shown_at_once():
    """With `show_first` one error is told at once, at the rule's level; alone it is not counted."""
    lines: Lines = []
    tell = consolidator(lines, Consolidation(10, "read", "info", show_first=True))
    tell("error", line("first."))
    assert [("info", line("first."))] == lines
    await asyncio.sleep(11)
    assert 1 == len(lines)

    for _ in range(3):
        tell("error", line())
    await asyncio.sleep(11)
    told = "plugin/errors: 3 errors like 'read' occurred in last 10s"
    assert [("info", line("first.")), ("info", line()), ("info", told)] == lines


async def test_the_pattern_is_looked_for_in_the_error():
    """A pattern is matched with the error alone: neither name nor type are part of it."""
    lines: Lines = []
    tell = consolidator(
        lines, Consolidation(10, r"^plugin/kubernetes: .* yet$"), Consolidation(10, "example")
    )
    tell("error", line())
    assert [] == lines
    await asyncio.sleep(11)

    assert 1 == len(lines)
    assert "'^plugin/kubernetes: .* yet$'" in lines[0][1]


async def test_an_error_is_counted_by_the_first_rule_that_matches():
    """Rules are tried in their order, and periods run side by side."""
    lines: Lines = []
    tell = consolidator(lines, Consolidation(10, "not been"), Consolidation(5, "been read"))
    for sentence in ("has not been read", "has been read", "has not been read"):
        tell("error", line(sentence=sentence))
    await asyncio.sleep(11)

    assert ["1 errors like 'been read'", "2 errors like 'not been'"] == [
        told.removeprefix("plugin/errors: ").partition(" occurred")[0] for _, told in lines
    ]


async def test_what_no_rule_matches_is_told_as_it_comes():
    """Other errors, and lines that are none, go on at once."""
    lines: Lines = []
    tell = consolidator(lines, Consolidation(10, "timeout"))
    told = [("error", line()), ("info", "192.0.2.1:53 - timeout")]
    for each in told:
        tell(*each)

    assert told == lines
    await asyncio.sleep(11)
    assert told == lines
