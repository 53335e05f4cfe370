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
from typing import Any, Callable

from .context import Context, ContinueAsNew
from .errors import Error, Fields, Skip, TaskError, describe, error, failure, is_retryable, raised_from
from .journal import FINAL, Entry, Interrupted, Journal, executor_of, in_thread
from .loop import BlockedLoop
from .payloads import Payloads
from .tasks import Task

LONGEST_SLEEP = 5.0  # what is longer between two tries is a durable timer
RETRY = ":retry#"
BREATHER = 100  # deliveries between two looks at the rest of the worker
LOST = ("OR010", "OR011", "OR012")


class NonDeterminism(BaseException):
    """The code asks for something else than what its history holds."""

    def __init__(self, message: str, **detail: Any) -> None:
        super().__init__(message)
        self.detail = detail


class Forgotten(BaseException):
    """Raised in code that is over for this worker and still asks for something, in a `finally` say."""


class Op:
    """Something that the code has asked for."""

    def __init__(self, id: str, definition: Fields, input: Any, future: asyncio.Future[Any]) -> None:
        self.id, self.definition, self.input, self.future = id, definition, input, future
        self.function: Callable[..., Any] | None = None
        self.transaction = False
        self.policy: Fields = {}
        self.tries = 0
        self.result: Fields = {}
        self.recorded = False
        self.resumes: Op | None = None  # a timer between two tries
        self.delay: float | None = None

    @property
    def in_place(self) -> bool:
        return self.function is not None

    def __str__(self) -> str:
        return told(self.id, self.definition)


def told(id: str, definition: Fields) -> str:
    executor, name = executor_of(definition)
    return f'"{id}" ({"in place" if executor == "step" else " ".join(filter(None, (executor, name)))})'


class Execution:
    def __init__(self, function: Callable[..., Any], task: Task, journal: Journal, payloads: Payloads) -> None:
        self.function, self.task, self.journal, self.payloads = function, task, journal, payloads
        self.suspended = False
        self.loop = BlockedLoop()  # type: ignore[abstract]
        self._rows: dict[str, Entry] = {}
        self._unissued: dict[str, Entry] = {}
        self._timers: dict[str, list[tuple[str, int]]] = {}  # between tries of steps in place, and how many tries were before
        self._deliveries: deque[tuple[Entry, bool]] = deque()
        self._ops: dict[str, Op] = {}  # issued and not delivered
        self._counts: Counter[str] = Counter()
        self._held: list[Op] = []
        self._entries: list[Fields] = []  # to be recorded with the next statement
        self._seen: list[str] = []
        self._running: dict[asyncio.Task[None], Op] = {}
        self._ended: list[Op] = []  # in the order of their ends
        self._lock = asyncio.Lock()
        self._patches: dict[str, bool] = {}
        self.gathered: list[frozenset[asyncio.Future[Any]]] = []
        self._broken: NonDeterminism | None = None
        self._closed = self._cancelled = False
        self._kick = asyncio.Event()
        self._main: asyncio.Task[Any] | None = None

    async def run(self) -> Fields | None:
        """The result of the task, or None where there is none yet or any more."""
        try:
            self._load(await self.journal.history())
            self.task.input = await self.payloads.decoded(self.task.input)
            self._main = self.loop.create_task(self.function(Context(self), self.task.input))
            return await self._drive()
        except NonDeterminism as differs:
            await self._leave(self.journal.park(error("validation", "non_deterministic", str(differs), detail=differs.detail)))
        except ContinueAsNew as on:
            await self._leave(self.journal.continue_as_new(await self._encoded(on.input)))
        except Interrupted:
            await self._leave(self.journal.release())
        except Error as refused:
            if refused.code == "OR020":
                return {"error": error("cancelled", "cancelled", "the run was cancelled")}
            if refused.code not in LOST:
                return failure(refused)
        finally:
            self._close()
        self.suspended = True
        return None

    def cancel(self) -> None:
        """Raises CancelledError in the code; steps in place of its `finally` are still recorded."""
        self._cancelled = True
        if self._main:
            self._main.cancel()
        self._kick.set()

    async def _leave(self, call: Any) -> None:
        try:
            await call
        except Error as refused:
            if refused.code not in (*LOST, "OR020"):
                raise

    def _close(self) -> None:
        self._closed = True
        for running in self._running:
            running.cancel()
        self.loop.forget()

    # Replay.

    def _load(self, rows: list[Entry]) -> None:
        """Deliveries in their order: what each row had seen, then the row itself if it is in place; at last what has ended since, by its end."""
        self._rows = {row.id: row for row in rows}
        self._unissued = dict(self._rows)
        seen: set[str] = set()
        for row in rows:
            if RETRY in row.id:
                of, _, number = row.id.rpartition(RETRY)
                self._timers.setdefault(of, []).append((row.id, int(number)))
            for id in (row.definition or {}).get("seen", ()):
                seen.add(id)
                self._deliveries.append((self._rows[id], True))
            if row.in_place and row.state in FINAL:
                self._deliveries.append((row, True))
        late = [row for row in rows if not row.in_place and row.state in FINAL and row.id not in seen]
        self._deliveries.extend((row, False) for row in sorted(late, key=lambda row: (row.ended_at, row.no)))

    @property
    def replaying(self) -> bool:
        return bool(self._unissued or self._deliveries)

    async def _drive(self) -> Fields | None:
        assert self._main
        delivered = 0
        while True:
            self.loop.run_ready()
            if self._broken:
                raise self._broken
            for running, op in self._running.items():
                if op.future.cancelled():
                    running.cancel()
            if self._main.done():
                return await self._end()
            delivered += 1
            if delivered % BREATHER == 0:
                await asyncio.sleep(0)
            if self._deliveries:
                row, recorded = self._deliveries.popleft()
                if row.id in self._unissued:
                    raise self._differs(row)
                await self._deliver(row, recorded)
                continue
            if self._unissued:
                raise self._differs(next(iter(self._unissued.values())))
            await self._begin()
            if self._running or self._ended:
                await self._wait_in_place()
            elif not self._held and not self.loop._ready:
                if await self._suspend():
                    self.suspended = True
                    return None

    def _differs(self, row: Entry) -> NonDeterminism:
        asked = ", ".join(map(str, self._held)) or ("nothing: it has ended" if self._main and self._main.done() else "nothing more")
        return NonDeterminism(f"the code of this run has changed: its history goes on with {told(row.id, row.definition or {})}, the code asks for {asked}",
                              history=row.id, asked=[op.id for op in self._held])

    async def _deliver(self, row: Entry, recorded: bool) -> None:
        op = self._ops.pop(row.id, None)
        if not recorded:
            self._seen.append(row.id)
        if op is None:
            return  # a value, or a timer between tries that are over
        if op.resumes:
            self._held.append(op.resumes)
            return
        if op.future.done():
            return
        signal = "signal" in op.definition
        if row.state == "succeeded":
            op.future.set_result(await self.payloads.decoded(row.output))
        elif signal and row.state == "timed_out":
            op.future.set_result(None)
        elif row.state == "skipped":
            op.future.set_result(None)
        else:
            op.future.set_exception(raised_from(self.payloads.show(row.error) or error("cancelled", row.state, f"{row.id} is {row.state}")))

    # What the code asks for.

    def next_id(self, name: str) -> str:
        self._counts[name] += 1
        return f"{name}#{self._counts[name]}"

    def issue(self, name: str, definition: Fields, input: Any = None, function: Callable[..., Any] | None = None, *, transaction: bool = False,
              policy: Fields | None = None) -> asyncio.Future[Any]:
        self._alive()
        op = Op(self.next_id(name), definition, input, self.loop.create_future())
        op.function, op.transaction, op.policy = function and self.journal.mocked(name, function), transaction, policy or {}
        self._ops[op.id] = op
        if self._match(op.id, definition):
            if self._rows[op.id].state not in FINAL and op.in_place:
                self._held.append(op)  # a failed step that is to be done again
            else:
                self._retries(op)
        elif not self._retries(op):
            self._held.append(op)
        return op.future

    def value(self, name: str, make: Callable[[], Any], **more: Any) -> Any:
        """Something that is known at once and recorded as it was."""
        self._alive()
        id = self.next_id(name)
        if self._match(id, more):
            return self._rows[id].output
        if self._unissued:
            self._break(self._differs_by(id, more))
        value = make()
        self._entry({"id": id, **({} if more else {"output": value}), **more})
        return value

    def patched(self, id: str) -> bool:
        self._alive()
        if id not in self._patches:
            name = f"patched:{id}"
            if f"{name}#1" not in self._rows and self._unissued:
                self._patches[id] = False
            else:
                self._patches[id] = bool(self.value(name, lambda: True))
        return self._patches[id]

    def _alive(self) -> None:
        if self._closed:
            raise Forgotten
        if self._broken:
            raise self._broken

    def _break(self, differs: NonDeterminism) -> None:
        self._broken = differs
        raise differs

    def _differs_by(self, id: str, definition: Fields) -> NonDeterminism:
        row = next(iter(self._unissued.values()))
        return NonDeterminism(f"the code of this run has changed: its history goes on with {told(row.id, row.definition or {})}, the code asks for "
                              f"{told(id, definition)}", history=row.id, asked=[id])

    def _match(self, id: str, definition: Fields) -> bool:
        row = self._unissued.pop(id, None)
        if row is None:
            return False
        if executor_of(row.definition or {}) != executor_of(definition):
            self._break(NonDeterminism(f"the code of this run has changed: its history holds {told(id, row.definition or {})}, the code asks for "
                                       f"{told(id, definition)}", history=id, asked=[id]))
        return True

    def _retries(self, op: Op) -> bool:
        """Timers between the tries of a step in place belong to it: the code does not ask for them. True: it waits for one, or did."""
        timers = self._timers.get(op.id, []) if op.in_place else []
        for id, op.tries in timers:
            self._match(id, {"sleep": 0})
            self._ops[id] = Op(id, {"sleep": 0}, None, self.loop.create_future())
        if timers and op.id not in self._rows:
            self._ops[timers[-1][0]].resumes = op
        return bool(timers)

    # Live.

    def _entry(self, entry: Fields) -> None:
        if self._seen:
            entry["seen"], self._seen = self._seen, []
        self._entries.append(entry)

    async def _encoded(self, value: Any) -> Any:
        return await self.payloads.encoded(value, f"runs/{self.task.run_id}")

    async def _flush(self) -> None:
        async with self._lock:
            if self._entries:
                entries, self._entries = self._entries, []
                await self.journal.record(entries)

    async def _begin(self, *, in_place: bool = True) -> None:
        """What was held back until the replay was done."""
        held, self._held = self._held, []
        for op in held:
            if not op.in_place and not op.future.cancelled():
                self._entry({"id": op.id, **op.definition} | ({} if op.input is None else {"input": await self._encoded(op.input)}))
        if not in_place:
            return
        starting = [op for op in held if op.in_place and not op.future.cancelled()]
        if starting:
            await self._flush()
        for op in starting:
            op.delay = None
            self._running[asyncio.create_task(self._do(op))] = op

    async def _do(self, op: Op) -> None:
        """The function, its tries with short delays between, and for a step in a transaction its record."""
        while True:
            try:
                if op.transaction:
                    op.result = {"output": await self._in_transaction(op)}
                    op.recorded = True
                else:
                    op.result = {"output": await self._encoded(await self._call(op))}
                break
            except (Interrupted, Error) as lost:
                if isinstance(lost, Interrupted) or lost.code in (*LOST, "OR020"):
                    raise
                op.result = failure(lost)
            except (Exception, asyncio.CancelledError) as raised:
                if isinstance(raised, asyncio.CancelledError):
                    op.result = {"error": describe(raised)}
                    break
                op.result = {"output": None} if isinstance(raised, Skip) else failure(raised)
            if "output" in op.result:
                break
            failed = op.result["error"]
            if not op.result.pop("retry", is_retryable(failed["class"])) or op.tries >= op.policy.get("retries", 2):
                op.result = {"error": self.payloads.hide(failed)}
                break
            op.tries += 1
            delay = pause_of(op.policy, op.tries)
            if delay >= LONGEST_SLEEP:
                op.delay = delay
                break
            await self.journal.pause(delay)
        self._ended.append(op)

    async def _call(self, op: Op) -> Any:
        assert op.function
        seconds = op.policy.get("timeout_seconds")
        limit = asyncio.timeout(seconds)
        try:
            async with limit:
                value = op.function() if inspect.iscoroutinefunction(op.function) else await in_thread(op.function)
                return await value if inspect.isawaitable(value) else value
        except TimeoutError:
            if limit.expired():
                raise TaskError("timeout", "timeout", f"step {op.id} did not end within its {seconds} s") from None
            raise

    async def _in_transaction(self, op: Op) -> Any:
        assert op.function
        seen: list[str] = []

        def entry(value: Any) -> list[Fields]:
            nonlocal seen
            seen, self._seen = self._seen, []
            op.result = {"output": self.payloads.encode(value, f"runs/{self.task.run_id}")}
            return [{"id": op.id} | op.result | ({"seen": seen} if seen else {})]

        await self._flush()
        try:
            await self.journal.transaction(op.function, self._lock, entry)
        except BaseException:
            self._seen[:0] = seen
            raise
        return op.result["output"]

    async def _wait_in_place(self) -> None:
        """Until one has ended; those that ended meanwhile are recorded together, and the code gets them one after the other."""
        if not self._ended:
            kick = asyncio.ensure_future(self._kick.wait())
            await asyncio.wait({*self._running, kick}, return_when=asyncio.FIRST_COMPLETED)
            kick.cancel()
            self._kick.clear()
        for done in [running for running in self._running if running.done()]:
            self._running.pop(done)
            done.result()
        ended, self._ended = self._ended, []
        results: list[Entry] = []
        for op in ended:
            if op.delay is not None:
                id = f"{op.id}{RETRY}{op.tries}"
                timer = self._ops[id] = Op(id, {"sleep": op.delay}, None, self.loop.create_future())
                timer.resumes = op
                self._entry({"id": id, "sleep": op.delay})
                continue
            if not op.recorded:
                self._entry({"id": op.id} | op.result)
            failed = op.result.get("error")
            results.append(Entry(op.id, "failed" if failed else "succeeded", op.result.get("output"), failed))
        await self._flush()
        self._deliveries.extend((result, True) for result in results)

    async def _suspend(self) -> bool:
        waited = {id: op for id, op in self._ops.items() if not op.in_place and (op.resumes or (not op.future.done() and op.future._callbacks))}
        if not waited:
            return self._stuck()
        futures = {op.future for op in waited.values()}
        every = any(futures <= group for group in self.gathered)
        entries, self._entries = self._entries, []
        if await self.journal.suspend({"steps": entries, "all" if every else "any": list(waited)}):
            return True
        outcomes = await self.journal.outcomes(list(waited))
        self._deliveries.extend((outcome, False) for outcome in outcomes)
        return False

    def _stuck(self) -> bool:
        assert self._main
        if self._cancelled:
            raise Error("OR020", "the run was cancelled")
        raise Error("55000", "the code waits for something that is not durable", "Nothing that it has asked its context for is still to come.")

    async def _end(self) -> Fields:
        assert self._main
        if self._unissued:
            raise self._differs(next(iter(self._unissued.values())))
        raised = None if self._main.cancelled() else self._main.exception()
        for running in list(self._running):
            running.cancel()
        if not self._cancelled:
            await self._begin(in_place=False)
        await self._flush()
        if self._main.cancelled():
            return {"error": error("cancelled", "cancelled", "the code was cancelled")}
        if isinstance(raised, (ContinueAsNew, NonDeterminism)):
            raise raised
        if raised is not None:
            return {"retry": False} | failure(raised)
        return {"output": await self._encoded(self._main.result())}


def pause_of(policy: Fields, n: int) -> float:
    """Before try n + 1, by the same rule as the engine's."""
    base = float(policy.get("retry_delay_seconds", 1))
    delay = base if policy.get("retry_backoff", "exponential") == "fixed" else base * 2.0 ** (n - 1)
    return min(delay, float(policy.get("retry_max_delay_seconds", 30))) * (1 + random.random() * float(policy.get("retry_jitter", 0.5)))
