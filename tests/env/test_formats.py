"""Every format against its real consumer: the same is read back, or nothing is written."""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unicodedata
from collections.abc import Callable, Mapping
from typing import Any

import pytest
import yaml
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from skydns_py.env.formats import FORMATS, STRING_LIMIT, FormatError, render, size_warnings

SHELLS = [
    [path, *words]
    for name, *words in (["dash"], ["bash"], ["bash", "--posix"], ["busybox", "sh"], ["zsh"])
    if (path := shutil.which(name))
]


def read_as_docker(text: str) -> dict[str, str]:
    """Read an env-file by Docker's documented rules: what Go's Scanner and kvfile do."""
    found = {}
    lines = text.encode().split(b"\n")
    assert b"" == lines.pop()
    for number, raw in enumerate(lines):
        assert len(raw) < 64 * 1024
        line = raw.removesuffix(b"\r").decode()
        if number == 0:
            line = line.removeprefix("\ufeff")
        line = line.lstrip()
        if not line or line[0] == "#":
            continue
        name, equals, value = line.partition("=")
        assert equals
        assert name
        assert not any(is_space_to_go(character) for character in name)
        found[name] = value
    return found


def is_space_to_go(character: str) -> bool:
    return character in "\t\n\v\f\r \x85\xa0" or unicodedata.category(character)[0] == "Z"


def read_as_shell(shell: list[str], text: str) -> dict[str, str]:
    """Let a shell read the text with `.` and tell what a program started by it is given."""
    program = "import json, os; print(json.dumps(dict(os.environ)))"
    tell = f". \"$0\"; exec {sys.executable} -c '{program}'"
    with tempfile.NamedTemporaryFile(suffix=".sh") as file:
        file.write(text.encode())
        file.flush()
        done = subprocess.run(
            [*shell, "-c", tell, file.name],
            capture_output=True,
            check=True,
            env={"LC_ALL": "C.UTF-8"},
            timeout=30,
        )
    assert b"" == done.stderr
    return dict(json.loads(done.stdout))


def rendered_or_refused(form: str, variables: Mapping[str, str]) -> str | None:
    try:
        return render(form, variables)
    except FormatError as error:
        refused = error.variable
    assert refused in variables
    return None


READERS: dict[str, Callable[[str], Any]] = {"docker": read_as_docker, "json": json.loads}

special = "'\"\\$`#!=~ \t\n\rab{}()&;|<>*?%\x7f"
text = st.text(st.characters(exclude_categories=[])) | st.text(special)
any_name = text | st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,8}", fullmatch=True)
identifiers = st.from_regex(r"[A-Z][A-Z0-9_]{0,8}_SERVICE_PORT", fullmatch=True)


@given(st.dictionaries(any_name, text, max_size=4), st.sampled_from(sorted(READERS)))
def test_read_back_or_refused(variables: dict[str, str], form: str) -> None:
    """Whatever is given, the reader gets exactly that, or it is refused with the variable named."""
    written = rendered_or_refused(form, variables)
    if written is None:
        return

    assert variables == READERS[form](written)


@settings(max_examples=40, deadline=None)
@given(st.dictionaries(identifiers | any_name, text, max_size=6))
@pytest.mark.parametrize("shell", SHELLS, ids=lambda shell: "-".join(map(os.path.basename, shell)))
def test_read_back_by_a_shell_or_refused(shell: list[str], variables: dict[str, str]) -> None:
    """Whatever is given, a program that a real shell starts has it, or it is refused."""
    written = rendered_or_refused("sh", variables)
    if written is None:
        return
    found = read_as_shell(shell, written)

    assert variables == {name: found.get(name) for name in variables}


@pytest.mark.parametrize("shell", SHELLS, ids=lambda shell: "-".join(map(os.path.basename, shell)))
def test_shell_metacharacters_stay_text(shell: list[str]) -> None:
    """Quotes, expansions, line breaks and every octet of UTF-8 go through a shell unchanged."""
    variables = {
        "A_SERVICE_HOST": "it's $(id) `id` ${HOME} \\ \" !! ~ *",
        "B_SERVICE_HOST": "'''",
        "C_SERVICE_HOST": "two\nlines\r\n\n",
        "D_SERVICE_HOST": "".join(map(chr, range(1, 0x250))) + "\u2028\U0001f600",
        "E_SERVICE_HOST": "",
    }
    found = read_as_shell(shell, render("sh", variables))

    assert variables == {name: found.get(name) for name in variables}


@given(st.dictionaries(any_name, text, max_size=4))
def test_json_is_yaml(variables: dict[str, str]) -> None:
    """JSON that is printable is read alike by a YAML reader: there are no surrogate pairs in it."""
    try:
        written = render("json", variables)
    except FormatError:
        return
    assume(not yaml.reader.Reader.NON_PRINTABLE.search(written))
    # YAML 1.1 has "=" and "<<" as keys of a meaning of their own, and folds breaks within quotes.
    assume(not set(variables) & {"=", "<<"})
    assume(not any(character in written for character in "\x85\u2028\u2029"))

    assert variables == yaml.safe_load(written)


@pytest.mark.parametrize(
    ("form", "written"),
    [
        ("docker", "WEB_SERVICE_HOST=192.0.2.10\nEMPTY=\n"),
        ("sh", "export WEB_SERVICE_HOST='192.0.2.10'\nexport EMPTY=''\n"),
        ("json", '{\n  "WEB_SERVICE_HOST": "192.0.2.10",\n  "EMPTY": ""\n}\n'),
    ],
)
def test_what_it_looks_like(form: str, written: str) -> None:
    """Each format keeps the order given, and an empty value stays an empty value."""
    assert written == render(form, {"WEB_SERVICE_HOST": "192.0.2.10", "EMPTY": ""})


@pytest.mark.parametrize("form", sorted(FORMATS))
def test_nothing_to_write(form: str) -> None:
    """No variables are nothing to read: no lines, or an empty object."""
    assert ("{}\n" if form == "json" else "") == render(form, {})


@pytest.mark.parametrize(
    ("form", "name", "value", "reason", "able"),
    [
        ("docker", "A", "1\nLD_PRELOAD=x", "a line break", "sh and json can hold it"),
        ("docker", "A", "1\r", "a line break", "sh and json can hold it"),
        ("docker", "A", "1\0", "a NUL", "json can hold it"),
        ("docker", "A", "1" * 65_534, "65,536 bytes", "sh and json can hold it"),
        ("docker", "#A", "1", "may not", "json can hold it"),
        ("docker", "A B", "1", "may not", "json can hold it"),
        ("docker", "A=B", "1", "may not", "json can hold it"),
        ("docker", "", "1", "may not", "json can hold it"),
        ("docker", "\ufeffA", "1", "may not", "json can hold it"),
        ("sh", "3SCALE_SERVICE_HOST", "1", "begins with no digit", "docker and json can hold it"),
        ("sh", "MY.DB_PORT", "1", "a shell name", "docker and json can hold it"),
        ("sh", "A\n", "1", "a shell name", "json can hold it"),
        ("sh", "\u0391", "1", "a shell name", "docker and json can hold it"),
        ("sh", "UID", "1", "keeps this name", "docker and json can hold it"),
        ("sh", "A", "\0", "a NUL", "json can hold it"),
        ("json", "A", "\ud800", "surrogate", "no format can hold it"),
    ],
)
def test_refusals(form: str, name: str, value: str, reason: str, able: str) -> None:
    """A refusal names the variable, the reason and the formats that can, and never the value."""
    with pytest.raises(FormatError) as refusal:
        render(form, {"FINE": "1", name: value})

    message = str(refusal.value)
    shown = name if re.fullmatch(r"[A-Za-z0-9_.]+", name) else ascii(name)
    assert name == refusal.value.variable
    assert message.startswith(f"the variable {shown} has no {form} form: ")
    assert message.endswith(able)
    assert reason in refusal.value.reason
    assert "LD_PRELOAD" not in message


def test_the_longest_docker_line() -> None:
    """A line of 65,535 bytes is the longest that Docker reads."""
    variables = {"A": "1" * 65_533}

    assert variables == read_as_docker(render("docker", variables))


def test_an_unknown_format() -> None:
    """An unknown format is refused with the list of those there are."""
    with pytest.raises(ValueError, match="there is no format 'toml'; there are docker, sh, json"):
        render("toml", {})


def test_one_string_is_too_long() -> None:
    """The limit of one variable is that of the kernel: one byte more and no program starts."""
    fits = {"LONG_SERVICE_HOST": "1" * (STRING_LIMIT - len("LONG_SERVICE_HOST=") - 1)}
    too_long = {name: value + "1" for name, value in fits.items()}
    subprocess.run([sys.executable, "-c", ""], env=fits, check=True, timeout=30)
    with pytest.raises(OSError, match="Argument list too long"):
        subprocess.run([sys.executable, "-c", ""], env=too_long, check=True, timeout=30)

    assert [] == size_warnings(fits)
    [warning] = size_warnings(too_long)
    assert warning.startswith("LONG_SERVICE_HOST takes 131,073 bytes and ")
    assert "111" not in warning


def test_the_whole_is_too_large() -> None:
    """An environment near 2 MiB is warned about with its figures, a small one is not."""
    large = {f"N{number}_SERVICE_HOST": "192.0.2.10" for number in range(60_000)}

    [warning] = size_warnings(large)
    assert warning.startswith("the 60,000 variables take 2,328,890 bytes and ")
    assert [] == size_warnings({"A": "1"})
