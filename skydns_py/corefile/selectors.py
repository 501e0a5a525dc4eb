"""The syntax of a label selector, checked before the API server has to refuse it.

This module never matches labels.

Source: Kubernetes documentation, "Labels and Selectors".
"""

import re
from typing import Final

from skydns_py.settings.values import RefusedError


def check_selector(text: str) -> None:
    """Check `app=web,tier in (front, back),!draft` and the like.

    Raises:
        RefusedError: the text is no selector; the message says from where on.
    """
    position = 0
    while True:
        match = _REQUIREMENT.match(text, position)
        if not match:
            raise RefusedError(
                f"`{text[:80]}` is no label selector from `{text[position:][:40]}` on; write for"
                " example `app=web,tier in (front, back)`",
            )
        if match.end() == len(text):
            return
        position = match.end()


# A name has 1 to 63 characters, a prefix is a DNS name of at most 253, a value may be empty.
_WORD: Final = r"[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"
_LABEL: Final = r"[a-z0-9](?:[-a-z0-9]*[a-z0-9])?"
_KEY: Final = rf"(?:(?=[^/]{{1,253}}/){_LABEL}(?:\.{_LABEL})*/)?{_WORD}"
_VALUE: Final = rf"(?:{_WORD})?"
_REQUIREMENT: Final = re.compile(
    rf"""
    \s* (?: ! \s* {_KEY}
          | {_KEY} \s* (?: == | != | = ) \s* {_VALUE}
          | {_KEY} \s+ (?: in | notin ) \s*
            \( \s* (?= [^\s)] ) {_VALUE} \s* (?: , \s* {_VALUE} \s* )* \)
          | {_KEY}
        )
    \s* (?: \Z | , (?= \s* \S ) )
    """,
    re.VERBOSE,
)
