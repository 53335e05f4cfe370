"""One connection with many statements in flight: libpq's pipeline mode under asyncio.

psycopg's own connections give a statement the connection for itself until it is answered, so a result could not pass an await_work that sleeps.
Here each statement goes out with its Sync at once, and bytes that come in end await_work. But only while it sleeps: those that the server reads together
with it do not, so what is sent behind it is followed by nudges until it has ended.
"""
from __future__ import annotations

import asyncio
import json
from collections import deque
from typing import Any, Callable, Iterable, NamedTuple, Sequence

from psycopg import OperationalError, conninfo, pq
from psycopg.pq.abc import PGconn, PGresult

from .errors import Error

Row = dict[str, str | None]
Parameter = str | int | float | bool | None


class Statement(NamedTuple):
    answer: asyncio.Future[list[Row]]
    sleeps: bool


def array(items: Iterable[str]) -> str:
    """A PostgreSQL array literal."""
    return "{" + ",".join('"' + item.replace("\\", "\\\\").replace('"', '\\"') + '"' for item in items) + "}"


def json_of(value: Any) -> str:
    """Half of a surrogate pair, of a file's name say, becomes a question mark."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode(errors="replace").decode()


def with_defaults(database: str) -> str:
    """Of several hosts the one that takes writes, and no waiting for ever for one that is gone."""
    return conninfo.make_conninfo(**{"connect_timeout": "10", "target_session_attrs": "read-write", "client_encoding": "utf8", **conninfo.conninfo_to_dict(database)})


class Session:
    def __init__(self, database: PGconn) -> None:
        self._pg = database
        self._loop = asyncio.get_running_loop()
        self._in_flight: deque[Statement] = deque()
        self._rows: list[Row] = []
        self._failure: Error | None = None
        self._nudge: asyncio.TimerHandle | None = None
        self.closed = False
        self.interrupted = False  # the last await_work was ended by what we sent behind it
        self.on_lost: Callable[[], object] = lambda: None
        self._pg.nonblocking = 1
        self._pg.enter_pipeline_mode()
        self._socket = self._pg.socket
        self._loop.add_reader(self._socket, self._receive)

    @classmethod
    async def connect(cls, database: str) -> Session:
        opened = await asyncio.to_thread(pq.PGconn.connect, with_defaults(database).encode())
        if opened.status != pq.ConnStatus.OK:
            why = opened.error_message.decode(errors="replace").strip()
            opened.finish()
            raise Error("08001", "cannot connect to the database", why, "Check the URL or the PG* variables, and that the server runs.")
        return cls(opened)

    def send(self, sql: str, parameters: Sequence[Parameter] = (), *, sleeps: bool = False) -> asyncio.Future[list[Row]]:
        """Sends at once, answers later. `sleeps` is said of await_work."""
        answer: asyncio.Future[list[Row]] = self._loop.create_future()
        if self.closed:
            answer.set_exception(Error("08006", "the connection to the database is closed"))
            return answer
        if sleeps:
            self.interrupted = False
        elif self.asleep and self._nudge is None:
            self.interrupted = True
            self._nudge = self._loop.call_later(0.001, self._send_nudge, 0.002)
        values = [None if value is None else str(value).encode() for value in parameters]
        try:
            self._pg.send_query_params(sql.encode(), values)
            self._pg.pipeline_sync()
            self._in_flight.append(Statement(answer, sleeps))
            self._flush()
        except OperationalError as broken:
            if not self._in_flight or self._in_flight[-1].answer is not answer:
                self._in_flight.append(Statement(answer, sleeps))
            self._lose(str(broken))
        return answer

    async def call(self, sql: str, *parameters: Parameter) -> list[Row]:
        return await self.send(sql, parameters)

    @property
    def asleep(self) -> bool:
        return any(statement.sleeps for statement in self._in_flight)

    def close(self) -> None:
        self._lose("closed")

    def _send_nudge(self, delay: float) -> None:
        self._nudge = None
        if self.closed or not self.asleep:
            return
        try:
            self._pg.send_flush_request()
            self._flush()
        except OperationalError as broken:
            return self._lose(str(broken))
        self._nudge = self._loop.call_later(delay, self._send_nudge, min(delay * 2, 1.0))

    def _flush(self) -> None:
        if self._pg.flush():
            self._loop.add_writer(self._socket, self._write)
        else:
            self._loop.remove_writer(self._socket)

    def _write(self) -> None:
        try:
            self._flush()
        except OperationalError as broken:
            self._lose(str(broken))

    def _receive(self) -> None:
        try:
            self._pg.consume_input()
            while self._in_flight and not self._pg.is_busy():
                result = self._pg.get_result()
                if result is None:
                    if self._pg.status != pq.ConnStatus.OK:
                        raise OperationalError("the server closed the connection")
                    continue  # ends one statement; the Sync behind it ends its transaction, and only then it is committed
                if result.status == pq.ExecStatus.PIPELINE_SYNC:
                    self._finish()
                elif result.status in (pq.ExecStatus.TUPLES_OK, pq.ExecStatus.COMMAND_OK):
                    self._rows = rows_of(result)
                else:
                    self._failure = error_of(result)
                    if self._failure.poisons_connection or self._pg.status != pq.ConnStatus.OK:
                        return self._lose(self._failure.message, self._failure.code)
        except OperationalError as broken:
            self._lose(str(broken))

    def _finish(self) -> None:
        statement = self._in_flight.popleft()
        rows, failure, self._rows, self._failure = self._rows, self._failure, [], None
        if statement.answer.done():
            return
        if failure:
            statement.answer.set_exception(failure)
        else:
            statement.answer.set_result(rows)

    def _lose(self, why: str, code: str = "08006") -> None:
        if self.closed:
            return
        self.closed = True
        self._loop.remove_reader(self._socket)
        self._loop.remove_writer(self._socket)
        if self._nudge:
            self._nudge.cancel()
        self._pg.finish()
        self.on_lost()
        while self._in_flight:
            answer = self._in_flight.popleft().answer
            if not answer.done():
                answer.set_exception(Error(code, "the connection to the database broke", why.strip()))
                answer.exception()  # some are awaited by nobody


def rows_of(result: PGresult) -> list[Row]:
    names = [(result.fname(column) or b"").decode() for column in range(result.nfields)]
    return [{name: None if (value := result.get_value(row, column)) is None else value.decode() for column, name in enumerate(names)}
            for row in range(result.ntuples)]


def error_of(result: PGresult) -> Error:
    def field(which: pq.DiagnosticField) -> str:
        return (result.error_field(which) or b"").decode(errors="replace")

    code = field(pq.DiagnosticField.SQLSTATE)
    if not code:
        return Error("08006", "the connection to the database broke", result.error_message.decode(errors="replace").strip())
    return Error(code, field(pq.DiagnosticField.MESSAGE_PRIMARY), field(pq.DiagnosticField.MESSAGE_DETAIL), field(pq.DiagnosticField.MESSAGE_HINT))
