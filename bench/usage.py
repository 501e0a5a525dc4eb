"""What a process and its children have cost the processor, by the kernel's own account.

This module never samples and never guesses: ticks are what /proc/PID/stat says (proc(5)).
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

TICK: Final = 1.0 / os.sysconf("SC_CLK_TCK")
"""Seconds of one tick."""

_PARENT: Final = 1
_TIMES: Final = slice(11, 15)
"""Places behind the name: of the parent's id, and of the ticks in user and kernel mode, its own and
those of children that have ended."""


def cpu_seconds(pid: int) -> float:
    """Return the seconds a process, its threads and all its descendants have run."""
    return TICK * sum(sum(map(int, _fields(each)[_TIMES])) for each in family(pid))


def family(pid: int) -> list[int]:
    """Return a process and its descendants that are alive."""
    parents = dict(_parents())
    found = [pid]
    for each in found:
        found.extend(child for child, parent in parents.items() if parent == each)
    return found


def size_of(pid: int) -> str:
    """Say how many processes and threads a server runs."""
    pids = family(pid)
    threads = sum(len(list(Path(f"/proc/{each}/task").iterdir())) for each in pids)
    return f"{len(pids)} process{'es' * (len(pids) > 1)}, {threads} thread{'s' * (threads > 1)}"


def _parents() -> Iterator[tuple[int, int]]:
    for path in Path("/proc").glob("[0-9]*"):
        fields = _fields(int(path.name))
        if fields:
            yield int(path.name), int(fields[_PARENT])


def _fields(pid: int) -> list[str]:
    """Return the fields behind the name, which may itself hold blanks; none when it is gone."""
    try:
        line = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return []
    return line.rpartition(")")[2].split()
