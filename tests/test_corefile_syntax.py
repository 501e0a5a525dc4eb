"""The Corefile's syntax: words, quotes, comments, variables, snippets, imports, braces."""

import pytest

from skydns_py.corefile.files import Files, UnreadableError
from skydns_py.corefile.imports import expand
from skydns_py.corefile.syntax import parse_tree
from skydns_py.settings import Findings, InvalidSettingsError


def read(text, environ=None, files=None):
    """Return the tree as nested lists: [[keys], [name, *arguments, [body…]], …] per block."""
    findings = Findings()
    contents = files or {}

    def read_file(path):
        if path not in contents:
            raise UnreadableError("there is none")
        return contents[path]

    def matching(pattern):
        return sorted(path for path in contents if path.startswith(pattern.rstrip("*")))

    disk = Files(read_file, matching)
    tokens = expand(text, "Corefile", environ=environ or {}, files=disk, findings=findings)
    tree = parse_tree(tokens, findings)
    findings.settle()
    return [
        [[key.text for key in block.keys], *(plain(line) for line in block.lines)] for block in tree
    ]


def plain(line):
    body = [[plain(inner) for inner in line.body]] if line.body else []
    return [line.name, *line.arguments, *body]


def problems(text, environ=None, files=None):
    with pytest.raises(InvalidSettingsError) as caught:
        read(text, environ, files)
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (". {\n errors\n}", [[["."], ["errors"]]]),
        (".\nerrors\nlog a b", [[["."], ["errors"], ["log", "a", "b"]]]),
        (".", [[["."]]]),
        (".\n{\n errors\n}", [[["."], ["errors"]]]),
        ("a b, c,\nd {\n}", [[["a", "b", "c", "d"]]]),
        ("a {\n}\nb {\n}", [[["a"]], [["b"]]]),
        ("a {\n} b {\n}", [[["a"]], [["b"]]]),
        (". { errors }", [[["."], ["errors"]]]),
        (". {\n health {\n  lameduck 5s\n }\n}", [[["."], ["health", [["lameduck", "5s"]]]]]),
        (
            ". {\n health { lameduck 5s }\n log\n}",
            [[["."], ["health", [["lameduck", "5s"]]], ["log"]]],
        ),
        ("\ufeff.\r\nerrors\r\n", [[["."], ["errors"]]]),
        (". # not a key\n#errors\nlog#here too", [[["."], ["log"]]]),
        ('.\nlog "a # b { }" c', [[["."], ["log", "a # b { }", "c"]]]),
        ('.\nlog "two\nlines" same\nerrors', [[["."], ["log", "two\nlines", "same"], ["errors"]]]),
        ((r"." "\n" r'log "a \"b\" \d \\"'), [[["."], ["log", r'a "b" \d \\']]]),
        ('.\nlog ""', [[["."], ["log", ""]]]),
        ('.\nlog "{" "}"', [[["."], ["log", "{", "}"]]]),
        ('.\nlog a"b c"', [[["."], ["log", 'a"b', 'c"']]]),
    ],
)
def test_text_is_grouped_into_blocks_and_lines(text, expected):
    """Keys, directives and options come out as they are nested in the text."""
    assert expected == read(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (".:{$PORT}", ".:5353"),
        (".:{%PORT%}", ".:5353"),
        (".:{$PORT:53}", ".:5353"),
        (".:{$OTHER:53}", ".:53"),
        (".:{$OTHER:}", ".:"),
        (".:{$OTHER}", ".:"),
        ("{$PORT}{%PORT%}", "53535353"),
        ("{$TWO}", "a b"),
        ("{$BRACE}", "{"),
        ("{$NESTED}", "{$PORT}"),
        ("{$}", "{$}"),
        ("{$PORT", "{$PORT"),
    ],
)
def test_variables_are_filled_in_as_one_word(text, expected):
    """A variable's value is one word, whatever it holds, and is not searched again."""
    environ = {"PORT": "5353", "TWO": "a b", "BRACE": "{", "NESTED": "{$PORT}"}

    assert [[[expected]]] == read(text, environ)


def test_an_unset_variable_is_empty_but_warned_about():
    """A variable that is not set and has no default stands for nothing, with a warning."""
    findings = Findings()

    expand(".:{$PORT}", "Corefile", environ={}, files=Files(str, list), findings=findings)

    assert ["Corefile:1: the environment variable PORT is not set"] == [
        str(warning) for warning in findings.warnings
    ]


@pytest.mark.parametrize(
    ("text", "files", "expected"),
    [
        ("(s) {\n errors\n}\n. {\n import s\n}", {}, [[["."], ["errors"]]]),
        ("(s) { errors }\n. {\n import s\n import s\n}", {}, [[["."], ["errors"], ["errors"]]]),
        ("(s) {\n log {args[0]} {args.1}\n}\n.\nimport s a b", {}, [[["."], ["log", "a", "b"]]]),
        (
            "(in) {\n log {args[0]}\n}\n(out) {\n import in x{args[0]}\n}\n.\nimport out y",
            {},
            [[["."], ["log", "xy"]]],
        ),
        ("(s) {\n log {$A}\n}\n.\nimport s b", {}, [[["."], ["log", "{args[0]}"]]]),
        (".\nimport f\nlog", {"f": "errors"}, [[["."], ["errors"], ["log"]]]),
        (".\nimport d/f", {"d/f": "import g", "d/g": "errors"}, [[["."], ["errors"]]]),
        ("import d/*", {"d/a": "a {\n}", "d/b": "b {\n}"}, [[["a"]], [["b"]]]),
        (". {\n import d/*\n}", {}, [[["."]]]),
        (
            ". {\n health {\n  import f\n }\n}",
            {"f": "lameduck 5s"},
            [[["."], ["health", [["lameduck", "5s"]]]]],
        ),
        ("import f\n. {\n import s\n}", {"f": "(s) {\n errors\n}"}, [[["."], ["errors"]]]),
        (".\nlog import", {}, [[["."], ["log", "import"]]]),
        (".\nimport f /x", {"f": "log {args[0]}"}, [[["."], ["log", "/x"]]]),
        (".\nimport f\nimport f", {"f": "log"}, [[["."], ["log"], ["log"]]]),
    ],
)
def test_imports_stand_where_they_are_named(text, files, expected):
    """Snippets, files and patterns take the place of the line that imports them."""
    assert expected == read(text, {"A": "{args[0]}"}, files)


@pytest.mark.parametrize(
    ("text", "files", "expected"),
    [
        (". {", {}, "Corefile:1: the block opened here is never closed by `}`"),
        (". {\n health {\n}", {}, "Corefile:1: the block opened here is never closed by `}`"),
        (". {\n}\n}", {}, "Corefile:3: this `}` closes nothing: no block is open here"),
        (".\nerrors\n}", {}, "Corefile:3: this `}` closes nothing: no block is open here"),
        (
            ". {\n health\n {\n }\n}",
            {},
            "Corefile:3: `{` must end the line it belongs to, not begin one",
        ),
        ("{\n errors\n}", {}, "Corefile:1: a server block needs a key, such as `.:53`"),
        ("a, {\n}", {}, "Corefile:1: another key is to follow the comma, none does"),
        ("a,", {}, "Corefile:1: another key is to follow the comma, none does"),
        ('.\nlog "a\nb', {}, "Corefile:2: the quote opened here is never closed"),
        ("(s) {\n errors", {}, "Corefile:1: the snippet opened here is never closed by `}`"),
        (
            "(s) {\n}\n(s) {\n}\n.",
            {},
            "Corefile:3: the snippet `(s)` is already defined at Corefile:1",
        ),
        (
            ".\nimport",
            {},
            (
                "Corefile:2: `import` needs a snippet's name, a file or a pattern such as"
                " `zones/*.conf`"
            ),
        ),
        (
            "(s) {\n}\n.\nimport d/f",
            {},
            (
                "Corefile:4: `d/f` is no snippet (defined above: s), and the file d/f cannot be"
                " read: there is none"
            ),
        ),
        (
            ".\nimport a",
            {"a": "errors\nimport b", "b": "log\n\nimport a"},
            "b:3: the import goes in a circle: a → b → a",
        ),
        (
            ".\nimport ./Corefile",
            {},
            "Corefile:2: the import goes in a circle: Corefile → Corefile",
        ),
        (
            "(s) {\n import s\n}\n.\nimport s",
            {},
            "Corefile:2: the import goes in a circle: (s) → (s)",
        ),
        (
            "(s) {\n log {args[1]}\n}\n.\nimport s a",
            {},
            "Corefile:2: {args[1]} is not given: the import has 1 arguments, counted from 0",
        ),
        (".\nimport f", {"f": "health {\n"}, "f:1: the block opened here is never closed by `}`"),
        (".\nimport f", {"f": '\nlog "'}, "f:2: the quote opened here is never closed"),
        (".:53{\n}", {}, "Corefile:1: `.:53{` needs a space before its brace"),
        (". {\n health{ # x\n }\n}", {}, "Corefile:2: `health{` needs a space before its brace"),
        ("a {\n" * 12, {}, "Corefile:11: blocks are nested more than 10 deep"),
    ],
)
def test_syntax_errors_name_the_place_and_the_remedy(text, files, expected):
    """What cannot be grouped is told with the file and line of the token, through imports."""
    assert expected == problems(text, files=files)


def test_snippets_that_multiply_are_stopped():
    """Snippets that double each other thirty times over end in an error, even when empty."""
    doubling = "".join(
        f"(s{number}) {{\n import s{number + 1}\n import s{number + 1}\n}}\n"
        for number in range(30)
    )
    expected = "Corefile: with its imports the Corefile has more than 200000 words"

    assert expected == problems(doubling + "(s30) {\n}\n.\nimport s0\n")


def test_imports_without_end_are_stopped():
    """Files that import ever new files end in an error."""
    findings = Findings()
    files = Files(lambda path: f"import {path}x", list)

    with pytest.raises(InvalidSettingsError, match=r"^(x{50}):1: imports go more than 50 deep$"):
        expand("import x", "Corefile", environ={}, files=files, findings=findings)
