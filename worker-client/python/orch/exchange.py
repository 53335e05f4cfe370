"""What a worker and the server say to each other: one connection does all the talking, however many tasks run.

    hungry    ask for tasks at the next turn: at the start, after await_work, and as long as every slot that was offered got one
    rest      await_work is in flight; a result or a heartbeat is simply sent behind it, which ends it
    finished  results not yet settled: those that end while an answer is on its way go together in the next exchange

A lost connection stops nothing: tasks go on, their results are sent when there is a server again, and the engine knows those that it has.
"""
from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from typing import TYPE_CHECKING

from .database import POOLER, pauses
from .errors import Error, error
from .session import Answer, Parameter, Row, Session, array, json_of

if TYPE_CHECKING:
    from .worker import Job, Worker

log = logging.getLogger("orch")

# A server process of our own waits for hours on purpose; one behind a pooler is others' too. Three heartbeats must fit into a lease.
SET_UP = ("select pg_backend_pid() = $2::int as own, "
          "case when pg_backend_pid() = $2::int then set_config('statement_timeout', '0', false) || set_config('idle_session_timeout', '0', false) end, "
          "least(extract(epoch from coalesce(nullif(current_setting('orch.heartbeat_interval', true), ''), '5s')::interval), "
          "extract(epoch from coalesce($1, nullif(current_setting('orch.default_lease_time', true), ''), '30s')::interval) / 3)::float8 as beat")
EXCHANGE = "select *, extract(epoch from deadline_at - clock_timestamp())::float8 as seconds_left from orch.exchange($1, $2::jsonb, $3::int, $4::interval)"
RELEASE = "select orch.release($1::text[])"
MAX_BATCH, MAX_BATCH_BYTES = 500, 8 << 20
QUICK = 0.02  # an await_work this short that brought nothing did not sleep
ABSENCES_OF_LOST = 3  # a server that has just started has not read its leases yet


class Exchange:
    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        self.session: Session | None = None
        self.connected = asyncio.Event()
        self._hungry = True
        self._await: Answer | None = None
        self._can_await, self._fruitless, self._pauses, self._awaited_at = True, 0, pauses(), 0.0
        self._most = MAX_BATCH  # results at a time; a batch that was refused as a whole goes one by one, to find the result that did it
        self._new_process = True  # what the engine lists at first was lost by a crash of our predecessor
        self._beat_at, self._beat_interval = 0.0, 5.0
        self._registered: list[str] | None = None

    async def talk(self) -> None:
        """Until the worker is over, on one connection after the other."""
        worker, backoff, first = self._worker, pauses(5.0), True
        give_up = time.monotonic() + worker.start_timeout
        while not worker.over():
            try:
                session = await self._connect()
                log.info("worker %s serves %d tasks at once", worker.id, worker.concurrency)
                first, backoff = False, pauses(5.0)
                while not worker.over():
                    await self._turn(session)
            except Error as why:
                self.connected.clear()
                if self.session:
                    self.session.close()
                if first and (not why.retryable or time.monotonic() >= give_up):
                    raise
                log.warning("%s; %d tasks go on, connecting again", str(why).replace("\n", ": "), len(worker.running))
                worker.wake.clear()
                await self.woken(next(backoff))

    async def call(self, sql: str, *parameters: Parameter) -> list[Row]:
        """A statement that is sent again when the connection breaks: for those that may be repeated."""
        while True:
            await self.connected.wait()
            try:
                assert self.session
                return await self.session.send(sql, *parameters)
            except Error as refused:
                if not refused.poisons_connection:
                    raise
                self.connected.clear()

    async def woken(self, seconds: float | None = None) -> bool:
        """Until something has ended, has come or is asked for since it was asked last; at the next heartbeat at the latest."""
        wake, beat = self._worker.wake, max(0.05, self._beat_at - time.monotonic()) if self._worker.held and self.connected.is_set() else None
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(min((each for each in (seconds, beat) if each is not None), default=None)):
                await wake.wait()
        woken = wake.is_set()
        wake.clear()
        return woken

    async def leave(self) -> None:
        """Settles what has ended, and gives back what has not."""
        worker, held = self._worker, self._worker.held
        if not self.session or self.session.closed:
            return log.warning("stopped without a connection: %d leases will expire", len(held))
        try:
            async with asyncio.timeout(5):
                while worker.finished:
                    await self._exchange(self.session, 0)
                await self.session.send("select orch.worker_stop($1)", worker.id)
                log.info("stopped, %d tasks given back", len(held))
        except (Error, TimeoutError) as broken:
            log.warning("stopped without a goodbye: %s", broken)

    async def _connect(self) -> Session:
        worker = self._worker
        self.session = session = await Session.connect(worker.database)
        session.on_lost = worker.wake.set
        [row] = await session.send(SET_UP, worker.lease_time, session.process)
        if worker.pooled is None and row["own"] == "f":
            log.warning(POOLER)
        for each in worker.tasks.workflows.values():
            await session.send("select orch.register_code($1, $2, $3::jsonb)", each.name, each.version, json_of(each.options))
        self._can_await, self._await, self._registered = not worker.pooled, None, None
        await self._register(session)
        self._beat_at, self._beat_interval = 0.0, max(0.1, float(row["beat"] or 5))
        worker.last_work = time.monotonic()
        self.connected.set()
        return session

    async def _register(self, session: Session) -> None:
        worker = self._worker
        if (served := worker.served()) != self._registered:
            await session.send("select orch.worker_start($1, $2::text[], $3::text[], $4, $5::jsonb)", worker.id, array(worker.queues), array(served), worker.version,
                               json_of(worker.metadata))
            self._registered, self._hungry = served, True

    async def _turn(self, session: Session) -> None:
        worker = self._worker
        free = 0 if worker.stops else worker.concurrency - len(worker.running)
        if time.monotonic() >= self._beat_at and (worker.held or self._beat_at == 0):
            await self._heartbeat(session)
        elif worker.finished or (free > 0 and self._hungry):
            await self._exchange(session, free)
        elif free > 0:
            await self._rest(session)
        else:
            await self.woken(worker.drain_end - time.monotonic() if worker.stops else None)
        if session.closed:
            raise Error("08006", "the connection to the database broke")

    async def _rest(self, session: Session) -> None:
        """Until there may be something to do: what has ended, or await_work has."""
        worker = self._worker
        if self._await is None and worker.running and await self.woken(0.001):
            return  # many a task ends at once
        if not self._can_await or self._fruitless >= 5:
            await self.woken(next(self._pauses))
            self._hungry = True
            return
        if self._await is None:
            self._awaited_at = time.monotonic()
            self._await = session.sleep("call orch.await_work($1, $2::interval)", worker.id, f"{worker.until_idle or 600} s")
            self._await.add_done_callback(lambda _: worker.wake.set())
        await self.woken()
        if not self._await.done():
            return
        refused, self._await = self._await.exception(), None
        if isinstance(refused, Error) and not refused.retryable:
            self._can_await = False
            log.warning("await_work is not to be had (%s): polling", refused.message)
        if not session.interrupted:
            # There is work, or a task of ours was cancelled: the heartbeat tells which, and until it has, await_work would not sleep again.
            self._hungry = True
            self._fruitless = self._fruitless + 1 if time.monotonic() - self._awaited_at < QUICK else 0
            self._beat_at = min(self._beat_at, time.monotonic())

    async def _exchange(self, session: Session, free: int) -> None:
        """Settles what has ended and asks for as many tasks as there are free places."""
        worker = self._worker
        if free > 0:
            await self._register(session)
        sent: list[Job] = []
        results: list[str] = []
        while worker.finished and len(sent) < self._most and sum(map(len, results)) < MAX_BATCH_BYTES:
            sent.append(job := worker.finished.pop(0))
            self.send_lines(job)  # a late line would be refused: its lease is over with the result
            results.append(json_of({"lease": job.lease} | job.result))
        try:
            rows = await session.send(EXCHANGE, worker.id, "[" + ",".join(results) + "]", max(0, free), worker.lease_time)
        except Error as refused:
            worker.finished[:0] = sent
            if not sent or refused.code[:2] not in ("22", "54"):
                raise
            # One result that cannot be stored must not keep its neighbours from being settled.
            self._most = 1
            if len(sent) == 1:
                log.error("the result of %s cannot be stored (%s): failing the attempt", sent[0], refused.code)
                sent[0].result = {"error": error("validation", "invalid_output", f"the output cannot be stored: {refused.message}")}
            return
        self._most = MAX_BATCH
        refusals = {row["lease"]: row["status"] for row in rows if row["status"] != "leased"}
        for job in sent:
            worker.held.pop(job.lease, None)
            job.settled.set_result(refusals.get(job.lease))
        leased = [row for row in rows if row["status"] == "leased"]
        if leased:
            worker.last_work, self._fruitless, self._pauses = time.monotonic(), 0, pauses()
        if free > 0:
            # A handler that has come open since it was told to be full is to be told anew: nothing else may ever end.
            self._hungry = len(leased) == free or not set(worker.served()) <= set(self._registered or ())
        if unwanted := worker.start(leased):
            session.send(RELEASE, array(unwanted))

    async def _heartbeat(self, session: Session) -> None:
        held, began = self._worker.held, time.monotonic()
        self._beat_at = began + self._beat_interval
        details = {lease: job.progress[0] for lease, job in held.items() if job.progress}
        for job in held.values():
            job.progress = None
            self.send_lines(job)
        rows = await session.send("select lease, status from orch.heartbeat($1, $2::jsonb)", self._worker.id, json_of(details) if details else None)
        status = {row["lease"] or "": row["status"] for row in rows}
        for lease, job in list(held.items()):
            job.absences = job.absences + 1 if status.get(lease) in (None, "lost") and job.leased_at < began else 0
            if status.get(lease) == "cancel":
                job.work.stop(job, "cancel")
            elif job.absences >= ABSENCES_OF_LOST:
                job.work.stop(job, "lost")
        unknown = [lease for lease, answer in status.items() if answer == "ok" and lease not in held]
        if unknown:
            # Our heartbeats would keep them alive for ever. What a process of the same name held when it died has used up an attempt, or a task that kills
            # its worker would be tried for ever; what was leased in an answer that never came has not.
            log.warning("%d leases of this worker are not known to it: giving them back", len(unknown))
            died = [{"lease": lease, "error": error("infrastructure", "worker_died", "the worker died and was started again")} for lease in unknown]
            await session.send("select orch.complete_many($1, $2::jsonb)", self._worker.id, json_of(died if self._new_process else []))
            await session.send(RELEASE, array(unknown))
        self._new_process = False

    def send_lines(self, job: Job) -> None:
        def logged(answer: Answer) -> None:
            if getattr(answer.exception(), "code", "") == "OR010":
                job.work.stop(job, "lost")

        if job.lines and self.session and not self.session.closed:
            lines, job.lines = job.lines, []
            self.session.send("select orch.log($1, $2::jsonb)", job.lease, json_of(lines)).add_done_callback(logged)
