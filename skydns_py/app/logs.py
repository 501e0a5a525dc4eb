"""The log of the process: lines as CoreDNS writes them, so that what reads them need not change.

`[LEVEL] sentence key=value…` on standard output.
This module never decides what is worth a line.
"""

import sys
from collections.abc import MutableMapping
from typing import Any, TextIO

import structlog

Log = structlog.typing.FilteringBoundLogger


def open_log(stream: TextIO | None = None, *, quiet: bool = False) -> Log:
    """Return the log; `quiet` leaves out what is below a warning."""
    log: Log = structlog.wrap_logger(
        structlog.PrintLogger(stream or sys.stdout),
        processors=[structlog.processors.add_log_level, _render],
        wrapper_class=structlog.make_filtering_bound_logger("warning" if quiet else "info"),
        cache_logger_on_first_use=True,
    )
    return log


def _render(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> str:
    level, sentence = event.pop("level").upper(), event.pop("event")
    rest = "".join(f" {key}={value!r}" for key, value in event.items())
    return f"[{level}] {sentence}{rest}"
