"""Ways to run what may not end: a coroutine that can be left, and a thread that nobody waits for."""
from __future__ import annotations

import asyncio
import threading
from typing import Any, Callable, Coroutine, Generator


class Guard:
    """Passes everything through to the coroutine and back, and once `dead` is set, never resumes it again, whatever it did with its cancellation."""

    def __init__(self, coroutine: Coroutine[Any, Any, Any]) -> None:
        self._coroutine = coroutine
        self.dead = False

    def __await__(self) -> Generator[Any, Any, Any]:
        value: Any = None
        raised: BaseException | None = None
        while True:
            try:
                yielded = self._coroutine.throw(raised) if raised else self._coroutine.send(value)
            except StopIteration as end:
                return end.value
            value, raised = None, None
            try:
                value = yield yielded
            except BaseException as thrown:
                raised = thrown
            if self.dead:
                raise raised or GeneratorExit


def in_thread(function: Callable[..., Any], *arguments: Any) -> asyncio.Future[Any]:
    """As asyncio.to_thread, in a thread of its own: no number limits them, and one that does not end holds up nothing, the end of the program included."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[Any] = loop.create_future()

    def end(value: Any, raised: BaseException | None) -> None:
        if not future.done():
            future.set_exception(raised) if raised else future.set_result(value)

    def run() -> None:
        value: Any = None
        raised: BaseException | None = None
        try:
            value = function(*arguments)
        except StopIteration as stop:  # which no future takes
            raised = RuntimeError(repr(stop))
        except BaseException as error:
            raised = error
        try:
            loop.call_soon_threadsafe(end, value, raised)
        except RuntimeError:
            pass  # the loop has ended before

    threading.Thread(target=run, daemon=True).start()
    return future
