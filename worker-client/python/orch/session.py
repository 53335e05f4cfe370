"""One connection with many statements in flight: libpq's pipeline mode under asyncio.

psycopg's own connections give a statement the connection for itself until it is answered, so a result could not pass an await_work that sleeps.
Here each statement goes out with its Sync at once, and bytes that come in end await_work. But only while it sleeps: those that the server reads together
with it do not, so what is sent behind it is followed by nudges until it has ended.
"""
from __future__ import annotations

import asyncio
import contextlib
import json
from collections import deque
from typing import Any, Callable, Iterable, Iterator

from psycopg import OperationalError, pq
from psycopg.pq.abc import PGconn, PGresult

from .database import with_defaults
from .errors import Error

Row = dict[str, str | None]
Answer = asyncio.Future[list[Row]]
Parameter = str | int | float | bool | None


def array(items: Iterable[str]) -> str:
    """A PostgreSQL array literal."""
    return "{" + ",".join('"' + item.replace("\\", "\\\\").replace('"', '\\"') + '"' for item in items) + "}"


def json_of(value: Any) -> str:
    """Half of a surrogate pair, of a file's name say, becomes a question mark."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode(errors="replace").decode()


class Session:
    def __init__(self, database: PGconn) -> None:
        self._pg = database
        self._loop = asyncio.get_running_loop()
        self._in_flight: deque[Answer] = deque()
        self._sleeper: Answer | None = None
        self._rows: list[Row] = []
        self._failure: Error | None = None
        self._nudge: asyncio.TimerHandle | None = None
        self.closed = False
        self.interrupted = False  # the last await_work was ended by what we sent behind it
        self.on_lost: Callable[[], object] = lambda: None
        self._pg.nonblocking = 1
        self._pg.enter_pipeline_mode()
        self._socket, self.process = self._pg.socket, self._pg.backend_pid
        self._loop.add_reader(self._socket, self._receive)

    @classmethod
    async def connect(cls, database: str) -> Session:
        opened = await asyncio.to_thread(pq.PGconn.connect, with_defaults(database).encode())
        if opened.status != pq.ConnStatus.OK:
            why = opened.error_message.decode(errors="replace").strip()
            opened.finish()
            raise Error("08001", "cannot connect to the database", why, "Check the URL or the PG* variables, and that the server runs.")
        return cls(opened)

    def send(self, sql: str, *parameters: Parameter) -> Answer:
        """Sends at once; the answer comes later."""
        answer: Answer = self._loop.create_future()
        if self.closed:
            answer.set_exception(Error("08006", "the connection to the database is closed"))
            return answer
        if self.asleep and self._nudge is None:
            self.interrupted = True
            self._nudge = self._loop.call_later(0.001, self._send_nudge, 0.002)
        self._in_flight.append(answer)
        with self._losing():
            self._pg.send_query_params(sql.encode(), [None if value is None else str(value).encode() for value in parameters])
            self._pg.pipeline_sync()
            self._flush()
        return answer

    def sleep(self, sql: str, *parameters: Parameter) -> Answer:
        """Sends what may take its time, and is ended by whatever is sent behind it."""
        self._sleeper = self.send(sql, *parameters)
        self.interrupted = False
        return self._sleeper

    @property
    def asleep(self) -> bool:
        return self._sleeper is not None and not self._sleeper.done()

    @contextlib.contextmanager
    def _losing(self) -> Iterator[None]:
        try:
            yield
        except OperationalError as broken:
            self.close(str(broken))

    def _send_nudge(self, delay: float) -> None:
        self._nudge = None
        if self.asleep:
            with self._losing():
                self._pg.send_flush_request()
                self._flush()
                self._nudge = self._loop.call_later(delay, self._send_nudge, min(delay * 2, 1.0))

    def _flush(self) -> None:
        with self._losing():
            self._loop.add_writer(self._socket, self._flush) if self._pg.flush() else self._loop.remove_writer(self._socket)

    def _receive(self) -> None:
        with self._losing():
            self._pg.consume_input()
            while self._in_flight and not self._pg.is_busy():
                result = self._pg.get_result()
                if result is None:
                    if self._pg.status != pq.ConnStatus.OK:
                        raise OperationalError("the server closed the connection")
                    continue  # ends one statement; the Sync behind it ends its transaction, and only then it is committed
                if result.status == pq.ExecStatus.PIPELINE_SYNC:
                    answer, rows, failure = self._in_flight.popleft(), self._rows, self._failure
                    self._rows, self._failure = [], None
                    if not answer.done():
                        answer.set_exception(failure) if failure else answer.set_result(rows)
                elif result.status in (pq.ExecStatus.TUPLES_OK, pq.ExecStatus.COMMAND_OK):
                    self._rows = rows_of(result)
                else:
                    self._failure = error_of(result)
                    if self._failure.poisons_connection or self._pg.status != pq.ConnStatus.OK:
                        return self.close(self._failure.message, self._failure.code)

    def close(self, why: str = "closed", code: str = "08006") -> None:
        if self.closed:
            return
        self.closed = True
        self._loop.remove_reader(self._socket)
        self._loop.remove_writer(self._socket)
        if self._nudge:
            self._nudge.cancel()
        self._pg.finish()
        self.on_lost()
        for answer in self._in_flight:
            if not answer.done():
                answer.set_exception(Error(code, "the connection to the database broke", why.strip()))
                answer.exception()  # some are awaited by nobody


def rows_of(result: PGresult) -> list[Row]:
    names = [(result.fname(column) or b"").decode() for column in range(result.nfields)]
    return [{name: None if (value := result.get_value(row, column)) is None else value.decode() for column, name in enumerate(names)}
            for row in range(result.ntuples)]


def error_of(result: PGresult) -> Error:
    fields = (pq.DiagnosticField.SQLSTATE, pq.DiagnosticField.MESSAGE_PRIMARY, pq.DiagnosticField.MESSAGE_DETAIL, pq.DiagnosticField.MESSAGE_HINT)
    code, message, detail, hint = ((result.error_field(field) or b"").decode(errors="replace") for field in fields)
    broken = Error("08006", "the connection to the database broke", result.error_message.decode(errors="replace").strip())
    return Error(code, message, detail, hint) if code else broken
