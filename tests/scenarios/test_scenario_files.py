"""Scenario files are read as their README says, and what is wrong in one is told with its line."""

import re
from pathlib import Path

import pytest

from tests.scenario import (
    FOLDER,
    PACKET_OPTIONS,
    QUESTION_OPTIONS,
    ScenarioError,
    query_packet,
    read,
    reply_text,
    without_serials,
)
from tests.scenarios.serving import OPTIONS, responder_of

README = (FOLDER / "README.md").read_text("utf-8")

WRONG = {
    "a head that is no comment": ("options: ttl 30\n---\n...\n", "1: the head has"),
    "a case without a question": ("; x\n\nA sentence.\nNOERROR aa\n", "3: a case is"),
    "a case without a reply": ("; x\n\nA sentence.\n? example.org A\n", "3: a case is"),
    "a question without a type": ("\nA sentence.\n? example.org\nREFUSED\n", "2: a question is"),
    "a question with a misspelled option": (
        "\nA sentence.\n? example.org A +ends=512\nREFUSED\n",
        "2: nobody knows the option ends",
    ),
    "a record outside of a section": (
        "\nA sentence.\n? example.org A\nNOERROR\nexample.org. 5 IN A 192.0.2.1\n",
        "2: 'example.org. 5 IN A 192.0.2.1' is no record",
    ),
    "a misspelled section": (
        "\nA sentence.\n? example.org A\nNOERROR\nANSWER\nAUTORITY\n",
        "2: 'AUTORITY' is no record",
    ),
    "a sentence twice": (
        2 * "\nA sentence.\n? example.org A\nREFUSED\n",
        "6: the sentence stands here twice",
    ),
}


@pytest.mark.parametrize(("text", "told"), WRONG.values(), ids=WRONG.keys())
def test_what_is_wrong_is_told_with_its_line(tmp_path: Path, text: str, told: str):
    """A file that cannot be read is refused with the line and what to look for."""
    path = tmp_path / "wrong.txt"
    path.write_text(text)

    with pytest.raises(ScenarioError, match=re.escape(f"wrong.txt:{told}")):
        read(path)


def test_the_example_of_the_readme_holds(tmp_path: Path):
    """The example of the README is a scenario, and its replies are right."""
    path = tmp_path / "example.txt"
    path.write_text(README.split("```text\n")[1].partition("```")[0])
    scenario = read(path)
    responder = responder_of(scenario)

    for case in scenario.cases:
        reply = responder.respond(query_packet(case.question), None, "udp")
        assert reply is not None
        assert case.expected == without_serials(reply_text(reply), case.expected)
    assert 2 == len(scenario.cases)


def test_the_readme_knows_every_option():
    """Each option of a head and of a question has its row in the README."""
    rows = "\n".join(line.split("|")[1] for line in README.splitlines() if line[:3] == "| `")

    assert set(re.findall(r"`\+([a-z-]+)", rows)) == QUESTION_OPTIONS | PACKET_OPTIONS
    assert set(re.findall(r"`([a-z_]+)", rows)) == OPTIONS


def test_an_option_nobody_knows_is_told(tmp_path: Path):
    """An option of the head that nobody knows is refused, not overlooked."""
    path = tmp_path / "wrong.txt"
    path.write_text("; options: tll 30\n")

    with pytest.raises(ScenarioError, match="nobody knows the option tll"):
        responder_of(read(path))
