"""Tests of workflows: in memory without a server, where time is moved and steps are mocked, or on a server that is thrown away."""
from __future__ import annotations

import asyncio
import contextlib
import copy
import datetime
import inspect
import itertools
import json
import os
import pathlib
import random
import shutil
import subprocess
import tempfile
import uuid
from typing import Any, AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence

from .children import checked_batch
from .context import Duration, seconds_of
from .durable import Execution
from .errors import Error, Fields, RunFailed, error, failure, is_retryable, raised_from
from .journal import FINAL, Entry, Journal, executor_of
from .payloads import Payloads
from .tasks import Registry, Task, registry

ENDED = ("succeeded", "failed", "cancelled")


class MemoryRun:
    """A run of an Environment, and its history."""

    def __init__(self, environment: Environment, workflow: str, version: str, input: Any) -> None:
        self.environment, self.workflow, self.version, self.input = environment, workflow, version, input
        self.id = str(uuid.UUID(int=next(environment._numbers)))
        self.state, self.output, self.error = "running", None, None
        self.parked: Fields | None = None
        self.tags: Fields = {}
        self.logs: list[str] = []
        self.history: list[Entry] = []
        self._signals: list[tuple[str, Any]] = []
        self._waits: tuple[bool, list[str]] | None = None  # for all or any of these
        self._due: dict[str, datetime.datetime] = {}
        self._parent: tuple[MemoryRun, Entry] | None = None
        self._updates: dict[str, tuple[str, Any]] = {}
        self._inputs: dict[str, Any] = {}  # of steps elsewhere
        self._attempt = 0
        self._continued: MemoryRun | None = None

    def __getitem__(self, id: str) -> Entry:
        return next(row for row in self.history if row.id == id)

    @property
    def waiting(self) -> list[str]:
        """What it waits for."""
        return [row.id for row in self.history if row.state not in FINAL]


class Environment:
    """Runs workflows and their handlers in memory.

    mocks: by the name of a step, what it gives: a value, an exception, or a function that is called as the handler or the function of the step would be.
    """

    def __init__(self, tasks: Registry = registry, *, mocks: Mapping[str, Any] | None = None, connection: Any = None,
                 now: datetime.datetime = datetime.datetime(2030, 1, 1, tzinfo=datetime.timezone.utc)) -> None:
        self.tasks, self.mocks, self.connection, self.now = tasks, dict(mocks or {}), connection, now
        self.runs: list[MemoryRun] = []
        self.calls: list[str] = []  # functions in place and handlers, in the order of their calls
        self._numbers = itertools.count(1)
        self._queue: list[tuple[MemoryRun, Entry]] = []

    def start(self, workflow: str, input: Any = None, *, version: str = "1") -> MemoryRun:
        run = MemoryRun(self, workflow, version, input)
        self.runs.append(run)
        return run

    async def run(self) -> None:
        """Until nothing goes on without time, a signal or a change of code."""
        while True:
            if self._queue:
                await self._handle(*self._queue.pop(0))
                continue
            ready = [run for run in self.runs if run.state == "running" and not run.parked and self._wanted(run)]
            if not ready:
                return
            await self._execute(ready[0])

    async def advance(self, duration: Duration) -> None:
        """Moves the clock, and fires each timer at its own time."""
        end = self.now + datetime.timedelta(seconds=seconds_of(duration))
        await self.run()
        while (due := self._next_due()) and due[0] <= end:
            self.now, run, row = max(self.now, due[0]), due[1], due[2]
            run._due.pop(row.id)
            self._finish(run, row, "timed_out" if "signal" in row.definition else "succeeded", {})
            await self.run()
        self.now = end

    async def result(self, workflow: str, input: Any = None, *, version: str = "1") -> Any:
        """Runs it to its end, moving the clock from timer to timer."""
        run = self.start(workflow, input, version=version)
        await self.run()
        while run.state == "running" and (due := self._next_due()):
            await self.advance(due[0] - self.now)
        if run.parked or run.state == "running":
            raise RunFailed(run.id, "parked" if run.parked else f"waiting for {', '.join(run.waiting)}", run.parked)
        if run.state != "succeeded":
            raise RunFailed(run.id, run.state, run.error)
        return run.output

    async def signal(self, run: MemoryRun, name: str, payload: Any = None) -> None:
        if run.state != "running":
            raise Error("OR020", f"run {run.id} is over")
        waiting = [row for row in run.history if row.state == "waiting" and executor_of(row.definition) == ("signal", name)]
        if waiting:
            run._due.pop(waiting[0].id, None)
            self._finish(run, waiting[0], "succeeded", payload)
        else:
            run._signals.append((name, payload))
        await self.run()

    async def query(self, run: MemoryRun, name: str, input: Any = None) -> Any:
        """What the code says to a query; raises what its function raises."""
        answer = await self._execution(run, Memory(self, run)).run({"name": name, "input": copied(input)}) or {}
        if "error" in answer:
            raise raised_from(answer["error"])
        return copied(answer["output"])

    async def update(self, run: MemoryRun, name: str, input: Any = None, id: str | None = None) -> Any:
        """The answer to an update, or TaskError; TimeoutError where it takes time or a signal: asked again under the same id it tells then."""
        id = id or str(uuid.uuid4())
        if run._updates.setdefault(id, (name, copied(input))) != (name, copied(input)):
            raise Error("OR004", f"update {id} of run {run.id} is there with another name or input")
        if run.state == "running":
            run._waits = None
            await self.run()
        answer = next((row for row in run.history if row.id == f"answer:{id}" or (row.id == f"update:{id}" and row.error)), None)
        if answer is None and run.state != "running":
            raise Error("OR020", f"run {run.id} is over")
        if answer is None:
            raise TimeoutError(f"update {id} is not answered yet")
        if answer.error:
            raise raised_from(answer.error)
        return answer.output

    async def cancel(self, run: MemoryRun) -> None:
        self._end(run, "cancelled", None, error("cancelled", "cancelled", "the run was cancelled"))
        await self.run()

    def _wanted(self, run: MemoryRun) -> bool:
        if run._waits is None:
            return True
        every, ids = run._waits
        states = [run[id].state in FINAL for id in ids]
        return all(states) if every else any(states)

    def _next_due(self) -> tuple[datetime.datetime, MemoryRun, Entry] | None:
        due = [(at, run, run[id]) for run in self.runs if run.state == "running" for id, at in run._due.items()]
        return min(due, key=lambda each: each[0]) if due else None

    def _finish(self, run: MemoryRun, row: Entry, state: str, output: Any = None, failed: Any = None) -> None:
        row.state, row.output, row.error, row.ended_at = state, output, failed, f"{next(self._numbers):09}"

    def _end(self, run: MemoryRun, state: str, output: Any, failed: Any = None) -> None:
        run.state, run.output, run.error = state, output, failed
        run._due.clear()
        for row in run.history:
            if row.state not in FINAL:
                self._finish(run, row, "cancelled")
        for child in self.runs:
            if child._parent and child._parent[0] is run and child.state == "running":
                if child._parent[1].definition["workflow"].get("parent_close") != "abandon":
                    self._end(child, "cancelled", None, error("cancelled", "cancelled", "its parent ended"))
        if run._parent and run._parent[1].state not in FINAL:
            parent, row = run._parent
            self._finish(parent, row, state, output, failed)

    def _execution(self, run: MemoryRun, journal: Memory) -> Execution:
        def tell(kind: str, value: Any) -> None:
            if kind == "log":
                run.logs.append(value[1])

        task = memory_task(run, "main", "code", run.workflow, {"code": {"workflow": run.workflow, "version": run.version}}, copied(run.input), 1, tell)
        return MemoryExecution(self, self.tasks.workflows[run.workflow, run.version].function, task, journal)

    async def _execute(self, run: MemoryRun) -> None:
        run._waits = None
        run._attempt += 1
        journal = Memory(self, run)
        result = await self._execution(run, journal).run()
        await journal.record((result or {}).pop("steps", []))
        if result is None or run.state != "running":
            return
        if "error" in result:
            self._end(run, "cancelled" if result["error"]["class"] == "cancelled" else "failed", None, result["error"])
        else:
            self._end(run, "succeeded", copied(result["output"]))

    async def _handle(self, run: MemoryRun, row: Entry) -> None:
        """A step on `any worker`, with its retries and without their pauses."""
        definition = row.definition
        executor, name = executor_of(definition)
        handler = self.tasks.tasks.get(name)
        step = row.id.rpartition("#")[0]
        mock = self.mocks[step] if step in self.mocks else self.mocks.get(name, self)
        if mock is self and not (handler and executor == "handler"):
            raise LookupError(f"there is no handler for step {row.id}, and no mock for {step}")
        result: Fields = {}
        for attempt in range(1, int(definition.get("retries", 2)) + 2):
            task = memory_task(run, row.id, executor, name, definition, copied(run._inputs[row.id]), attempt, lambda kind, value: None)
            self.calls.append(step)
            try:
                if mock is not self:
                    output = mock(task, task.input) if callable(mock) else mock
                elif handler and handler.batch:
                    output = handler.function([task])
                else:
                    assert handler
                    output = handler.function(task, task.input)
                output = await output if inspect.isawaitable(output) else output
                if handler and handler.batch and mock is self:
                    [output] = checked_batch(output, [task])
                if isinstance(output, BaseException):
                    raise output
                result = {"output": copied(output)}
            except Exception as raised:
                result = failure(raised)
            if "error" not in result or not result.get("retry", is_retryable(result["error"]["class"])):
                break
        if row.state in FINAL:
            return
        state = "failed" if "error" in result else "skipped" if "skip" in result else "succeeded"
        self._finish(run, row, state, result.get("output"), result.get("error"))


def copied(value: Any) -> Any:
    """As it comes back from the database."""
    return json.loads(json.dumps(value, allow_nan=False))


def memory_task(run: MemoryRun, id: str, executor: str, name: str, spec: Fields, input: Any, attempt: int, tell: Callable[[str, Any], None]) -> Task:
    return Task({"lease": "none", "run_id": run.id, "task_id": id, "attempt": attempt, "executor": executor, "handler": name, "spec": spec, "input": input,
                 "traceparent": None, "idempotency_key": f"{run.id}:{id}"}, tell)


class Memory(Journal):
    """The journal of a run of an Environment."""

    pooled = False

    def __init__(self, environment: Environment, run: MemoryRun) -> None:
        self._environment, self._run = environment, run

    async def history(self) -> list[Entry]:
        return copy.deepcopy(self._run.history)

    async def record(self, entries: list[Fields]) -> None:
        environment, run = self._environment, self._run
        for entry in copied(entries):
            row = Entry(entry["id"], "succeeded", entry.pop("output", None), entry.pop("error", None), no=len(run.history) + 1, definition=entry)
            run.history.append(row)
            run.tags |= entry.get("tags", {})
            executor, name = executor_of(entry)
            if executor == "step":
                row.state = "failed" if row.error else "succeeded"
                continue
            row.state = "waiting"
            if executor == "timer":
                seconds = datetime.timedelta(seconds=float(entry.get("sleep", 0)))
                run._due[row.id] = datetime.datetime.fromisoformat(entry["until"]) if "until" in entry else environment.now + seconds
            elif executor == "signal":
                self._await_signal(row, name, entry.get("timeout_seconds"))
            elif executor == "workflow":
                child = environment.start(name, entry["workflow"].get("input"))
                child._parent = (run, row)
            else:
                row.state, run._inputs[row.id] = "ready", entry.pop("input", None)
                environment._queue.append((run, row))

    def _await_signal(self, row: Entry, name: str, timeout: float | None) -> None:
        for at, (sent, payload) in enumerate(self._run._signals):
            if sent == name:
                del self._run._signals[at]
                return self._environment._finish(self._run, row, "succeeded", payload)
        if timeout is not None:
            self._run._due[row.id] = self._environment.now + datetime.timedelta(seconds=timeout)

    async def suspend(self, waits: Fields) -> bool:
        await self.record(waits.get("steps", []))
        self._run._waits = ("all" in waits, waits.get("all") or waits["any"])
        return not self._environment._wanted(self._run) and not await self.updates()

    async def updates(self) -> list[tuple[str, str, Any]]:
        decided = {row.id for row in self._run.history}
        return [(id, name, copied(input)) for id, (name, input) in self._run._updates.items() if f"update:{id}" not in decided]

    async def outcomes(self, ids: Sequence[str]) -> list[Entry]:
        return copy.deepcopy(sorted((self._run[id] for id in ids if self._run[id].state in FINAL), key=lambda row: row.ended_at))

    async def park(self, error: Fields) -> None:
        self._run.parked = error

    async def continue_as_new(self, input: Any) -> None:
        next_run = self._environment.start(self._run.workflow, copied(input), version=self._run.version)
        next_run._signals, self._run._signals = self._run._signals, []
        self._environment._end(self._run, "succeeded", {"continued_as": next_run.id})

    @contextlib.asynccontextmanager
    async def transaction(self, function: Callable[..., Any]) -> AsyncIterator[tuple[Any, Callable[[list[Fields]], Awaitable[None]]]]:
        value = function(self._environment.connection)
        yield await value if inspect.isawaitable(value) else value, self.record

    async def pause(self, seconds: float) -> None:
        self._environment.now += datetime.timedelta(seconds=seconds)

    def now(self) -> datetime.datetime:
        return self._environment.now


class MemoryExecution(Execution):
    """Puts the mocks in the place of functions."""

    def __init__(self, environment: Environment, function: Callable[..., Any], task: Task, journal: Memory) -> None:
        super().__init__(function, task, journal, Payloads())
        self._environment = environment

    def issue(self, name: str, definition: Fields, input: Any = None, function: Callable[..., Any] | None = None, **more: Any) -> asyncio.Future[Any]:
        return super().issue(name, definition, input, function and self._mocked(name, function), **more)

    def _mocked(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any) -> Any:
            self._environment.calls.append(name)
            mock = self._environment.mocks.get(name, function)
            if isinstance(mock, BaseException):
                raise mock
            return mock(*arguments) if callable(mock) else mock

        return call


class Replay(Memory):
    """Takes down what the code asks for beyond a recorded history."""

    def __init__(self, environment: Environment, run: MemoryRun) -> None:
        super().__init__(environment, run)
        self.asked: list[str] = []

    async def record(self, entries: list[Fields]) -> None:
        self.asked += [entry["id"] for entry in entries]
        await super().record(entries)

    async def suspend(self, waits: Fields) -> bool:
        await self.record(waits.get("steps", []))
        return True


async def replay(function: Callable[..., Any], history: Sequence[Entry | Fields], input: Any = None) -> list[str]:
    """Runs a workflow's code against the history of a run (Client.history gives it) and returns the ids of what it asks for beyond it.

    Raises the non-determinism error that would park the run.
    """
    environment = Environment(Registry())
    run = environment.start("replay", input)
    run.history = [row if isinstance(row, Entry) else Entry(**row) for row in history]
    environment.runs.clear()
    journal = Replay(environment, run)
    task = memory_task(run, "main", "code", "replay", {}, input, 1, lambda kind, value: None)
    result = await MemoryExecution(environment, function, task, journal).run()
    await journal.record((result or {}).get("steps", []))
    if run.parked:
        raise RunFailed(run.id, "parked", run.parked)
    if result and "error" in result:
        raise RunFailed(run.id, "failed", result["error"])
    return journal.asked


@contextlib.contextmanager
def server(*settings: str) -> Iterator[str]:
    """A PostgreSQL of its own with the extension, and its URL; removed at the end. PG_CONFIG or the PATH says which PostgreSQL."""
    bindir = pathlib.Path(subprocess.run([os.environ.get("PG_CONFIG", "pg_config"), "--bindir"], capture_output=True, text=True, check=True).stdout.strip())
    folder = tempfile.mkdtemp(prefix="orch.")
    as_user = ["runuser", "-u", "postgres", "--"] if os.getuid() == 0 else []  # which the server refuses to be
    if as_user:
        shutil.chown(folder, "postgres")

    def call(program: str, *arguments: str) -> None:
        done = subprocess.run([*as_user, str(bindir / program), *arguments], cwd=folder, capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(f"{program} failed: {done.stdout}{done.stderr}")

    data, port = f"{folder}/data", random.randrange(20000, 50000)
    url = f"postgresql://postgres@/postgres?host={folder}&port={port}"
    try:
        call("initdb", "-D", data, "-U", "postgres", "-A", "trust", "--no-sync", "--encoding=UTF8", "--locale=C.UTF-8")
        lines = ["listen_addresses = ''", f"unix_socket_directories = '{folder}'", f"port = {port}", "shared_preload_libraries = 'orch'", "fsync = off", *settings]
        with open(f"{data}/postgresql.conf", "a", encoding="utf-8") as file:
            file.write("\n".join(lines) + "\n")
        call("pg_ctl", "-D", data, "-l", f"{folder}/log", "-w", "start")
        try:
            call("psql", "-Xqd", url, "-c", "create extension orch")
            yield url
        finally:
            call("pg_ctl", "-D", data, "-m", "immediate", "-w", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
