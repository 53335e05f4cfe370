"""A coroutine that can be ended against its will."""
from __future__ import annotations

from typing import Any, Coroutine, Generator


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
