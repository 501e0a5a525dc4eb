r"""Corefile text cut into tokens, each with its file and line.

A token ends at white space, or, when it begins with a quote, at the closing quote; inside quotes
only `\"` is an escape, and lines may pass.
`#` begins a comment wherever it stands outside quotes, as in CoreDNS.
This module never asks what a token means.

Source: the Corefile's lexical structure as CoreDNS reads it (manual, "Configuration").
"""

import re
from typing import Final

import msgspec

from skydns_py.settings import Findings


class Token(msgspec.Struct, frozen=True):
    """A word or a brace.

    `first` tells that it begins a line, or follows a brace.
    `literal` tells that it came from quotes or a variable: it is no brace and no `import`.
    """

    text: str
    file: str
    line: int
    first: bool = False
    literal: bool = False

    @property
    def place(self) -> str:
        """Where it stands, for a message."""
        return f"{self.file}:{self.line}"

    @property
    def opens(self) -> bool:
        """Whether it is an opening brace."""
        return self.text == "{" and not self.literal

    @property
    def closes(self) -> bool:
        """Whether it is a closing brace."""
        return self.text == "}" and not self.literal


def tokenize(text: str, file: str, findings: Findings) -> list[Token]:
    """Return the tokens of a text; a byte order mark and CRLF line ends are tolerated.

    Raises:
        InvalidSettingsError: a quote is not closed, or a brace sticks to the end of a word.
    """
    tokens: list[Token] = []
    line, first = 1, True
    for match in _PIECE.finditer(text.removeprefix("\ufeff")):
        piece, kind = match.group(), match.lastgroup
        if kind == "word":
            tokens.append(Token(piece, file, line, first))
            first = piece in {"{", "}"}
        elif kind == "quoted":
            inside = _PAIR.sub(_unescape, match["inside"])
            tokens.append(Token(inside, file, line, first, literal=True))
            first = False
        elif kind == "newline":
            first = True
        elif kind in _REFUSED:
            raise findings.giving_up(f"{file}:{line}", _REFUSED[kind].format(piece[:80]))
        line += piece.count("\n")
    return tokens


def _unescape(pair: re.Match[str]) -> str:
    # Any other pair is left as it is, so that `\\"` ends with a backslash and closes.
    return '"' if pair[1] == '"' else pair[0]


_PIECE: Final = re.compile(
    r"""
      (?P<newline> \n )
    | (?P<space> [^\S\n]+ )
    | (?P<comment> \#[^\n]* )
    | (?P<quoted> " (?P<inside> (?: [^"\\] | \\. )* ) " )
    | (?P<unclosed> " )
    | (?P<glued> [^\s\#]+ \{ (?= [^\S\n]* (?: \# | \n | \Z ) ) )
    | (?P<word> [^\s\#]+ )
    """,
    re.VERBOSE | re.DOTALL,
)
_REFUSED: Final = {
    "glued": "`{}` needs a space before its brace",
    "unclosed": "the quote opened here is never closed",
}
_PAIR: Final = re.compile(r"\\(.)", re.DOTALL)
