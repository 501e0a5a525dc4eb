"""Tokens of a Corefile grouped into server blocks and lines, with nothing understood yet.

A server block is its keys, then lines in braces; a file of one server block needs no braces.
A line is a word, its arguments and perhaps lines in braces of its own.
This module never knows a directive.
"""

from typing import Final

import msgspec

from skydns_py.corefile.lexer import Token
from skydns_py.settings import Findings, InvalidSettingsError

MAX_NESTING: Final = 10
"""Blocks within blocks; CoreDNS has directives in server blocks, and options in those: two."""


class Key(msgspec.Struct, frozen=True):
    """One key of a server block, without its comma."""

    text: str
    place: str


class Line(msgspec.Struct, frozen=True):
    """A directive or an option: `body` holds the lines in its braces."""

    name: str
    arguments: tuple[str, ...]
    body: tuple["Line", ...]
    place: str


class ServerBlock(msgspec.Struct, frozen=True):
    """Keys and the directives under them."""

    keys: tuple[Key, ...]
    lines: tuple[Line, ...]
    place: str


def parse_tree(tokens: list[Token], findings: Findings) -> list[ServerBlock]:
    """Group tokens into server blocks.

    Raises:
        InvalidSettingsError: braces do not match; where the rest belongs is then a guess.
    """
    return _Grouping(tokens, findings).server_blocks()


class _Grouping:
    """A place in the tokens, moving on."""

    def __init__(self, tokens: list[Token], findings: Findings) -> None:
        self._tokens = tokens
        self._position = 0
        self._findings = findings

    def server_blocks(self) -> list[ServerBlock]:
        found = []
        while token := self._peek():
            keys = self._keys()
            opening = self._peek()
            lines = self._body(opening, 1) if opening and opening.opens else self._rest()
            if keys:
                found.append(ServerBlock(keys, lines, token.place))
            else:
                self._findings.refuse(token.place, "a server block needs a key, such as `.:53`")
        return found

    def _keys(self) -> tuple[Key, ...]:
        keys: list[Key] = []
        last, goes_on = self._peek(), True
        while (token := self._peek()) and not token.opens:
            if token.closes:
                raise self._stray(token)
            if token.first and not goes_on:
                break
            last, goes_on = token, token.text.endswith(",")
            if text := token.text.removesuffix(","):
                keys.append(Key(text, token.place))
            self._position += 1
        if goes_on and keys and last:
            self._findings.refuse(last.place, "another key is to follow the comma, none does")
        return tuple(keys)

    def _rest(self) -> tuple[Line, ...]:
        lines: list[Line] = []
        while token := self._peek():
            if token.closes:
                raise self._stray(token)
            lines.append(self._line(1))
        return tuple(lines)

    def _body(self, opening: Token, depth: int) -> tuple[Line, ...]:
        if depth > MAX_NESTING:
            raise self._findings.giving_up(
                opening.place, f"blocks are nested more than {MAX_NESTING} deep"
            )
        self._position += 1
        lines: list[Line] = []
        while token := self._peek():
            if token.closes:
                self._position += 1
                return tuple(lines)
            lines.append(self._line(depth))
        raise self._findings.giving_up(
            opening.place, "the block opened here is never closed by `}`"
        )

    def _line(self, depth: int) -> Line:
        name = self._tokens[self._position]
        if name.opens:
            message = "`{` must end the line it belongs to, not begin one"
            raise self._findings.giving_up(name.place, message)
        self._position += 1
        arguments = []
        while (token := self._peek()) and not (token.first or token.opens or token.closes):
            arguments.append(token.text)
            self._position += 1
        body: tuple[Line, ...] = ()
        if token and token.opens and not token.first:
            body = self._body(token, depth + 1)
        return Line(name.text, tuple(arguments), body, name.place)

    def _peek(self) -> Token | None:
        return self._tokens[self._position] if self._position < len(self._tokens) else None

    def _stray(self, token: Token) -> InvalidSettingsError:
        message = "this `}` closes nothing: no block is open here"
        return self._findings.giving_up(token.place, message)
