"""Durable code: one stretch of a run, from the lease of its task `main` until it ends, is suspended or is lost.

    replay   the history's rows are given to the code in the order in which it got them before. Between two of them it runs until it is blocked, and what it
             asks for must be what the rows hold.
    live     what it asked for beyond the history: functions in place run here, all else is recorded as started. Once nothing runs here and the code is
             blocked, the run is suspended and nothing of it stays in memory.
"""
from __future__ import annotations

import asyncio
import inspect
import random
from collections import Counter, deque
from dataclasses import dataclass, field
from typing import Any, Callable

from .context import Context, ContinueAsNew
from .errors import Error, Fields, Skip, TaskError, describe, error, failure, is_retryable, raised_from
from .journal import FINAL, UNKNOWN, Entry, Journal, executor_of, in_thread, told
from .loop import BlockedLoop
from .payloads import Payloads
from .tasks import Task

LONGEST_SLEEP = 5.0  # what is longer between two tries is a durable timer
RETRY = ":retry#"
LOST = ("OR010", "OR011", "OR012")


class NonDeterminism(Exception):
    """The code asks for something else than what its history holds."""

    def __init__(self, row: Entry, asked: dict[str, Fields], nothing: str = "nothing more") -> None:
        what = ", ".join(told(id, definition) for id, definition in asked.items()) or nothing
        message = f"the code of this run has changed: its history goes on with {told(row.id, row.definition)}, the code asks for {what}"
        self.error = error("validation", "non_deterministic", message, detail={"history": row.id, "asked": list(asked)})


class Forgotten(BaseException):
    """Raised in code that is over for this worker and still asks for something, in a `finally` say."""


@dataclass(eq=False)
class Op:
    """Something that the code has asked for."""

    id: str
    definition: Fields
    input: Any
    future: asyncio.Future[Any]
    function: Callable[..., Any] | None = None  # where it is done in place
    transaction: bool = False
    policy: Fields = field(default_factory=dict)
    tries: int = 0


class Execution:
    def __init__(self, function: Callable[..., Any], task: Task, journal: Journal, payloads: Payloads) -> None:
        self.function, self.task, self.journal, self.payloads = function, task, journal, payloads
        self.loop = BlockedLoop()  # type: ignore[abstract]
        self.gathered: list[frozenset[asyncio.Future[Any]]] = []
        self.queries: dict[str, Callable[[Any], Any]] = {}
        self.updates: dict[str, tuple[Callable[[Any], Any], Callable[[Any], Any] | None]] = {}  # what handles each, and what looks at its input before
        self.conditions: list[tuple[Callable[[], Any], asyncio.Future[None]]] = []
        self._rows: dict[str, Entry] = {}
        self._unissued: dict[str, Entry] = {}
        self._timers: dict[str, list[str]] = {}  # of the history: between tries of a step in place
        self._deliveries: deque[tuple[Entry, bool]] = deque()  # True: not by the history's order
        self._ops: dict[str, Op] = {}  # issued and not delivered
        self._paused: dict[str, Op] = {}  # between two tries, by its timer
        self._counts: Counter[str] = Counter()
        self._held: list[Op] = []
        self._entries: list[Fields] = []  # to be recorded with the next statement
        self._seen: list[str] = []
        self._recording = asyncio.Lock()  # the code gets results in the order of their records
        self._running: dict[Op, asyncio.Task[None]] = {}
        self._patches: dict[str, bool] = {}
        self._news = True  # there may be updates
        self._requests: deque[tuple[str, str, Any]] = deque()
        self._answers: deque[tuple[str, asyncio.Task[Any]]] = deque()
        self._broken: BaseException | None = None
        self._cancelled = self._looks = False  # it looks for a query, and goes no further than its history
        self._kick = asyncio.Event()
        self._main: asyncio.Task[Any] | None = None

    async def run(self, query: Fields | None = None) -> Fields | None:
        """The result of the task, or the answer to a query; None where its lease is over: suspended, parked, lost."""
        self._looks = query is not None
        try:
            try:
                self._load(await self.journal.history())
                self.task.input = await self.payloads.decoded(self.task.input)
                self._main = self.loop.create_task(self.function(Context(self), self.task.input))
                result = await self._drive(self._main)
                if query:
                    say = one_of(self.queries, query["name"], "query")
                    result = {"output": await self._encoded(say(await self.payloads.decoded(query.get("input"))))}
                return result
            except NonDeterminism as differs:
                if self._looks:
                    return {"error": differs.error}
                await self.journal.park(differs.error)
            except ContinueAsNew as on:
                await self.journal.continue_as_new(await self._encoded(on.input))
        except Error as refused:
            if refused.code == "OR020":
                return {"error": error("cancelled", "cancelled", "the run was cancelled")}
            if refused.code not in LOST:
                return failure(refused)
        finally:
            self._broken = Forgotten()
            for running in self._running.values():
                running.cancel()
            self.loop.forget()
        return None

    def cancel(self) -> None:
        """Raises CancelledError in the code; steps in place of its `finally` are still recorded."""
        self._cancelled = True
        if self._main:
            self._main.cancel()
        self._kick.set()

    # Replay.

    def _load(self, rows: list[Entry]) -> None:
        """Deliveries in their order: what each row had seen, then the row itself if it is in place; at last what has ended since, by its end."""
        self._rows = {row.id: row for row in rows}
        self._unissued = {row.id: row for row in rows if "update" not in row.definition}
        for row in rows:
            if RETRY in row.id:
                self._timers.setdefault(row.id.rpartition(RETRY)[0], []).append(row.id)
            self._deliveries.extend((self._rows[id], False) for id in row.definition.get("seen", ()))
            if executor_of(row.definition)[0] == "step" and row.state in FINAL:
                self._deliveries.append((row, False))
        delivered = {row.id for row, _ in self._deliveries}
        since = [row for row in rows if row.state in FINAL and row.id not in delivered]
        self._deliveries.extend((row, True) for row in sorted(since, key=lambda row: (row.ended_at, row.no)))

    @property
    def replaying(self) -> bool:
        return self._looks or bool(self._unissued) or bool(self._deliveries and not self._deliveries[0][1])

    async def _drive(self, main: asyncio.Task[Any]) -> Fields | None:
        while True:
            await asyncio.sleep(0)  # a long replay does not hold up the rest of the worker
            self.loop.run_ready()
            if self._broken:
                raise self._broken
            for op, running in self._running.items():
                if op.future.cancelled():
                    running.cancel()
            await self._answer_updates()
            if main.done() and not self._unissued:
                return None if self._looks else await self._end(main)
            if self._resume():
                continue
            if self._deliveries:
                row, fresh = self._deliveries.popleft()
                if row.id in self._unissued:
                    raise self._differs(row)
                if self._looks and row.state not in FINAL:
                    return None  # it has ended since the question was asked
                await self._deliver(row, fresh)
            elif self._unissued:
                raise self._differs(next(iter(self._unissued.values())))
            elif self._looks:
                return None
            elif self._requests:
                await self._decide(*self._requests.popleft())
            elif self._news and self.updates:
                await self._ask()
            else:
                await self._begin()
                if self._running or self._kick.is_set():
                    await self._kick.wait()
                    self._kick.clear()
                elif await self._suspend():
                    return None

    def _differs(self, row: Entry) -> NonDeterminism:
        nothing = "nothing: it has ended" if self._main and self._main.done() else "nothing more"
        return NonDeterminism(row, {op.id: op.definition for op in self._held}, nothing)

    async def _deliver(self, row: Entry, fresh: bool) -> None:
        if "update" in row.definition:
            return await self._handle(row)
        op = self._ops.pop(row.id, None)
        if fresh and not (op and op.function):
            self._seen.append(row.id)
        if row.id in self._paused:
            self._held.append(self._paused.pop(row.id))
        if op is None or op.future.done():
            return  # a value, or the code has gone on without it
        if row.state == "succeeded":
            op.future.set_result(await self.payloads.decoded(row.output))
        elif row.state == "skipped" or (row.state == "timed_out" and "signal" in op.definition):
            op.future.set_result(None)
        else:
            op.future.set_exception(raised_from(self.payloads.show(row.error) or error("cancelled", row.state, f"{row.id} is {row.state}")))

    # What the code asks for.

    def issue(self, name: str, definition: Fields, input: Any = None, function: Callable[..., Any] | None = None, *, transaction: bool = False,
              policy: Fields | None = None) -> asyncio.Future[Any]:
        op = Op(self._next_id(name), definition, input, self.loop.create_future(), function, transaction, policy or {})
        self._ops[op.id] = op
        known = self._match(op.id, definition)
        # Timers between the tries of a step in place belong to it: the code does not ask for them.
        timers = self._timers.get(op.id, []) if function else []
        for timer in timers:
            self._match(timer, {"sleep": 0})
            op.tries = int(timer.rpartition("#")[2])
        if timers and not known:
            self._paused[timers[-1]] = op
        elif not known or (function and self._rows[op.id].state not in FINAL):  # a failed step may be there to be done again
            self._held.append(op)
        return op.future

    def value(self, name: str, make: Callable[[], Any], **more: Any) -> Any:
        """Something that is known at once and recorded as it was."""
        id = self._next_id(name)
        if self._match(id, more):
            return self._rows[id].output
        if self._unissued:
            self._break(next(iter(self._unissued.values())), id, more)
        value = make()
        self._entry({"id": id} | (more or {"output": value}))
        return value

    def patched(self, id: str) -> bool:
        if id not in self._patches:
            self._patches[id] = (f"patched:{id}#1" in self._rows or not self._unissued) and bool(self.value(f"patched:{id}", lambda: True))
        return self._patches[id]

    def _next_id(self, name: str) -> str:
        if self._broken:
            raise Forgotten
        self._counts[name] += 1
        return f"{name}#{self._counts[name]}"

    def _match(self, id: str, definition: Fields) -> bool:
        row = self._unissued.pop(id, None)
        if row and executor_of(row.definition) != executor_of(definition):
            self._break(row, id, definition)
        return row is not None

    def _break(self, row: Entry, id: str, definition: Fields) -> None:
        self._broken = NonDeterminism(row, {id: definition})
        raise Forgotten

    # Live.

    async def _encoded(self, value: Any) -> Any:
        return await self.payloads.encoded(value, f"runs/{self.task.run_id}")

    def _entry(self, entry: Fields) -> None:
        if self._seen:
            entry["seen"], self._seen = self._seen, []
        self._entries.append(entry)

    async def _flush(self) -> None:
        async with self._recording:
            entries, self._entries, self._news = self._entries, [], True
            if entries:
                await self.journal.record(entries)

    async def _begin(self) -> None:
        """What was held back until the replay was done."""
        held, self._held = [op for op in self._held if not op.future.cancelled()], []
        for op in held:
            if not op.function:
                self._entry({"id": op.id, **op.definition} | ({} if op.input is None else {"input": await self._encoded(op.input)}))
        if self._running or any(op.function for op in held):
            await self._flush()
        self._running |= {op: asyncio.create_task(self._do(op)) for op in held if op.function}

    async def _suspend(self) -> bool:
        waited = {id: op.future for id, op in self._ops.items() if not op.function and not op.future.done() and op.future._callbacks}
        ids = [*waited, *self._paused]
        if not ids and (self._cancelled or not self.updates):
            stuck = Error("55000", "the code waits for something that is not durable", "Nothing that it has asked its context for is still to come.")
            raise Error("OR020", "the run was cancelled") if self._cancelled else stuck
        every = bool(waited) and not self._paused and any(group.issuperset(waited.values()) for group in self.gathered)
        entries, self._entries = self._entries, []
        if await self.journal.suspend({"steps": entries, "all" if every else "any": ids}):
            return True
        self._deliveries.extend((outcome, True) for outcome in await self.journal.outcomes(ids))
        await self._ask()
        if not (self._deliveries or self._requests):
            await self.journal.pause(0.2)  # the run is being cancelled, and what the code waits for is told to end
        return False

    async def _end(self, main: asyncio.Task[Any]) -> Fields:
        self._held = [op for op in self._held if not op.function and not self._cancelled]
        raised = asyncio.CancelledError() if main.cancelled() else main.exception()
        if self._held or isinstance(raised, ContinueAsNew):
            await self._begin()
            await self._flush()
        if isinstance(raised, ContinueAsNew):
            raise raised
        result = {"retry": False} | failure(raised) if raised else {"output": await self._encoded(main.result())}
        return result | ({"steps": self._entries} if self._entries else {})

    # Updates.

    async def _ask(self) -> None:
        self._news = False
        self._requests.extend(request for request in await self.journal.updates() if f"update:{request[0]}" not in self._rows)

    async def _decide(self, id: str, name: str, input: Any) -> None:
        """Whether it is accepted is recorded, so that no replay decides it again."""
        failed: Fields = {}
        try:
            _, validate = one_of(self.updates, name, "update")
            if validate:
                validate(await self.payloads.decoded(input))
        except Exception as refused:
            failed = {"error": self.payloads.hide(describe(refused) | ({} if isinstance(refused, TaskError) else {"class": "validation"}))}
        async with self._recording:
            row = Entry(f"update:{id}", "failed" if failed else "succeeded", {"name": name, "input": input}, definition={"update": id})
            self._rows[row.id] = row
            self._entry({"id": row.id, "update": id} | (failed or {"output": row.output}))
            self._deliveries.append((row, True))

    async def _handle(self, row: Entry) -> None:
        if row.state != "succeeded":
            return
        id, name, input = row.definition["update"], row.output["name"], await self.payloads.decoded(row.output["input"])
        if name not in self.updates:
            raise NonDeterminism(row, {}, f"nothing: it has no update {name}")
        handle, _ = self.updates[name]

        async def branch() -> Any:
            value = handle(input)
            return await value if inspect.isawaitable(value) else value

        self.loop.create_task(branch()).add_done_callback(lambda done: self._answers.append((id, done)))

    async def _answer_updates(self) -> None:
        while self._answers:
            id, branch = self._answers.popleft()
            if self._unissued.pop(f"answer:{id}", None) is None:
                raised = asyncio.CancelledError() if branch.cancelled() else branch.exception()
                result = {"error": self.payloads.hide(describe(raised))} if raised else {"output": await self._encoded(branch.result())}
                self._entry({"id": f"answer:{id}", "answer": id} | result)

    def _resume(self) -> bool:
        """The first of those that wait for a condition that holds by now."""
        self.conditions = [(holds, waiter) for holds, waiter in self.conditions if not waiter.done()]
        for holds, waiter in self.conditions:
            try:
                if not holds():
                    continue
                waiter.set_result(None)
            except Exception as raised:
                waiter.set_exception(raised)
            return True
        return False

    # Steps in place.

    async def _do(self, op: Op) -> None:
        """The function, its tries, and what is short of the pauses between them."""
        pause = 0.0
        try:
            while pause < LONGEST_SLEEP:
                result = await self._try(op, pause)
                failed = result.get("error")
                if not failed or not result.get("retry", is_retryable(failed["class"])) or op.tries >= op.policy.get("retries", 2):
                    return await self._done(op, {"error": self.payloads.hide(failed)} if failed else result)
                op.tries += 1
                pause = pause_of(op.policy, op.tries)
            timer = f"{op.id}{RETRY}{op.tries}"
            self._paused[timer] = op
            self._entry({"id": timer, "sleep": pause})
        except Error as lost:
            self._broken = lost
        finally:
            self._running.pop(op, None)
            self._kick.set()

    async def _try(self, op: Op, pause: float) -> Fields:
        assert op.function
        limit = asyncio.timeout(op.policy.get("timeout_seconds"))
        try:
            await self.journal.pause(pause)
            if op.transaction:
                # Where connections are few, whoever holds one in a transaction must not wait for a lock whose holder waits for a connection.
                async with self._recording if self.journal.pooled else asyncio.Lock(), self.journal.transaction(op.function) as (value, commit):
                    await self._done(op, {"output": await self._encoded(value)}, commit)
                return {}
            async with limit:
                value = op.function() if inspect.iscoroutinefunction(op.function) else await in_thread(op.function)
                value = await value if inspect.isawaitable(value) else value
            return {"output": await self._encoded(value)}
        except Skip:
            return {"output": None}
        except (Exception, asyncio.CancelledError) as raised:
            if isinstance(raised, Error) and raised.code in (*LOST, "OR020", UNKNOWN):
                raise
            late = TaskError("timeout", "timeout", f"step {op.id} did not end within its {op.policy.get('timeout_seconds')} s")
            return failure(late if limit.expired() else raised)

    async def _done(self, op: Op, result: Fields, commit: Callable[[list[Fields]], Any] | None = None) -> None:
        """Nothing in the result: it was recorded with what the function wrote."""
        if result:
            async with asyncio.Lock() if commit and self.journal.pooled else self._recording:
                if commit:
                    # With what was asked for meanwhile: behind a pooler, our other connection may wait for the one that is held here.
                    steps, self._entries, self._seen, self._news = [*self._entries, {"id": op.id, "seen": self._seen} | result], [], [], True
                    try:
                        await commit(steps)
                    except BaseException:
                        self._entries[:0], self._seen[:0] = steps[:-1], steps[-1]["seen"]
                        raise
                else:
                    self._entry({"id": op.id} | result)
                self._deliveries.append((Entry(op.id, "failed" if "error" in result else "succeeded", result.get("output"), result.get("error")), True))


def one_of(known: dict[str, Any], name: str, what: str) -> Any:
    if name not in known:
        raise TaskError("validation", f"unknown_{what}", f'there is no {what} "{name}"; there are: {", ".join(sorted(known)) or "none"}')
    return known[name]


def pause_of(policy: Fields, n: int) -> float:
    """Before try n + 1, by the same rule as the engine's."""
    base = float(policy.get("retry_delay_seconds", 1))
    delay = base if policy.get("retry_backoff", "exponential") == "fixed" else base * 2.0 ** (n - 1)
    return min(delay, float(policy.get("retry_max_delay_seconds", 30))) * (1 + random.random() * float(policy.get("retry_jitter", 0.5)))
