"""What durable code is given: everything that it does to the world, or asks of it, goes through here."""
from __future__ import annotations

import asyncio
import datetime
import inspect
import random
import uuid
from typing import TYPE_CHECKING, Any, Awaitable, Callable, TypeVar, overload

from .errors import Fields

if TYPE_CHECKING:
    from .durable import Execution

T = TypeVar("T")
Duration = float | datetime.timedelta
POLICY = frozenset(("retries", "retry_delay_seconds", "retry_backoff", "retry_max_delay_seconds", "retry_jitter", "timeout_seconds"))
EXECUTORS = ("handler", "command", "callable", "http")


class ContinueAsNew(BaseException):
    def __init__(self, input: Any) -> None:
        super().__init__("goes on as a new run")
        self.input = input


def seconds_of(duration: Duration) -> float:
    return duration.total_seconds() if isinstance(duration, datetime.timedelta) else float(duration)


class Context:
    def __init__(self, execution: Execution) -> None:
        self._execution = execution
        task = execution.task
        self.run_id, self.input, self.attempt, self.idempotency_key = task.run_id, task.input, task.attempt, task.idempotency_key

    @overload
    def step(self, name: str, what: Callable[..., Awaitable[T] | T], *, transaction: bool = False, **options: Any) -> asyncio.Future[T]: ...

    @overload
    def step(self, name: str, what: Any = None, *, transaction: bool = False, **options: Any) -> asyncio.Future[Any]: ...

    def step(self, name: str, what: Any = None, *, transaction: bool = False, **options: Any) -> asyncio.Future[Any]:
        """Something that is done once. It begins at once; await it when its result is needed.

        step(name, input): the handler of that name, on any worker; or handler=, command=, callable=, http= say what. The options are those of a task.
        step(name, function): in place, tried again by retries, retry_delay_seconds, ..., each try over after timeout_seconds. With transaction=True the
        function gets a psycopg connection, and what it writes there commits with the record of its result: once.
        """
        if callable(what):
            if unknown := set(options) - POLICY:
                raise TypeError(f"step {name} in place has no options {', '.join(sorted(unknown))}")
            return self._execution.issue(name, {}, None, what, transaction=transaction, policy=options)
        if transaction:
            raise TypeError(f"step {name} in a transaction needs a function")
        executor = {} if any(each in options for each in EXECUTORS) else {"handler": name}
        return self._execution.issue(name, executor | options, what)

    def wait(self, duration: Duration) -> asyncio.Future[Any]:
        """A durable timer, of seconds or a timedelta: the process may die meanwhile."""
        return self._execution.issue("wait", {"sleep": seconds_of(duration)})

    def wait_until(self, time: datetime.datetime) -> asyncio.Future[Any]:
        return self._execution.issue("wait", {"until": time.astimezone(datetime.timezone.utc).isoformat()})

    def signal(self, name: str, timeout: Duration | None = None) -> asyncio.Future[Any]:
        """The payload of the next signal of that name; None where none has come in time."""
        limit = {} if timeout is None else {"timeout_seconds": seconds_of(timeout)}
        return self._execution.issue(f"signal:{name}", {"signal": {"name": name}} | limit)

    def approval(self, name: str = "approval", *, roles: list[str] | None = None, form: Any = None, timeout: Duration | None = None) -> asyncio.Future[Any]:
        """What a person decides by orch.approve: {approved, by, comment, form}; raises TaskError of class timeout where nobody does in time."""
        asked = {"roles": roles, "form": form, "timeout_seconds": None if timeout is None else seconds_of(timeout)}
        return self._execution.issue(name, {"approval": {key: value for key, value in asked.items() if value is not None}})

    def child(self, workflow: str, input: Any = None, *, parent_close: str = "cancel", wait: bool = True, **options: Any) -> asyncio.Future[Any]:
        """A run of another workflow, and its output. parent_close says what becomes of it if this run ends first: cancel or abandon."""
        child: Fields = {"id": workflow, "wait": wait, "parent_close": parent_close} | ({} if input is None else {"input": input})
        return self._execution.issue(f"child:{workflow}", {"workflow": child} | options)

    async def gather(self, *awaitables: Awaitable[Any], return_exceptions: bool = False) -> list[Any]:
        """All results, in the order of the calls. Unlike asyncio.gather it waits for all even if one fails, and so the run is woken once."""
        futures = [asyncio.ensure_future(each) for each in awaitables]
        self._execution.gathered.append(group := frozenset(futures))
        try:
            results = await asyncio.gather(*futures, return_exceptions=True)
        finally:
            self._execution.gathered.remove(group)
        failed = next((result for result in results if isinstance(result, BaseException)), None)
        if failed and not return_exceptions:
            raise failed
        return list(results)

    def query(self, name: str, answer: Callable[[Any], Any]) -> None:
        """What orch.query may ask of the run: answer(input) looks at what the code knows, and returns at once. Declared before the first await."""
        if inspect.iscoroutinefunction(answer):
            raise TypeError(f"query {name} is an async function: it could wait, and a query only looks")
        self._execution.queries[name] = answer

    def update(self, name: str, handle: Callable[[Any], Any], validate: Callable[[Any], Any] | None = None) -> None:
        """What orch.update may ask the code to do: handle(input) is a branch of it, with steps and waits, and what it returns is the answer.

        validate(input) may raise, and nothing has happened; it is asked once and not in replays. Declared before the first await.
        """
        if inspect.iscoroutinefunction(validate):
            raise TypeError(f"the validation of update {name} is an async function: it could wait, and it only looks")
        self._execution.updates[name] = (handle, validate)

    def condition(self, holds: Callable[[], Any]) -> asyncio.Future[None]:
        """Until holds() is true: it is asked whenever the code is blocked, after an update has been handled say."""
        self._execution.conditions.append((holds, waiter := self._execution.loop.create_future()))
        return waiter

    def patched(self, id: str) -> bool:
        """Whether this run takes the new way: false in one that passed here before the change was made."""
        return self._execution.patched(id)

    def now(self) -> datetime.datetime:
        return datetime.datetime.fromisoformat(self._execution.value("now", lambda: self._execution.journal.now().isoformat()))

    def random(self) -> float:
        return float(self._execution.value("random", random.random))

    def uuid(self) -> uuid.UUID:
        return uuid.UUID(self._execution.value("uuid", lambda: str(uuid.uuid4())))

    def log(self, line: object) -> None:
        """A line for orch.logs, once: not while the history is replayed."""
        if not self._execution.replaying:
            self._execution.task.log(line)

    def set_tag(self, key: str, value: Any) -> None:
        self._execution.value("tag", lambda: None, tags={key: value})

    def continue_as_new(self, input: Any = None) -> None:
        """Ends this run and goes on as a new one of the same workflow, with an empty history. Signals that were not taken go with it."""
        raise ContinueAsNew(input)
