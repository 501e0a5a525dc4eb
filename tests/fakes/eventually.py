"""Waiting in tests: for a condition, never for a length of time.

Nothing here is measured; the deadline only turns a hanging test into a failing one.
"""

import asyncio
from collections.abc import Callable
from typing import Any


async def eventually(condition: Callable[[], Any], within: float = 10.0) -> Any:
    """Return the condition's first true value; fail when there is none after `within` seconds."""
    async with asyncio.timeout(within):
        while not (value := condition()):
            await asyncio.sleep(0.005)
        return value
