"""The time that a request has, whatever it waits for."""

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any, TypeVar

from starlette.requests import Request

from captioner.serving.limits import RefusedError

T = TypeVar("T")
GONE = 499
"""Status for the log alone: who asked has gone away."""


async def within(seconds: float, status: int, what: str, work: Coroutine[Any, Any, T]) -> T:
    """What `work` gives, in time.

    Raises:
        RefusedError: with this status, if it takes longer.
    """
    try:
        return await asyncio.wait_for(work, seconds)
    except TimeoutError:
        raise RefusedError(status, f"{what} took more than {seconds:g} seconds", 5) from None


async def unless_gone(request: Request, work: Coroutine[Any, Any, T]) -> T:
    """What `work` gives, unless who asked goes away meanwhile; then it is given up.

    Args:
        request: Its body has been read.
        work: What is done for it.
    """
    working = asyncio.ensure_future(work)
    watching = asyncio.ensure_future(_gone(request))
    try:
        await asyncio.wait([working, watching], return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            return working.result()
        raise RefusedError(GONE, "the request was given up")
    finally:
        for task in (working, watching):
            task.cancel()
            with suppress(asyncio.CancelledError, Exception):
                await task


async def _gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
