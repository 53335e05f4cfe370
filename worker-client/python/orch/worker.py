"""The worker: what it serves, how it starts and ends, and the life of its tasks: each runs, may be told to stop, and ends."""
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
from .database import pooled_of
from .durable import Execution
from .errors import Fields, error, failure
from .exchange import Exchange
from .guard import Guard
from .journal import Journal
from .payloads import Payloads
from .session import Row, json_of
from .tasks import Handler, Registry, Task, registry

log = logging.getLogger("orch")

STOPS = {"timeout": "is over its time", "cancel": "is cancelled", "lost": "was given to another worker", "drain": "has no more time, since this worker ends"}


class Job:
    """A lease: held from the answer that brought it until the one that settles it."""

    def __init__(self, worker: Worker, row: Row, handler: Handler | None) -> None:
        self.worker, self.lease, self.handler = worker, row["lease"] or "", handler
        self.fields: Fields = dict(row) | {"attempt": int(row["attempt"] or 0), **{key: json.loads(row[key] or "null") for key in ("spec", "input")}}
        self.leased_at = time.monotonic()
        self.absences = 0
        self.stopped: str | None = None  # one of STOPS
        self.lines: list[Fields] = []
        self.progress: tuple[Any] | None = None
        self.work: Work
        self.result: Fields = {}
        self.settled: asyncio.Future[str | None]  # by what was refused about it

    def __str__(self) -> str:
        return f"task {self.fields['task_id']} of run {self.fields['run_id']}"

    def tell(self, kind: str, value: Any) -> None:
        if kind == "progress":
            self.progress = (json.loads(json_of(value)),)  # what is no JSON is refused here, where the handler is
        else:
            if not self.lines:
                asyncio.get_running_loop().call_later(0.3, self.worker.exchange.send_lines, self)  # with those that follow soon
            self.lines.append({"stream": value[0], "line": value[1].replace("\0", "\ufffd"), "at": datetime.now(timezone.utc).isoformat()})


class Work:
    """What runs as one: a task, or those that a batch handler got together."""

    def __init__(self, worker: Worker, jobs: list[Job]) -> None:
        self._worker, self._jobs = worker, jobs
        self._guard: Guard | None = None
        self._execution: Execution | None = None
        for job in jobs:
            job.work = self
        self.runner = asyncio.create_task(self._run())

    async def _run(self) -> None:
        later = asyncio.get_running_loop().call_later
        deadlines = [later(max(0.0, float(left)), self.stop, job, "timeout") for job in self._jobs if (left := job.fields["seconds_left"]) is not None]
        results: list[Fields | None] = [{}] * len(self._jobs)
        try:
            results = list(await self._execute(self._jobs[0]))
        except asyncio.CancelledError:
            pass
        except Exception as raised:
            results = [failure(raised)] * len(self._jobs)
        for deadline in deadlines:
            deadline.cancel()
        ends = [self._end(job, self._outcome(job, result)) for job, result in zip(self._jobs, results)]
        await (asyncio.gather(*ends) if len(ends) > 1 else ends[0])

    async def _end(self, job: Job, result: Fields | None) -> None:
        worker = self._worker
        worker.running.discard(job)
        worker.last_work = time.monotonic()
        worker.wake.set()
        if result is None:
            worker.held.pop(job.lease, None)
        while result:
            if refusal := await worker.settle(job, result):
                log.warning("the result of %s was refused: %s", job, refusal)
            # With these the lease is still ours, so the attempt can be failed in its place.
            result = {"error": error("validation", refusal, f"its result is refused: {refusal}")} if refusal in ("too_large", "invalid") else None

    async def _execute(self, first: Job) -> Sequence[Fields | None]:
        """A result for each; None where the lease is over already."""
        worker, executor, handler = self._worker, first.fields["executor"], first.handler
        if executor in ("code", "query"):
            spec = first.fields["spec"]
            workflow = worker.tasks.workflows[spec["code"]["workflow"], spec["code"]["version"]]
            self._execution = Execution(workflow.function, Task(first.fields, first.tell), Journal(worker, first), worker.payloads)
            return [await self._execution.run(spec.get("query"))]
        if handler is None or handler.isolate:
            return await worker.children.run([job.fields for job in self._jobs], lambda kind, at, value: self._jobs[at].tell(kind, value), worker.grace)
        tasks = [Task(job.fields, job.tell) for job in self._jobs]
        for task in tasks:
            task.input = await worker.payloads.decoded(task.input)
        self._guard = Guard(handler.function(tasks) if handler.batch else handler.function(tasks[0], tasks[0].input))
        outputs = await self._guard
        return [failure(output) if isinstance(output, BaseException) else {"output": await worker.payloads.encoded(output, f"runs/{task.run_id}")}
                for output, task in zip(checked_batch(outputs, tasks) if handler.batch else [outputs], tasks)]

    def _outcome(self, job: Job, result: Fields | None) -> Fields | None:
        """What is told of it; None where nothing is, {} where it goes back as if it had never been leased. No result: it was stopped."""
        if result is None or job.stopped == "lost":
            return None
        if job.stopped == "drain" and "output" not in result and "skip" not in result:
            return {}
        if not result or (result.get("error") or {}).get("class") == "cancelled":
            ends = {"timeout": error("timeout", "timeout", f"the task did not end within its {job.fields['spec'].get('timeout_seconds')} s"),
                    "cancel": error("cancelled", "cancelled", "the task was cancelled")}
            others = error("infrastructure", "stopped_with_others", "the task was stopped with others of its batch")
            result = result | {"error": ends.get(job.stopped or "") or result.get("error", others)}
        return result | {"error": self._worker.payloads.hide(result["error"])} if "error" in result else result

    def stop(self, job: Job, why: str) -> None:
        if job.stopped or job not in self._worker.running:
            return
        job.stopped = why
        log.warning("%s: %s, stopping it", job, STOPS[why])
        if why != "timeout" and not all(each.stopped for each in self._jobs):
            return
        if why == "cancel" and self._execution:
            self._execution.cancel()
        else:
            self.runner.cancel()
            asyncio.get_running_loop().call_later(self._worker.grace, self.kill)

    def kill(self) -> None:
        """A coroutine that was told and goes on is never resumed again; a process gets SIGKILL."""
        if self._guard:
            self._guard.dead = True
        if self._worker.running.intersection(self._jobs):
            self.runner.cancel()


class Worker:
    def __init__(self, database: str = "", *, id: str | None = None, queues: Sequence[str] = ("default",), concurrency: int = 8, tasks: Registry = registry,
                 callables: Iterable[str] = (), payloads: Payloads | None = None, drain: float = 30, grace: float = 5, lease_time: str | None = None,
                 until_idle: float | None = None, metadata: Fields | None = None, version: str | None = None, start_timeout: float = 10,
                 pooled: bool | None = None) -> None:
        """database is a libpq URL or "k=v" text, empty for the PG* variables. callables lists the modules whose functions `callable` tasks may name.

        drain: seconds for what runs when stop is asked for; grace: between telling a task to stop and killing it. pooled: behind a pooler that gives
        connections away between transactions, as pooled=1 in the URL says.
        """
        self.database, self.queues, self.concurrency, self.tasks, self.callables = database, list(queues), max(1, concurrency), tasks, tuple(callables)
        self.id = id or f"{socket.gethostname()}:{os.getpid()}:{random.randrange(1 << 24):06x}"
        self.drain, self.grace, self.lease_time, self.until_idle, self.start_timeout = drain, grace, lease_time, until_idle, start_timeout
        self.metadata, self.version, self.payloads, self.pooled = metadata or {}, version, payloads or Payloads(), pooled_of(database)[1] if pooled is None else pooled
        self.held: dict[str, Job] = {}
        self.running: set[Job] = set()
        self.finished: list[Job] = []  # with results that are not yet settled
        self.wake = asyncio.Event()  # something has ended, has come or is asked for
        self.stops, self.drain_end, self.last_work = 0, 0.0, 0.0
        self.children = Children(Server(tasks.tasks, self.callables, self.payloads))
        self.exchange = Exchange(self)

    def run(self) -> None:
        """Serves until SIGTERM or SIGINT; a second one stops at once."""
        with asyncio.Runner() as runner:
            for number in (signal.SIGTERM, signal.SIGINT):
                runner.get_loop().add_signal_handler(number, self.stop)
            runner.run(self.serve())

    async def serve(self) -> None:
        """The same inside of a program's own loop; stop() ends it."""
        if self.callables or any(handler.isolate for handler in self.tasks.tasks.values()):
            self.children.start()
        try:
            await self.exchange.talk()
            # First nothing runs here any more, then it may run elsewhere.
            end = time.monotonic() + (1.0 if self.stops > 1 else self.grace + 1.0)
            while self.running and time.monotonic() < end:
                for job in self.running:
                    job.work.stop(job, "drain")
                    if self.stops > 1:
                        job.work.kill()
                await self.exchange.woken(0.1)
            await self.exchange.leave()
        finally:
            if self.exchange.session:
                self.exchange.session.close()
            for job in self.held.values():
                job.work.runner.cancel()
            self.children.stop()

    def stop(self) -> None:
        """No new task, some time for those that run, the rest is given back; called again: at once."""
        self.stops += 1
        self.drain_end = time.monotonic() + self.drain
        self.wake.set()

    def over(self) -> bool:
        now = time.monotonic()
        if self.until_idle is not None and not self.stops and not self.held and self.exchange.connected.is_set() and now - self.last_work >= self.until_idle:
            self.stop()
        return self.stops > 0 and (not (self.running or self.finished) or now >= self.drain_end or self.stops > 1)

    # What it holds.

    def served(self) -> list[str]:
        """The handlers that it takes tasks of: what is at a limit of its own is left out until it is not."""
        busy = Counter(job.handler for job in self.running)
        served = [name for name, handler in self.tasks.tasks.items() if handler.concurrency is None or busy[handler] < handler.concurrency]
        return served + [workflow.route for workflow in self.tasks.workflows.values()] + ([":callable"] if self.callables else [])

    def start(self, rows: list[Row]) -> list[str]:
        """Starts what was leased; returns the leases that it takes no more of."""
        busy = Counter(job.handler for job in self.running)
        works: list[list[Job]] = []
        unwanted = []
        for row in rows:
            handler = self.tasks.tasks.get(row["handler"] or "") if row["executor"] == "handler" else None
            job = Job(self, row, handler)
            busy[handler] += 1
            if self.stops or (handler and handler.concurrency and busy[handler] > handler.concurrency):
                unwanted.append(job.lease)
            elif handler and works and works[-1][0].handler == handler and len(works[-1]) < handler.batch:
                works[-1].append(job)
            else:
                works.append([job])
        for jobs in works:
            self.held |= {job.lease: job for job in jobs}
            self.running.update(jobs)
            Work(self, jobs)
        return unwanted

    def settle(self, job: Job, result: Fields) -> asyncio.Future[str | None]:
        """The result goes with the next exchange; what comes back is what was refused about it."""
        job.result, job.settled = result, asyncio.get_running_loop().create_future()
        self.held[job.lease] = job
        self.running.discard(job)
        self.finished.append(job)
        self.wake.set()
        return job.settled
