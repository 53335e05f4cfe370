"""For programs that start runs: trigger, wait for results, signal, cancel. Client for plain code, AsyncClient for asyncio.

Either takes a URL, or a psycopg connection of the caller's: then its calls are part of the caller's own transaction, and a run that is triggered there
exists when that commits. What waits (result, events) needs a connection in autocommit.
"""
from __future__ import annotations

import asyncio
import contextlib
import datetime
import json
import time
import uuid
from dataclasses import dataclass
from typing import Any, AsyncIterator, Callable, Generic, Iterator, NamedTuple, Sequence, TypeVar

import psycopg
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from .context import Duration, seconds_of
from .database import connect, pauses, pooled_of
from .errors import Error, Fields, RunFailed
from .payloads import Payloads

T = TypeVar("T")
Run = uuid.UUID | str
Rows = list[dict[str, Any]]
OVER = ("succeeded", "failed", "timed_out", "cancelled")
LONGEST_WAIT = 600.0
# Joined here: the server would look up the events of each task anew.
HISTORY = """
    select task_id as id, kind as state, data as output, null::jsonb as error, null as ended_at, 0 as no
    from orch.events where run_id = %s and kind in ('task_added', 'step_recorded')
    union all
    select 'update:' || id, 'update', to_jsonb(id), null, null, 0 from orch.updates where run_id = %s
    union all
    select task_id, state, output, error, finished_at::text, task_no from orch.tasks where run_id = %s and task_no > 0"""


class Registered(NamedTuple):
    workflow: str
    version: int
    created: bool


@dataclass
class Event:
    pos: int
    run_id: uuid.UUID
    task_id: str | None
    no: int
    kind: str
    at: datetime.datetime
    actor: str
    data: Fields


@dataclass
class Call(Generic[T]):
    sql: str
    values: list[Any]
    read: Callable[[Rows], T]


class Calls:
    """Each call as its statement, and how to read the answer."""

    def __init__(self, payloads: Payloads) -> None:
        self.payloads = payloads

    def _json(self, value: Any) -> Any:
        return None if value is None else Jsonb(self.payloads.encode(value))

    def _function(self, name: str, values: list[Any], options: Fields, read: Callable[[Rows], T], columns: str = "*") -> Call[T]:
        given = {key: value for key, value in options.items() if value is not None}
        for key, value in given.items():
            if key == "tags":
                given[key] = Jsonb(value)
            elif isinstance(value, (int, float)) and key == "timeout":
                given[key] = datetime.timedelta(seconds=value)
        arguments = ", ".join([*["%s"] * len(values), *(f"{key} => %s" for key in given)])
        return Call(f"select {columns} from orch.{name}({arguments})", [*values, *given.values()], read)

    def register(self, spec: Any) -> Call[Registered]:
        return self._function("register", [spec if isinstance(spec, str) else Jsonb(spec)], {}, lambda rows: Registered(**rows[0]))

    def trigger(self, workflow: str, input: Any, options: Fields) -> Call[uuid.UUID]:
        return self._function("trigger_run", [workflow, Jsonb(self.payloads.encode({} if input is None else input))], options,
                              lambda rows: uuid.UUID(str(rows[0]["run_id"])))

    def trigger_many(self, workflow: str, inputs: Sequence[Any], options: Fields) -> Call[list[uuid.UUID]]:
        keys = options.pop("idempotency_keys", None)
        values = [workflow, [Jsonb(self.payloads.encode(each)) for each in inputs]] + ([] if keys is None else [list(keys)])
        call = self._function("trigger_many", values, options, lambda rows: [row["run_id"] for row in rows])
        return Call(call.sql + ' order by "position"', call.values, call.read)

    def state(self, name: str, run: Run, options: Fields) -> Call[str]:
        return self._function(name, [run], options, lambda rows: str(rows[0]["state"]), f"{name} as state")

    def signal(self, run: Run, name: str, payload: Any) -> Call[None]:
        return self._function("signal", [run, name, self._json(payload)], {}, lambda rows: None)

    def signal_with_start(self, workflow: str, name: str, payload: Any, input: Any, options: Fields) -> Call[uuid.UUID]:
        return self._function("signal_with_start", [workflow, name, self._json(payload), Jsonb(self.payloads.encode({} if input is None else input))], options,
                              lambda rows: uuid.UUID(str(rows[0]["run_id"])), "signal_with_start as run_id")

    def approve(self, run: Run, task: str, options: Fields) -> Call[None]:
        if options.get("form") is not None:
            options["form"] = Jsonb(options["form"])
        return self._function("approve", [run, task], options, lambda rows: None)

    def query(self, run: Run, name: str, input: Any, timeout: Duration) -> Call[Any]:
        return Call("call orch.query(%s, %s, %s, %s)", [run, name, self._json(input), datetime.timedelta(seconds=seconds_of(timeout))], self._answer)

    def update(self, run: Run, name: str, input: Any, id: str | None) -> Call[str]:
        return self._function("update", [run, name, self._json(input), id], {}, lambda rows: str(rows[0]["id"]), "update as id")

    def await_update(self, run: Run, id: str, timeout: Duration | None) -> Call[Any]:
        limit = None if timeout is None else datetime.timedelta(seconds=seconds_of(timeout))
        return Call("call orch.await_update(%s, %s, %s)", [run, id, limit], self._answer)

    def _answer(self, rows: Rows) -> Any:
        return self.payloads.decode(rows[0]["answer"])

    def status(self, run: Run) -> Call[Fields]:
        def read(rows: Rows) -> Fields:
            if not rows:
                raise Error("OR003", f"there is no run {run}")
            return rows[0] | {"error": self.payloads.show(rows[0]["error"])}

        return Call("select * from orch.runs where run_id = %s", [run], read)

    def outcome(self, run: Run) -> Call[Any]:
        def read(rows: Rows) -> Any:
            if not rows:
                raise Error("OR003", f"there is no run {run}")
            if rows[0]["state"] not in OVER:
                raise TimeoutError(f"run {run} is still {rows[0]['state']}")
            if rows[0]["state"] != "succeeded":
                raise RunFailed(run, rows[0]["state"], self.payloads.show(rows[0]["error"]))
            return self.payloads.decode(rows[0]["output"])

        return Call("select state, orch.result(run_id) as output, error from orch.runs where run_id = %s", [run], read)

    def events(self, run: Run, after: int) -> Call[list[Event]]:
        return Call("select pos, run_id, task_id, no, kind, at, actor, data from orch.events_after(%s, 1000, run => %s)", [after, run],
                    lambda rows: [Event(**row) for row in rows])

    def history(self, run: Run) -> Call[list[Fields]]:
        def read(rows: Rows) -> list[Fields]:
            updates = {row["id"]: {"update": row["output"]} for row in rows if row["state"] == "update"}
            definitions = {}
            for row in rows:
                if row["no"] == 0 and row["state"] != "update":
                    data, in_place = row["output"], row["state"] == "step_recorded"
                    kept = ("seen",) if in_place else data.keys() - {"input", "state"}
                    definitions[row["id"]] = {key: data[key] for key in kept if key in data} | ({"step": True} if in_place else {})
            tasks = [row | {"definition": definitions[row["id"]] | updates.get(row["id"], {})} for row in rows if row["no"]]
            return sorted(tasks, key=lambda row: int(row["no"]))

        return Call(HISTORY, [run, run, run], read)


def refusal(refused: psycopg.Error, payloads: Payloads) -> Error:
    diagnostics = refused.diag
    message, detail = diagnostics.message_primary or str(refused), diagnostics.message_detail or ""
    if refused.sqlstate == "OR041":
        failed = payloads.show(json.loads(detail))
        return Error("OR041", str(failed.get("message", message)), detail, error=failed)
    return Error(refused.sqlstate or "08006", message, detail, diagnostics.message_hint or "")


def check_waiting(autocommit: bool) -> None:
    if not autocommit:
        raise Error("25001", "what waits cannot be part of a transaction", "", "Give the client a URL, or a connection in autocommit.")


def is_over(kind: str) -> bool:
    return kind.startswith("run_") and kind[4:] in OVER


def waits(timeout: Duration | None, pooled: bool = False) -> Iterator[float]:
    """How long each wait may last, until the timeout has passed; behind a pooler, how long each pause between two looks."""
    end, pause = None if timeout is None else time.monotonic() + seconds_of(timeout), pauses()
    while True:
        left = LONGEST_WAIT if end is None else end - time.monotonic()
        if left <= 0:
            return
        yield min(left, next(pause) if pooled else LONGEST_WAIT)


@contextlib.contextmanager
def unless_answered() -> Iterator[None]:
    """An update whose answer is still to come (OR040) is looked at again."""
    try:
        yield
    except Error as refused:
        if refused.code != "OR040":
            raise


class Client:
    """Options of trigger and trigger_many: idempotency_key(s), priority, run_at, tags, timeout, traceparent, source, version.

    pooled: behind a pooler that gives connections away between transactions, as pooled=1 in the URL says: it looks again and again for what it waits for.
    """

    def __init__(self, database: str | psycopg.Connection[Any] = "", *, payloads: Payloads | None = None, pooled: bool | None = None) -> None:
        self.payloads = payloads or Payloads()
        self._calls = Calls(self.payloads)
        self._own = isinstance(database, str)
        self.pooled = bool(pooled_of(database)[1] if pooled is None and isinstance(database, str) else pooled)
        self.connection: psycopg.Connection[Any] = connect(psycopg.Connection, database, self.pooled) if isinstance(database, str) else database
        if self._own:
            self.connection.autocommit = True

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Closes a connection that the client has made."""
        if self._own:
            self.connection.close()

    def _run(self, call: Call[T]) -> T:
        try:
            with self.connection.cursor(row_factory=dict_row) as cursor:
                cursor.execute(call.sql, call.values)
                return call.read(cursor.fetchall())
        except psycopg.Error as refused:
            raise refusal(refused, self.payloads) from refused

    def _wait(self, seconds: float, sql: str, *values: Any) -> None:
        check_waiting(self.connection.autocommit)
        if self.pooled:
            return time.sleep(seconds)
        try:
            self.connection.execute(sql, values)
        except psycopg.Error as refused:
            raise refusal(refused, self.payloads) from refused

    def register(self, spec: Any) -> Registered:
        return self._run(self._calls.register(spec))

    def trigger(self, workflow: str, input: Any = None, **options: Any) -> uuid.UUID:
        return self._run(self._calls.trigger(workflow, input, options))

    def trigger_many(self, workflow: str, inputs: Sequence[Any], **options: Any) -> list[uuid.UUID]:
        return self._run(self._calls.trigger_many(workflow, inputs, options))

    def status(self, run: Run) -> Fields:
        """Its row of orch.runs."""
        return self._run(self._calls.status(run))

    def result(self, run: Run, timeout: Duration | None = None) -> Any:
        """Waits for the end and returns the output; raises RunFailed, or TimeoutError where it is not over by then."""
        for seconds in waits(timeout, self.pooled):
            self._wait(seconds, "call orch.await_run(%s, %s)", run, datetime.timedelta(seconds=seconds))
            with contextlib.suppress(TimeoutError):
                return self._run(self._calls.outcome(run))
        return self._run(self._calls.outcome(run))

    def events(self, run: Run, after: int = 0) -> Iterator[Event]:
        """What happens to a run, until it is over."""
        pause = pauses()
        while True:
            found = self._run(self._calls.events(run, after))
            for event in found:
                after, pause = event.pos, pauses()
                yield event
                if is_over(event.kind):
                    return
            if not found:
                self._wait(next(pause), "call orch.await_events(%s, '10 s')", after)

    def signal(self, run: Run, name: str, payload: Any = None) -> None:
        self._run(self._calls.signal(run, name, payload))

    def signal_with_start(self, workflow: str, name: str, payload: Any = None, input: Any = None, **options: Any) -> uuid.UUID:
        return self._run(self._calls.signal_with_start(workflow, name, payload, input, options))

    def approve(self, run: Run, task: str, approved: bool = True, comment: str | None = None, form: Any = None) -> None:
        self._run(self._calls.approve(run, task, {"approved": approved, "comment": comment, "form": form}))

    def query(self, run: Run, name: str, input: Any = None, *, timeout: Duration = 10) -> Any:
        """What the code of a run says: nothing of it is in its history. Error OR041 has what the code raised as `error`."""
        check_waiting(self.connection.autocommit)
        return self._run(self._calls.query(run, name, input, timeout))

    def update(self, run: Run, name: str, input: Any = None, *, id: str | None = None, timeout: Duration | None = None) -> Any:
        """Has the code of a run do something, once for each id, and gives the answer. Error OR041: it was refused or failed, see `error`."""
        check_waiting(self.connection.autocommit)
        sent = self._run(self._calls.update(run, name, input, id))
        for seconds in waits(timeout, True) if self.pooled else ():
            with unless_answered():
                return self._run(self._calls.await_update(run, sent, 0))
            time.sleep(seconds)
        return self._run(self._calls.await_update(run, sent, 0 if self.pooled else timeout))

    def cancel(self, run: Run, force: bool = False) -> str:
        return self._run(self._calls.state("cancel", run, {"force": force}))

    def retry(self, run: Run) -> str:
        return self._run(self._calls.state("retry", run, {}))

    def history(self, run: Run) -> list[Fields]:
        """The recorded steps of a run of durable code, for orch.testing.replay."""
        return self._run(self._calls.history(run))


class AsyncClient:
    """The same for asyncio; `async with AsyncClient(url)` opens its connection."""

    def __init__(self, database: str | psycopg.AsyncConnection[Any] = "", *, payloads: Payloads | None = None, pooled: bool | None = None) -> None:
        self.payloads = payloads or Payloads()
        self._calls = Calls(self.payloads)
        self._database = database
        self.pooled = bool(pooled_of(database)[1] if pooled is None and isinstance(database, str) else pooled)
        self._connection: psycopg.AsyncConnection[Any] | None = None if isinstance(database, str) else database

    async def __aenter__(self) -> AsyncClient:
        await self._open()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def _open(self) -> psycopg.AsyncConnection[Any]:
        if self._connection is None:
            assert isinstance(self._database, str)
            self._connection = await connect(psycopg.AsyncConnection, self._database, self.pooled)
            await self._connection.set_autocommit(True)
        return self._connection

    async def close(self) -> None:
        if self._connection and isinstance(self._database, str):
            await self._connection.close()
            self._connection = None

    async def _run(self, call: Call[T]) -> T:
        try:
            async with (await self._open()).cursor(row_factory=dict_row) as cursor:
                await cursor.execute(call.sql, call.values)
                return call.read(await cursor.fetchall())
        except psycopg.Error as refused:
            raise refusal(refused, self.payloads) from refused

    async def _wait(self, seconds: float, sql: str, *values: Any) -> None:
        connection = await self._open()
        check_waiting(connection.autocommit)
        if self.pooled:
            return await asyncio.sleep(seconds)
        try:
            await connection.execute(sql, values)
        except psycopg.Error as refused:
            raise refusal(refused, self.payloads) from refused

    async def register(self, spec: Any) -> Registered:
        return await self._run(self._calls.register(spec))

    async def trigger(self, workflow: str, input: Any = None, **options: Any) -> uuid.UUID:
        return await self._run(self._calls.trigger(workflow, input, options))

    async def trigger_many(self, workflow: str, inputs: Sequence[Any], **options: Any) -> list[uuid.UUID]:
        return await self._run(self._calls.trigger_many(workflow, inputs, options))

    async def status(self, run: Run) -> Fields:
        return await self._run(self._calls.status(run))

    async def result(self, run: Run, timeout: Duration | None = None) -> Any:
        for seconds in waits(timeout, self.pooled):
            await self._wait(seconds, "call orch.await_run(%s, %s)", run, datetime.timedelta(seconds=seconds))
            with contextlib.suppress(TimeoutError):
                return await self._run(self._calls.outcome(run))
        return await self._run(self._calls.outcome(run))

    async def events(self, run: Run, after: int = 0) -> AsyncIterator[Event]:
        pause = pauses()
        while True:
            found = await self._run(self._calls.events(run, after))
            for event in found:
                after, pause = event.pos, pauses()
                yield event
                if is_over(event.kind):
                    return
            if not found:
                await self._wait(next(pause), "call orch.await_events(%s, '10 s')", after)

    async def signal(self, run: Run, name: str, payload: Any = None) -> None:
        await self._run(self._calls.signal(run, name, payload))

    async def signal_with_start(self, workflow: str, name: str, payload: Any = None, input: Any = None, **options: Any) -> uuid.UUID:
        return await self._run(self._calls.signal_with_start(workflow, name, payload, input, options))

    async def approve(self, run: Run, task: str, approved: bool = True, comment: str | None = None, form: Any = None) -> None:
        await self._run(self._calls.approve(run, task, {"approved": approved, "comment": comment, "form": form}))

    async def query(self, run: Run, name: str, input: Any = None, *, timeout: Duration = 10) -> Any:
        check_waiting((await self._open()).autocommit)
        return await self._run(self._calls.query(run, name, input, timeout))

    async def update(self, run: Run, name: str, input: Any = None, *, id: str | None = None, timeout: Duration | None = None) -> Any:
        check_waiting((await self._open()).autocommit)
        sent = await self._run(self._calls.update(run, name, input, id))
        for seconds in waits(timeout, True) if self.pooled else ():
            with unless_answered():
                return await self._run(self._calls.await_update(run, sent, 0))
            await asyncio.sleep(seconds)
        return await self._run(self._calls.await_update(run, sent, 0 if self.pooled else timeout))

    async def cancel(self, run: Run, force: bool = False) -> str:
        return await self._run(self._calls.state("cancel", run, {"force": force}))

    async def retry(self, run: Run) -> str:
        return await self._run(self._calls.state("retry", run, {}))

    async def history(self, run: Run) -> list[Fields]:
        return await self._run(self._calls.history(run))
