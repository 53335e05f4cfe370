"""The worker: one connection does all the talking, however many tasks run.

    hungry    ask for tasks at the next turn: at the start, after await_work, and as long as every slot that was offered got one
    rest      await_work is in flight; a result or a heartbeat is simply sent behind it, which ends it
    finished  results not yet settled: those that end while an answer is on its way go together in the next exchange

A lost connection stops nothing: tasks go on, their results are sent when there is a server again, and the engine knows those that it has.
"""
from __future__ import annotations

import asyncio
import json
import logging
import os
import random
import signal
import socket
import time
from collections import Counter
from datetime import datetime, timezone
from typing import Any, Iterable, Sequence

from .children import Children, Server, checked_batch
from .durable import Execution
from .errors import Error, Fields, error, failure
from .guard import Guard
from .journal import Engine
from .payloads import Payloads
from .session import Row, Session, array, json_of
from .tasks import Registry, Task, registry

log = logging.getLogger("orch")

COLUMNS = ("lease, run_id, task_id, attempt, executor, handler, spec, input, traceparent, idempotency_key, "
           "extract(epoch from deadline_at - clock_timestamp())::float8 as seconds_left")
MAX_BATCH, MAX_BATCH_BYTES = 500, 8 << 20
LINES_EVERY = 0.3
QUICK = 0.02  # an await_work this short that brought nothing did not sleep
ABSENCES_OF_LOST = 3  # a server that has just started has not read its leases yet


class Job:
    """A lease: held from the answer that brought it until the answer that settles it."""

    def __init__(self, worker: Worker, row: Row) -> None:
        self.worker, self.lease = worker, row["lease"] or ""
        self.fields: Fields = dict(row) | {"attempt": int(row["attempt"] or 0), **{key: json.loads(row[key] or "null") for key in ("spec", "input")}}
        self.seconds_left = None if row["seconds_left"] is None else float(row["seconds_left"])
        self.leased_at = time.monotonic()
        self.absences = 0
        self.stopped: str | None = None  # timeout, cancel, lost, drain
        self.lines: list[Fields] = []
        self.progress: tuple[Any] | None = None
        self.group: Group | None = None
        self.deadline: asyncio.TimerHandle | None = None
        self.result: Fields = {}

    def __str__(self) -> str:
        return f"task {self.fields['task_id']} of run {self.fields['run_id']}"

    def tell(self, kind: str, value: Any) -> None:
        if kind == "progress":
            self.progress = (json.loads(json_of(value)),)  # what is no JSON is refused here, where the handler is
        else:
            self.lines.append({"stream": value[0], "line": value[1].replace("\0", "\ufffd"), "at": datetime.now(timezone.utc).isoformat()})
            self.worker.lines_soon()


class Group:
    """What runs as one: a task, or those that a batch handler got together."""

    def __init__(self, jobs: list[Job]) -> None:
        self.jobs = jobs
        self.runner: asyncio.Task[None] | None = None
        self.guard: Guard | None = None
        self.execution: Execution | None = None


class Worker:
    def __init__(self, database: str = "", *, id: str | None = None, queues: Sequence[str] = ("default",), concurrency: int = 8, tasks: Registry = registry,
                 callables: Iterable[str] = (), payloads: Payloads | None = None, drain: float = 30, grace: float = 5, lease_time: str | None = None,
                 until_idle: float | None = None, metadata: Fields | None = None, version: str | None = None, start_timeout: float = 10) -> None:
        """database is a libpq URL or "k=v" text, empty for the PG* variables. callables lists the modules whose functions `callable` tasks may name.

        drain: seconds for what runs when stop is asked for; grace: between telling a task to stop and killing it.
        """
        self.database, self.queues, self.concurrency, self.tasks, self.callables = database, list(queues), max(1, concurrency), tasks, tuple(callables)
        self.id = id or f"{socket.gethostname()}:{os.getpid()}:{random.randrange(1 << 24):06x}"
        self.payloads = payloads or Payloads()
        self.drain, self.grace, self.lease_time, self.until_idle, self.start_timeout = drain, grace, lease_time, until_idle, start_timeout
        self.metadata, self.version = metadata or {}, version
        self._children = Children(Server(tasks.tasks, self.callables, self.payloads))
        self._jobs: dict[str, Job] = {}
        self._running: set[Job] = set()
        self._finished: list[Job] = []
        self._session: Session | None = None
        self._hungry = True
        self._await: asyncio.Future[list[Row]] | None = None
        self._can_await, self._fruitless, self._poll_delay = True, 0, 0.1
        self._one_by_one = False  # a batch was refused as a whole: find the result that did it
        self._new_process = True  # what the engine lists at first was lost by a crash of our predecessor
        self._check_leases = False
        self._lines_due: asyncio.TimerHandle | None = None
        self._stops, self._drain_end = 0, 0.0
        self._registered: list[str] | None = None
        self._heartbeat_interval = 5.0
        self._last_work = 0.0

    # The life of the worker.

    def run(self) -> None:
        """Serves until SIGTERM or SIGINT; a second one stops at once."""
        self._start_children()

        async def main() -> None:
            for number in (signal.SIGTERM, signal.SIGINT):
                asyncio.get_running_loop().add_signal_handler(number, self.stop)
            await self._serve()

        try:
            asyncio.run(main())
        finally:
            self._children.stop()

    async def serve(self) -> None:
        """The same inside of a program's own loop; stop() ends it."""
        self._start_children()
        try:
            await self._serve()
        finally:
            self._children.stop()

    def stop(self) -> None:
        """No new task, some time for those that run, the rest is given back; called again: at once."""
        self._stops += 1
        self._drain_end = time.monotonic() + self.drain
        if self._session:
            self._wake.set()

    def _start_children(self) -> None:
        if self.callables or any(handler.isolate for handler in self.tasks.tasks.values()):
            self._children.start()

    async def _serve(self) -> None:
        self._wake, self._beat_now, self._connected = asyncio.Event(), asyncio.Event(), asyncio.Event()
        give_up, backoff, first = time.monotonic() + self.start_timeout, 0.1, True
        try:
            while not self._over():
                try:
                    self._session = await self._connect()
                    log.info("worker %s serves %d tasks at once", self.id, self.concurrency)
                    first, backoff = False, 0.1
                    await self._talk(self._session)
                except Error as why:
                    lost, self._session = self._session, None
                    self._connected.clear()
                    if lost:
                        lost.close()
                    if first and (not why.retryable or time.monotonic() >= give_up):
                        raise
                    if not (why.retryable or lost):
                        log.error("%s", why)
                    log.warning("%s; %d tasks go on, connecting again", str(why).replace("\n", ": "), len(self._running))
                    self._wake.clear()
                    await self._woken(backoff * random.uniform(0.5, 1.5))
                    backoff = min(backoff * 2, 5.0)
            await self._finish()
        finally:
            if self._session:
                self._session.close()
            for job in self._running:
                if job.group and job.group.runner:
                    job.group.runner.cancel()

    async def _connect(self) -> Session:
        session = await Session.connect(self.database)
        try:
            # This connection waits for hours on purpose.
            await session.call("set statement_timeout = 0")
            await session.call("set idle_session_timeout = 0")
            # Three heartbeats must fit into a lease.
            [row] = await session.call(
                "select least(extract(epoch from coalesce(nullif(current_setting('orch.heartbeat_interval', true), ''), '5s')::interval), "
                "extract(epoch from coalesce($1, nullif(current_setting('orch.default_lease_time', true), ''), '30s')::interval) / 3)::float8 as beat",
                self.lease_time)
            self._heartbeat_interval = max(0.1, float(row["beat"] or 5))
            for each in self.tasks.workflows.values():
                await session.call("select orch.register_code($1, $2, $3::jsonb)", each.name, each.version, json_of(each.options))
            self._registered = None
            await self._register(session)
        except BaseException:
            session.close()
            raise
        session.on_lost = self._wake.set
        self._hungry, self._can_await, self._check_leases, self._await = True, True, True, None
        self._last_work = time.monotonic()
        self._connected.set()
        return session

    async def _register(self, session: Session) -> None:
        """Says what is served: what is at a limit of its own is left out until it is not."""
        running = Counter(job.fields["handler"] for job in self._running if job.fields["executor"] == "handler")
        served = [name for name, handler in self.tasks.tasks.items() if handler.concurrency is None or running[name] < handler.concurrency]
        served += [workflow.route for workflow in self.tasks.workflows.values()]
        if self.callables:
            served.append(":callable")
        if served != self._registered:
            await session.call("select orch.worker_start($1, $2::text[], $3::text[], $4, $5::jsonb)", self.id, array(self.queues), array(served), self.version,
                               json_of(self.metadata))
            self._registered, self._hungry = served, True

    def _over(self) -> bool:
        now = time.monotonic()
        if self.until_idle is not None and not self._stops and not self._jobs and self._session and now - self._last_work >= self.until_idle:
            self.stop()
        return self._stops > 0 and (not (self._running or self._finished) or now >= self._drain_end or self._stops > 1)

    async def _woken(self, seconds: float | None) -> None:
        try:
            await asyncio.wait_for(self._wake.wait(), seconds)
        except asyncio.TimeoutError:
            pass

    async def _talk(self, session: Session) -> None:
        beat = asyncio.create_task(self._beat(session))
        try:
            while not self._over():
                self._wake.clear()
                free = 0 if self._stops else self.concurrency - len(self._running)
                if self._finished or (free > 0 and self._hungry):
                    await self._exchange(session, free)
                else:
                    await self._rest(session, free)
                if session.closed:
                    raise Error("08006", "the connection to the database broke")
        finally:
            beat.cancel()

    async def _rest(self, session: Session, free: int) -> None:
        left = self._drain_end - time.monotonic() if self._stops else None
        if self._stops or free <= 0:
            return await self._woken(left)
        if self._await is None and self._running:
            await self._woken(0.001)  # many a task ends at once
            if self._wake.is_set():
                return
        if not self._can_await or self._fruitless >= 5:
            await self._woken(self._poll_delay * random.uniform(0.5, 1.5))
            self._poll_delay, self._hungry = min(self._poll_delay * 2, 2.0), True
            return
        began = time.monotonic()
        if self._await is None:
            self._await = session.send("call orch.await_work($1, $2::interval)", [self.id, f"{self.until_idle or 600} s"], sleeps=True)
        waiting, woken = self._await, asyncio.create_task(self._wake.wait())
        both: set[asyncio.Future[Any]] = {waiting, woken}
        await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        woken.cancel()
        if not waiting.done():
            return
        self._await = None
        try:
            waiting.result()
        except Error as refused:
            if refused.poisons_connection:
                raise
            if not refused.retryable:
                self._can_await = False
                log.warning("await_work is not to be had (%s): polling", refused.message)
        if not session.interrupted:
            # There is work, or a task of ours was cancelled: the heartbeat tells which, and until it has, await_work would not sleep again.
            self._hungry = True
            self._fruitless = self._fruitless + 1 if time.monotonic() - began < QUICK else 0
            if self._jobs:
                self._beat_now.set()

    async def _finish(self) -> None:
        """First nothing runs here any more, then it may run elsewhere."""
        for job in list(self._running):
            self._stop_job(job, "drain")
        end = time.monotonic() + (1.0 if self._stops > 1 else self.grace + 1.0)
        if self._stops > 1:
            self._kill_all()
        while self._running and time.monotonic() < end:
            self._wake.clear()
            await self._woken(0.1)
            if self._stops > 1:
                self._kill_all()
        session = self._session
        if not session or session.closed:
            return log.warning("stopped without a connection: %d leases will expire", len(self._jobs))
        try:
            async with asyncio.timeout(5):
                while self._finished:
                    await self._exchange(session, 0)
                given_back = len(self._jobs)
                if self._jobs:
                    await session.call("select orch.release($1::text[])", array(self._jobs))
                await session.call("select orch.worker_stop($1)", self.id)
                log.info("stopped, %d tasks given back", given_back)
        except (Error, TimeoutError) as broken:
            log.warning("stopped without a goodbye: %s", broken)

    # What is sent and what comes back.

    async def call(self, sql: str, *parameters: str | None) -> list[Row]:
        """A statement that is sent again when the connection breaks: for those that may be repeated."""
        while True:
            await self._connected.wait()
            if not self._session:
                continue
            try:
                return await self._session.call(sql, *parameters)
            except Error as refused:
                if not refused.poisons_connection:
                    raise
                self._connected.clear()
                self._wake.set()

    async def _exchange(self, session: Session, free: int) -> None:
        if free > 0:
            await self._register(session)
        sent: list[Job] = []
        results, size = [], 0
        while self._finished and len(sent) < (1 if self._one_by_one else MAX_BATCH) and size < MAX_BATCH_BYTES:
            job = self._finished.pop(0)
            self._send_lines(job)  # a late line would be refused: its lease is over with the result
            sent.append(job)
            results.append(json_of({"lease": job.lease} | job.result))
            size += len(results[-1])
        text = "[" + ",".join(results) + "]"
        try:
            if free <= 0:
                rows = await session.call("select status, lease from orch.complete_many($1, $2::jsonb)", self.id, text)
            else:
                sql = f"select status, {COLUMNS} from orch.exchange($1, $2::jsonb, $3::int, $4::interval)"
                rows = await session.call(sql, self.id, text, free, self.lease_time)
        except Error as refused:
            self._finished[:0] = sent
            # One result that cannot be stored must not keep its neighbours from being settled.
            self._one_by_one = refused.code[:2] in ("22", "54")
            if self._one_by_one and len(sent) == 1:
                log.error("the result of %s cannot be stored (%s): failing the attempt", sent[0], refused.code)
                sent[0].result = {"error": error("validation", "invalid_output", f"the output cannot be stored: {refused.message}")}
            elif not self._one_by_one:
                raise
            return
        self._one_by_one = self._one_by_one and bool(self._finished)
        for job in sent:
            self._jobs.pop(job.lease, None)
        self._take(rows, {job.lease: job for job in sent}, free)

    def _take(self, rows: list[Row], sent: dict[str, Job], free: int) -> None:
        leased = []
        for row in rows:
            if row["status"] == "leased":
                leased.append(Job(self, row))
            elif job := sent.get(row["lease"] or ""):
                self._refuse(job, row["status"] or "")
        if leased:
            self._last_work, self._fruitless, self._poll_delay = time.monotonic(), 0, 0.1
        if free > 0:
            self._hungry = len(leased) == free
        running = Counter(job.fields["handler"] for job in self._running)
        groups: list[Group] = []
        unwanted = []
        for job in leased:
            name = job.fields["handler"]
            handler = self.tasks.tasks.get(name or "") if job.fields["executor"] == "handler" else None
            running[name] += 1
            if self._stops or (handler and handler.concurrency and running[name] > handler.concurrency):
                unwanted.append(job.lease)
                continue
            last = groups[-1] if groups else None
            if handler and handler.batch and last and last.jobs[0].fields["handler"] == name and len(last.jobs) < handler.batch:
                last.jobs.append(job)
            else:
                groups.append(Group([job]))
        for group in groups:
            self._start(group)
        if unwanted and self._session:
            self._session.send("select orch.release($1::text[])", [array(unwanted)])

    def _refuse(self, job: Job, status: str) -> None:
        if status in ("ok", "duplicate"):
            return
        log.warning("the result of %s was refused: %s", job, status)
        if status == "too_large":  # the lease is still ours, so the attempt can be failed in its place
            size = len(json_of(job.result.get("output")))
            job.result = {"error": error("validation", "too_large", f"the result of {size} bytes is over orch.max_result_bytes")}
            self._jobs[job.lease] = job
            self._finished.append(job)

    async def _beat(self, session: Session) -> None:
        while not session.closed:
            self._beat_now.clear()
            try:
                if self._jobs or self._check_leases:
                    await self._heartbeat(session)
                await asyncio.wait_for(self._beat_now.wait(), self._heartbeat_interval)
            except asyncio.TimeoutError:
                pass
            except Error as refused:
                log.warning("the heartbeat failed: %s", refused)
                await asyncio.sleep(self._heartbeat_interval)

    async def _heartbeat(self, session: Session) -> None:
        details = {lease: job.progress[0] for lease, job in self._jobs.items() if job.progress}
        for lease in details:
            self._jobs[lease].progress = None
        began = time.monotonic()
        rows = await session.call("select lease, status from orch.heartbeat($1, $2::jsonb)", self.id, json_of(details) if details else None)
        status = {row["lease"] or "": row["status"] for row in rows}
        self._check_leases = False
        for lease, job in list(self._jobs.items()):
            absent = status.get(lease) in (None, "lost")
            job.absences = job.absences + 1 if absent and job.leased_at < began else 0
            if status.get(lease) == "cancel":
                self._stop_job(job, "cancel")
            elif job.absences >= ABSENCES_OF_LOST:
                self._stop_job(job, "lost")
        unknown = [lease for lease, answer in status.items() if answer == "ok" and lease not in self._jobs]
        predecessor, self._new_process = self._new_process, False
        if not unknown:
            return
        # Our heartbeats would keep them alive for ever. What a process of the same name held when it died has used up an attempt, or a task that kills
        # its worker would be tried for ever; what was leased in an answer that never came has not.
        log.warning("%d leases of this worker are not known to it: giving them back", len(unknown))
        if predecessor:
            died = error("infrastructure", "worker_died", "the worker died and was started again")
            await session.call("select status from orch.complete_many($1, $2::jsonb)", self.id, json_of([{"lease": lease, "error": died} for lease in unknown]))
        else:
            await session.call("select orch.release($1::text[])", array(unknown))

    def lines_soon(self) -> None:
        if self._lines_due is None:
            self._lines_due = asyncio.get_running_loop().call_later(LINES_EVERY, self._send_all_lines)

    def _send_all_lines(self) -> None:
        self._lines_due = None
        for job in list(self._jobs.values()):
            self._send_lines(job)

    def _send_lines(self, job: Job) -> None:
        if job.lines and self._session:
            lines, job.lines = job.lines, []
            self._session.send("select orch.log($1, $2::jsonb)", [job.lease, json_of(lines)]).add_done_callback(lambda answer: self._logged(job, answer))

    def _logged(self, job: Job, answer: asyncio.Future[list[Row]]) -> None:
        refused = None if answer.cancelled() else answer.exception()
        if isinstance(refused, Error) and refused.code == "OR010":
            self._stop_job(job, "lost")

    # What runs.

    def _start(self, group: Group) -> None:
        loop = asyncio.get_running_loop()
        for job in group.jobs:
            self._jobs[job.lease], job.group = job, group
            self._running.add(job)
            if job.seconds_left is not None:
                job.deadline = loop.call_later(max(0.0, job.seconds_left), self._stop_job, job, "timeout")
        group.runner = asyncio.create_task(self._run(group))

    async def _run(self, group: Group) -> None:
        results: list[Fields | None] = [None] * len(group.jobs)
        try:
            results = list(await self._execute(group))
        except asyncio.CancelledError:
            pass
        except Exception as raised:
            results = [failure(raised)] * len(group.jobs)
        for job, result in zip(group.jobs, results):
            self._ended(job, result)

    async def _execute(self, group: Group) -> Sequence[Fields | None]:
        first = group.jobs[0]
        executor, name = first.fields["executor"], first.fields["handler"]
        handler = self.tasks.tasks.get(name or "") if executor == "handler" else None
        if executor == "code":
            return [await self._execute_code(group)]
        if handler is None and not (executor == "callable" and self.callables):
            raise LookupError(f"this worker does not serve {executor} {name}")
        if handler is None or handler.isolate:
            request = [job.fields for job in group.jobs]
            return await self._children.run(request, lambda kind, at, value: group.jobs[at].tell(kind, value), self.grace)
        tasks = [Task(job.fields, job.tell) for job in group.jobs]
        for task in tasks:
            task.input = await self.payloads.decoded(task.input)
        group.guard = Guard(handler.function(tasks) if handler.batch else handler.function(tasks[0], tasks[0].input))
        outputs = await group.guard
        encoded: list[Fields] = []
        for output, task in zip(checked_batch(outputs, tasks) if handler.batch else [outputs], tasks):
            if isinstance(output, BaseException):
                encoded.append(failure(output))
            else:
                encoded.append({"output": await self.payloads.encoded(output, f"runs/{task.run_id}")})
        return encoded

    async def _execute_code(self, group: Group) -> Fields | None:
        """None where the run was suspended or parked: its lease is over and there is nothing to settle."""
        [job] = group.jobs
        code = job.fields["spec"]["code"]
        workflow = self.tasks.workflows.get((code["workflow"], code["version"]))
        if workflow is None:
            raise LookupError(f"this worker does not serve workflow {code['workflow']} of version {code['version']}")
        engine = Engine(self, job.lease)
        group.execution = Execution(workflow.function, Task(job.fields, job.tell), engine, self.payloads)
        return await group.execution.run()

    def _ended(self, job: Job, result: Fields | None) -> None:
        self._running.discard(job)
        self._last_work = time.monotonic()
        if job.deadline:
            job.deadline.cancel()
        self._wake.set()
        stopped = result is None or (result.get("error") or {}).get("class") == "cancelled"
        over = job.group is not None and job.group.execution is not None and job.group.execution.suspended
        if job.stopped == "lost" or over:
            self._jobs.pop(job.lease, None)
            return
        if job.stopped == "drain" and (result is None or "error" in result):
            return  # ended because this worker ends: given back as if it had never been leased
        if job.stopped == "timeout" and stopped:
            seconds = job.fields["spec"].get("timeout_seconds")
            result = {"error": error("timeout", "timeout", f"the task did not end within its {seconds} s")}
        elif job.stopped == "cancel" and stopped:
            result = {"error": error("cancelled", "cancelled", "the task was cancelled")}
        elif result is None:
            result = {"error": error("infrastructure", "stopped_with_others", "the task was stopped with others of its batch")}
        if "error" in result:
            result = result | {"error": self.payloads.hide(result["error"])}
        job.result = result
        self._finished.append(job)

    def _stop_job(self, job: Job, why: str) -> None:
        if job.stopped or job not in self._running or job.group is None:
            return
        job.stopped = why
        log.warning("%s: %s, stopping it", job, {"timeout": "is over its time", "cancel": "is cancelled", "lost": "was given to another worker",
                                                 "drain": "has no more time, since this worker ends"}[why])
        group = job.group
        if why == "timeout" or all(each.stopped for each in group.jobs):
            if why == "cancel" and group.execution:
                group.execution.cancel()
            elif group.runner:
                group.runner.cancel()
                asyncio.get_running_loop().call_later(self.grace, self._kill, group)

    def _kill(self, group: Group) -> None:
        """A coroutine that was told and goes on is never resumed again; a process gets SIGKILL."""
        if group.runner and not group.runner.done():
            if group.guard:
                group.guard.dead = True
            group.runner.cancel()

    def _kill_all(self) -> None:
        for job in self._running:
            if job.group:
                self._kill(job.group)
