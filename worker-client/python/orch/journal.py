"""Where a run's steps are recorded: the engine's side of durable code."""
from __future__ import annotations

import asyncio
import datetime
import inspect
import json
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Callable, Protocol, Sequence

import psycopg

from .errors import Error, Fields, TaskError
from .session import Row, array, json_of, with_defaults

if TYPE_CHECKING:
    from .worker import Worker

FINAL = frozenset(("succeeded", "failed", "timed_out", "skipped", "upstream_failed", "cancelled"))
PAGE = 1000


@dataclass
class Entry:
    """A row of the history."""

    id: str
    state: str
    output: Any = None
    error: Any = None
    ended_at: str = ""
    no: int = 0
    definition: Fields | None = None
    input: Any = None

    @property
    def in_place(self) -> bool:
        """Recorded when it was done, and not started to be done elsewhere."""
        return executor_of(self.definition or {})[0] == "step"


def executor_of(definition: Fields) -> tuple[str, str]:
    """What a step is, and by which name: two of one id have to agree in it."""
    for executor in ("handler", "command", "callable", "http", "sleep", "until", "signal", "approval", "workflow"):
        if executor in definition:
            what = definition[executor]
            name = what if executor in ("handler", "callable") else what.get("name" if executor == "signal" else "id") if executor in ("signal", "workflow") else ""
            return "timer" if executor in ("sleep", "until") else executor, str(name)
    return "step", ""


class Interrupted(Exception):
    """Whether a commit happened is not known: the run is leased anew, and its history tells."""


class Journal(Protocol):
    async def history(self) -> list[Entry]: ...

    async def record(self, entries: list[Fields]) -> None: ...

    async def suspend(self, waits: Fields) -> bool:
        """True: suspended. False: what it waits for has come."""

    async def outcomes(self, ids: Sequence[str]) -> list[Entry]: ...

    async def park(self, error: Fields) -> None: ...

    async def continue_as_new(self, input: Any) -> None: ...

    async def release(self) -> None: ...

    async def transaction(self, function: Callable[..., Any], lock: asyncio.Lock, entry: Callable[[Any], list[Fields]]) -> Any: ...

    async def pause(self, seconds: float) -> None: ...

    def now(self) -> datetime.datetime: ...

    def mocked(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]: ...


def entry_of(row: Row) -> Entry:
    return Entry(row["id"] or "", row["state"] or "", json.loads(row["output"] or "null"), json.loads(row["error"] or "null"), row["ended_at"] or "",
                 int(row.get("no") or 0), json.loads(row.get("definition") or "{}"))


class Engine:
    """The journal in the database, spoken to over the worker's one connection; a statement whose answer got lost is sent again."""

    def __init__(self, worker: Worker, lease: str) -> None:
        self._worker, self._lease = worker, lease

    async def history(self) -> list[Entry]:
        rows: list[Entry] = []
        while True:
            page = await self._worker.call("select no, id, definition, state, output, error, ended_at from orch.history($1, $2::int, $3::int)", self._lease,
                                           str(rows[-1].no if rows else 0), str(PAGE))
            rows += map(entry_of, page)
            if len(page) < PAGE:
                return rows

    async def record(self, entries: list[Fields]) -> None:
        await self._worker.call("select orch.record($1, $2::jsonb)", self._lease, json_of(entries))

    async def suspend(self, waits: Fields) -> bool:
        [row] = await self._worker.call("select orch.suspend($1, $2::jsonb) as answer", self._lease, json_of(waits))
        return row["answer"] == "suspended"

    async def outcomes(self, ids: Sequence[str]) -> list[Entry]:
        return [entry_of(row) for row in await self._worker.call("select id, state, output, error, ended_at from orch.outcomes($1, $2::text[])", self._lease, array(ids))]

    async def park(self, error: Fields) -> None:
        await self._worker.call("select orch.park($1, $2::jsonb)", self._lease, json_of(error))

    async def continue_as_new(self, input: Any) -> None:
        await self._worker.call("select orch.continue_as_new($1, $2::jsonb)", self._lease, json_of(input))

    async def release(self) -> None:
        await self._worker.call("select orch.release($1::text[])", array([self._lease]))

    async def transaction(self, function: Callable[..., Any], lock: asyncio.Lock, entry: Callable[[Any], list[Fields]]) -> Any:
        """The function's writes and the record of its result in one commit: they happen once, or not at all."""
        sql = "select orch.record(%s, %s::jsonb)"
        database = with_defaults(self._worker.database)
        committing = False
        try:
            if inspect.iscoroutinefunction(function):
                async with await psycopg.AsyncConnection.connect(database) as connection:
                    value = await function(connection)
                    async with lock:
                        await connection.execute(sql, [self._lease, json_of(entry(value))])
                        committing = True
                        await connection.commit()
                return value
            plain = await in_thread(lambda: psycopg.connect(database))
            try:
                value = await in_thread(function, plain)
                if inspect.isawaitable(value):
                    raise TaskError("validation", "not_async", "an async function for a step in a transaction is given as it is, not wrapped in a lambda")
                async with lock:
                    await in_thread(plain.execute, sql, [self._lease, json_of(entry(value))])
                    committing = True
                    await in_thread(plain.commit)
                return value
            finally:
                plain.close()
        except psycopg.Error as refused:
            if committing and (refused.sqlstate is None or refused.sqlstate[:2] in ("08", "57")):
                raise Interrupted from refused
            if (refused.sqlstate or "")[:2] == "OR":
                raise Error(refused.sqlstate or "", str(refused)) from refused
            raise

    async def pause(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    def now(self) -> datetime.datetime:
        return datetime.datetime.now(datetime.timezone.utc)

    def mocked(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        return function


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
