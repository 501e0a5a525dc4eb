"""Variables, snippets and imports of a Corefile put in place, token by token.

`{$NAME}`, `{$NAME:default}` and `{%NAME%}` take the environment's value; a value is one word
whatever it holds, and is not searched again.
`(name) { … }` outside of every block defines a snippet; `import` brings in a snippet, a file, or
all files of a pattern relative to the importing file, with `{args[0]}` or `{args.0}` filled in.
Every token keeps the place where it was written.
"""

import os.path
import re
from collections.abc import Mapping
from typing import Final, NamedTuple

import msgspec

from skydns_py.corefile.files import Files, UnreadableError
from skydns_py.corefile.lexer import Token, tokenize
from skydns_py.settings import Findings

MAX_DEPTH: Final = 50
"""Imports within imports; nobody means more, and the interpreter's own stack is finite."""

MAX_TOKENS: Final = 200_000
"""Tokens in all: ten snippets that import each other twice make a thousand of one."""


def expand(
    text: str,
    path: str,
    *,
    environ: Mapping[str, str],
    files: Files,
    findings: Findings,
) -> list[Token]:
    """Return the tokens of a Corefile with everything it imports in place.

    Raises:
        InvalidSettingsError: a quote or a snippet is not closed, or imports have no end.
    """
    expansion = _Expansion(environ, files, findings)
    return expansion.text(text, path, _Trail((os.path.normpath(path),), ()))


class _Trail(NamedTuple):
    """How one came here: the files and snippets imported, outermost first, and the arguments."""

    names: tuple[str, ...]
    arguments: tuple[str, ...]


class _Snippet(NamedTuple):
    place: str
    body: list[Token]


class _Expansion:
    """What one reading has seen so far: its snippets, and how many tokens it has read."""

    def __init__(self, environ: Mapping[str, str], files: Files, findings: Findings) -> None:
        self._environ = environ
        self._files = files
        self._findings = findings
        self._snippets: dict[str, _Snippet] = {}
        self._tokens_read = 0

    def text(self, text: str, path: str, trail: _Trail) -> list[Token]:
        """Return the expanded tokens of one file's text."""
        return self._expand(tokenize(text, path, self._findings), trail)

    def _expand(self, tokens: list[Token], trail: _Trail) -> list[Token]:
        self._count(tokens, trail)
        made: list[Token] = []
        depth = position = 0
        while position < len(tokens):
            token = tokens[position]
            if _is_import(token):
                line = _line_at(tokens, position)
                filled = [self._fill(word, trail) for word in line]
                made += self._import(filled, trail)
                position += len(line)
            elif depth == 0 and _is_snippet_at(tokens, position):
                body = self._braced(tokens, position + 1)
                self._define(token, body)
                position += len(body) + 3  # its name and its two braces
            else:
                depth += token.opens - token.closes
                made.append(self._fill(token, trail))
                position += 1
        return made

    def _fill(self, token: Token, trail: _Trail) -> Token:
        text = _PLACEHOLDER.sub(lambda found: self._meaning(found, token, trail), token.text)
        if text == token.text:
            return token
        return msgspec.structs.replace(token, text=text, literal=True)

    def _meaning(self, found: re.Match[str], token: Token, trail: _Trail) -> str:
        if found["argument"] is None:
            return self._value(found, token)
        if len(trail.names) == 1:  # the Corefile itself is given no arguments
            return found.group()
        return self._argument(found, token, trail.arguments)

    def _value(self, match: re.Match[str], token: Token) -> str:
        name = match["windows"] or match["name"]
        if name in self._environ:
            return self._environ[name]
        if match["default"] is not None:
            return match["default"]
        # CoreDNS takes an unset variable for empty, without a word.
        self._findings.warn(token.place, f"the environment variable {name} is not set")
        return ""

    def _argument(self, match: re.Match[str], token: Token, arguments: tuple[str, ...]) -> str:
        number = int(match["argument"].strip(".[]"))
        if number < len(arguments):
            return arguments[number]
        self._findings.refuse(
            token.place,
            f"{match.group()} is not given: the import has {len(arguments)} arguments, counted"
            " from 0",
        )
        return ""

    def _import(self, line: list[Token], trail: _Trail) -> list[Token]:
        what, arguments = line[1:2], tuple(token.text for token in line[2:])
        if not what or not what[0].text:
            self._findings.refuse(line[0].place, _NOTHING_NAMED)
            return []
        token = what[0]
        if len(trail.names) > MAX_DEPTH:
            raise self._findings.giving_up(token.place, f"imports go more than {MAX_DEPTH} deep")
        if token.text in self._snippets:
            name = f"({token.text})"
            inner = self._enter(name, token, arguments, trail)
            return self._expand(self._snippets[token.text].body, inner) if inner else []
        made: list[Token] = []
        for path in self._paths(token):
            inner = self._enter(os.path.normpath(path), token, arguments, trail)
            if inner:
                made += self._file(path, token, inner)
        return made

    def _enter(
        self,
        name: str,
        token: Token,
        arguments: tuple[str, ...],
        trail: _Trail,
    ) -> _Trail | None:
        if name not in trail.names:
            return _Trail((*trail.names, name), arguments)
        circle = " → ".join((*trail.names[trail.names.index(name) :], name))
        self._findings.refuse(token.place, f"the import goes in a circle: {circle}")
        return None

    def _paths(self, token: Token) -> list[str]:
        path = os.path.join(os.path.dirname(token.file), token.text)  # noqa: PTH118, PTH120
        if not set("*?[") & set(token.text):
            return [path]
        found = self._files.matches(path)
        if not found:
            self._findings.warn(token.place, f"no file matches the import `{token.text}`")
        return found

    def _file(self, path: str, token: Token, trail: _Trail) -> list[Token]:
        try:
            text = self._files.read(path)
        except UnreadableError as error:
            snippets = ", ".join(self._snippets) or "none"
            self._findings.refuse(
                token.place,
                f"`{token.text}` is no snippet (defined above: {snippets}), and the file {path}"
                f" cannot be read: {error}",
            )
            return []
        return self.text(text, path, trail)

    def _define(self, token: Token, body: list[Token]) -> None:
        name = token.text[1:-1]
        earlier = self._snippets.get(name)
        if earlier and earlier.place != token.place:
            message = f"the snippet `{token.text}` is already defined at {earlier.place}"
            self._findings.refuse(token.place, message)
        self._snippets[name] = _Snippet(token.place, body)

    def _braced(self, tokens: list[Token], opening: int) -> list[Token]:
        depth = 0
        for position in range(opening, len(tokens)):
            depth += tokens[position].opens - tokens[position].closes
            if depth == 0:
                return tokens[opening + 1 : position]
        raise self._findings.giving_up(
            tokens[opening].place, "the snippet opened here is never closed by `}`"
        )

    def _count(self, tokens: list[Token], trail: _Trail) -> None:
        self._tokens_read += 1 + len(tokens)  # an empty file costs something too
        if self._tokens_read > MAX_TOKENS:
            message = f"with its imports the Corefile has more than {MAX_TOKENS} words"
            raise self._findings.giving_up(trail.names[0], message)


def _is_import(token: Token) -> bool:
    return token.first and token.text == "import" and not token.literal


def _is_snippet_at(tokens: list[Token], position: int) -> bool:
    name = tokens[position]
    return (
        name.first
        and re.fullmatch(r"\(.+\)", name.text) is not None
        and position + 1 < len(tokens)
        and tokens[position + 1].opens
    )


def _line_at(tokens: list[Token], start: int) -> list[Token]:
    end = start + 1
    while end < len(tokens) and not (tokens[end].first or tokens[end].opens or tokens[end].closes):
        end += 1
    return tokens[start:end]


_NOTHING_NAMED: Final = (
    "`import` needs a snippet's name, a file or a pattern such as `zones/*.conf`"
)
_PLACEHOLDER: Final = re.compile(
    r"""
      \{% (?P<windows> [^%{}]+ ) %\}
    | \{\$ (?P<name> [^:{}]+ ) (?: : (?P<default> [^{}]* ) )? \}
    | \{args (?P<argument> \.[0-9]{1,4} | \[[0-9]{1,4}\] ) \}
    """,
    re.VERBOSE,
)
