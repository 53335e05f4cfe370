"""Where a run's steps are recorded: the engine's side of durable code."""
from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import datetime
import inspect
import json
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, AsyncIterator, Awaitable, Callable, Sequence

import psycopg

from .database import connect
from .errors import Error, Fields, TaskError
from .session import Row, array, json_of

if TYPE_CHECKING:
    from .worker import Job, Worker

FINAL = frozenset(("succeeded", "failed", "timed_out", "skipped", "upstream_failed", "cancelled"))
EXECUTORS = ("handler", "command", "callable", "http", "sleep", "until", "signal", "approval", "workflow")
PAGE = 1000
UNKNOWN = "08007"  # whether a commit happened: the attempt fails, and in the next one the history tells


@dataclass
class Entry:
    """A row of the history."""

    id: str
    state: str
    output: Any = None
    error: Any = None
    ended_at: str = ""
    no: int = 0
    definition: Fields = field(default_factory=dict)


def entry_of(row: Row) -> Entry:
    return Entry(row["id"] or "", row["state"] or "", json.loads(row["output"] or "null"), json.loads(row["error"] or "null"), row["ended_at"] or "",
                 int(row.get("no") or 0), json.loads(row.get("definition") or "{}"))


def executor_of(definition: Fields) -> tuple[str, str]:
    """What a step is, and by which name: two of one id have to agree in it."""
    executor = next((each for each in EXECUTORS if each in definition), "step")
    what: Any = definition.get(executor)
    name = what if executor in ("handler", "callable") else what["name"] if executor == "signal" else what["id"] if executor == "workflow" else ""
    return "timer" if executor in ("sleep", "until") else executor, str(name)


def told(id: str, definition: Fields) -> str:
    executor, name = executor_of(definition)
    return f'"{id}" ({"in place" if executor == "step" else " ".join(filter(None, (executor, name)))})'


class Journal:
    """The one in the database, spoken to over the worker's connection; a statement whose answer got lost is sent again."""

    def __init__(self, worker: Worker, job: Job) -> None:
        self._worker, self._job, self._call, self.pooled = worker, job, worker.exchange.call, worker.pooled

    async def history(self) -> list[Entry]:
        rows: list[Entry] = []
        while True:
            page = await self._call("select no, id, definition, state, output, error, ended_at from orch.history($1, $2::int, $3::int)", self._job.lease,
                                    rows[-1].no if rows else 0, PAGE)
            rows += map(entry_of, page)
            if len(page) < PAGE:
                return rows

    async def record(self, entries: list[Fields]) -> None:
        await self._call("select orch.record($1, $2::jsonb)", self._job.lease, json_of(entries))

    async def suspend(self, waits: Fields) -> bool:
        """With the next results. True: suspended. False: what it waits for has come."""
        refusal = await self._worker.settle(self._job, {"suspend": waits})
        if refusal is None:
            return True
        self._worker.held[self._job.lease] = self._job
        self._worker.running.add(self._job)
        if refusal == "go_on":
            return False
        [row] = await self._call("select orch.suspend($1, $2::jsonb) as answer", self._job.lease, json_of(waits))  # which says why it is refused
        return row["answer"] == "suspended"

    async def outcomes(self, ids: Sequence[str]) -> list[Entry]:
        return [entry_of(row) for row in await self._call("select id, state, output, error, ended_at from orch.outcomes($1, $2::text[])", self._job.lease, array(ids))]

    async def updates(self) -> list[tuple[str, str, Any]]:
        """Id, name and input of those that nobody has accepted or refused."""
        rows = await self._call("select id, name, input from orch.updates($1)", self._job.lease)
        return [(row["id"] or "", row["name"] or "", json.loads(row["input"] or "null")) for row in rows]

    async def park(self, error: Fields) -> None:
        await self._call("select orch.park($1, $2::jsonb)", self._job.lease, json_of(error))

    async def continue_as_new(self, input: Any) -> None:
        await self._call("select orch.continue_as_new($1, $2::jsonb)", self._job.lease, json_of(input))

    @contextlib.asynccontextmanager
    async def transaction(self, function: Callable[..., Any]) -> AsyncIterator[tuple[Any, Callable[[list[Fields]], Awaitable[None]]]]:
        """What the function gave, and what commits its writes and the record of it: both, or none."""
        soon, committing = inspect.iscoroutinefunction(function), False
        connection: Any = None

        async def do(call: Any, *arguments: Any) -> Any:
            return await (call(*arguments) if soon else in_thread(call, *arguments))

        async def commit(entries: list[Fields]) -> None:
            nonlocal committing
            await do(connection.execute, "select orch.record(%s, %s::jsonb)", [self._job.lease, json_of(entries)])
            committing = True
            await do(connection.commit)

        try:
            connection = await do(connect, psycopg.AsyncConnection if soon else psycopg.Connection, self._worker.database, self._worker.pooled)
            try:
                value = await do(function, connection)
                if not soon and inspect.isawaitable(value):
                    raise TaskError("validation", "not_async", "an async function for a step in a transaction is given as it is, not wrapped in a lambda")
                yield value, commit
            finally:
                await do(connection.close)
        except psycopg.Error as refused:
            code = refused.sqlstate or "08006"
            if code[:2] == "OR" or (committing and code[:2] in ("08", "57")):
                raise Error(code if code[:2] == "OR" else UNKNOWN, str(refused)) from refused
            raise

    async def pause(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    def now(self) -> datetime.datetime:
        return datetime.datetime.now(datetime.timezone.utc)


def in_thread(function: Callable[..., Any], *arguments: Any) -> asyncio.Future[Any]:
    """As asyncio.to_thread, in a thread of its own: no number limits them, and one that does not end holds up nothing, the end of the program included."""
    done: concurrent.futures.Future[Any] = concurrent.futures.Future()
    done.set_running_or_notify_cancel()

    def run() -> None:
        try:
            done.set_result(function(*arguments))
        except StopIteration as stop:  # which asyncio's futures do not take
            done.set_exception(RuntimeError(repr(stop)))
        except BaseException as raised:
            done.set_exception(raised)

    threading.Thread(target=run, daemon=True).start()
    return asyncio.wrap_future(done)
