"""An event loop that knows when its code is blocked: it runs what is ready, in order, and returns when nothing is.

So asyncio.gather, create_task, Event, Queue and TaskGroup work in durable code and always take the same turns. What looks at a clock or a socket is refused.
"""
from __future__ import annotations

import asyncio
import contextvars
from collections import deque
from typing import Any, Callable, Coroutine

class BlockedLoop(asyncio.AbstractEventLoop):
    def __init__(self) -> None:
        self._ready: deque[asyncio.Handle] = deque()
        self._tasks: list[asyncio.Task[Any]] = []

    def run_ready(self) -> None:
        """Until the code is blocked. The loop that this is called in stands aside meanwhile."""
        outer, running = asyncio.get_running_loop(), asyncio.current_task()
        assert running
        asyncio.tasks._leave_task(outer, running)
        asyncio._set_running_loop(self)
        try:
            while self._ready:
                handle = self._ready.popleft()
                if not handle.cancelled():
                    handle._run()
        finally:
            asyncio._set_running_loop(outer)
            asyncio.tasks._enter_task(outer, running)

    def forget(self) -> None:
        """Ends what is still suspended; GeneratorExit is raised where it waits."""
        for task in self._tasks:
            if not task.done():
                task._log_destroy_pending = False  # type: ignore[attr-defined]
                try:
                    task.get_coro().close()  # type: ignore[union-attr]
                except BaseException:
                    pass  # of code that was ended, nothing counts any more
        self._tasks.clear()
        self._ready.clear()

    def call_soon(self, callback: Callable[..., Any], *args: Any, context: contextvars.Context | None = None) -> asyncio.Handle:  # type: ignore[override]
        handle = asyncio.Handle(callback, args, self, context)
        self._ready.append(handle)
        return handle

    def create_future(self) -> asyncio.Future[Any]:
        return asyncio.Future(loop=self)

    def create_task(self, coro: Coroutine[Any, Any, Any], *, name: str | None = None,  # type: ignore[override]
                    context: contextvars.Context | None = None) -> asyncio.Task[Any]:
        self._tasks = [task for task in self._tasks if not task.done()] if len(self._tasks) > 1000 else self._tasks
        task = asyncio.Task(coro, loop=self, name=name, context=context)  # type: ignore[call-arg]
        self._tasks.append(task)
        return task

    def get_debug(self) -> bool:
        return False

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """An error that nobody looked at: of a step that was not awaited, say."""

    def _refused(self, *_: Any, **__: Any) -> Any:
        raise RuntimeError("durable code cannot do this by itself: wait by ctx.wait(), do what looks at the world in ctx.step(name, function)")

    call_later = call_at = time = call_soon_threadsafe = run_in_executor = _refused  # type: ignore[assignment]
