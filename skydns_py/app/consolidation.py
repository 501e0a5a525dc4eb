"""Errors told once per period instead of once per query: the `consolidate` of `errors`.

This module never drops an error without counting it.
"""

import asyncio
import re
from collections.abc import Callable, Sequence

from skydns_py.settings import Consolidation

Tell = Callable[[str, str], None]


class Consolidator:
    """Passes lines on to `tell`, but counts those that match a rule and tells the count."""

    def __init__(self, rules: Sequence[Consolidation], tell: Tell) -> None:
        self._rules = [(re.compile(rule.pattern), rule) for rule in rules]
        self._tell = tell
        self._counts: dict[str, int] = {}

    def __call__(self, level: str, line: str) -> None:
        """Take a line: pass it on, or count it by the first rule whose pattern is found in it."""
        # A pattern is for the error; before it stand the code, the name and the type.
        error = line.removeprefix("plugin/errors: ").partition(": ")[2]
        rule = next((rule for pattern, rule in self._rules if pattern.search(error)), None)
        if level != "error" or rule is None:
            self._tell(level, line)
            return
        count = self._counts.get(rule.pattern, 0)
        self._counts[rule.pattern] = count + 1
        if count:
            return
        if rule.show_first:
            self._tell(rule.level, line)
        asyncio.get_running_loop().call_later(rule.period, self._conclude, rule)

    def _conclude(self, rule: Consolidation) -> None:
        count = self._counts.pop(rule.pattern)
        if count > rule.show_first:
            sentence = (
                f"{count} errors like '{rule.pattern}' occurred in last {_go_text(rule.period)}"
            )
            self._tell(rule.level, f"plugin/errors: {sentence}")


def _go_text(seconds: float) -> str:
    """Return a duration as Go prints one: `500ms`, `30s`, `1m30s`, `1h0m0s`."""
    if seconds < 1:
        return f"{seconds * 1000:g}ms"
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(int(minutes), 60)
    text = f"{rest:g}s"
    if hours or minutes:
        text = f"{minutes}m{text}"
    return f"{hours}h{text}" if hours else text
