"""What a worker serves: handlers and workflows, and what a handler is told of its task."""
from __future__ import annotations

import inspect
from dataclasses import dataclass, field
from typing import Any, Callable, TypeVar

F = TypeVar("F", bound=Callable[..., Any])


class Task:
    """One attempt at one task. Its input is the handler's second argument, too."""

    def __init__(self, fields: dict[str, Any], tell: Callable[[str, Any], None]) -> None:
        self.lease: str = fields["lease"]
        self.run_id: str = fields["run_id"]
        self.task_id: str = fields["task_id"]
        self.attempt: int = fields["attempt"]
        self.executor: str = fields["executor"]
        self.handler: str | None = fields["handler"]
        self.spec: dict[str, Any] = fields["spec"]
        self.input: Any = fields["input"]
        self.traceparent: str | None = fields["traceparent"]
        self.idempotency_key: str = fields["idempotency_key"]
        self._tell = tell

    @property
    def previous_progress(self) -> Any:
        """What an earlier attempt told last: after a crash or a retry it can go on from there."""
        return self.spec.get("progress")

    @property
    def metadata(self) -> Any:
        return self.spec.get("metadata")

    def log(self, line: object, stream: str = "stdout") -> None:
        """A line for orch.logs."""
        self._tell("log", [stream, str(line)])

    def progress(self, value: Any) -> None:
        """How far the task is: goes with the next heartbeat, is shown in orch.attempts and given to the next attempt."""
        self._tell("progress", value)


@dataclass(frozen=True)
class Handler:
    name: str
    function: Callable[..., Any]
    concurrency: int | None = None
    isolate: bool = True
    batch: int = 0


@dataclass(frozen=True)
class Workflow:
    name: str
    version: str
    function: Callable[..., Any]
    options: dict[str, Any] = field(default_factory=dict)

    @property
    def route(self) -> str:
        return f":code/{self.name}@{self.version}"


class Registry:
    """Handlers and workflows by name; `orch.task` and `orch.workflow` put theirs into one for the whole program."""

    def __init__(self) -> None:
        self.tasks: dict[str, Handler] = {}
        self.workflows: dict[tuple[str, str], Workflow] = {}

    def task(self, name: str | None = None, *, concurrency: int | None = None, isolate: bool | None = None, batch: int = 0) -> Callable[[F], F]:
        """Declares fn(task, input) as a handler, by its own name or another.

        A plain function runs in a process of its own and is killed where it ignores its timeout; an async one runs in the worker, unless isolate=True.
        batch=n: fn(tasks) gets up to n tasks at once and returns their outputs in that order, an exception for one that failed.
        """

        def declare(function: F) -> F:
            called = name or function.__name__
            if called in self.tasks:
                raise ValueError(f"there are two handlers named {called}")
            apart = not inspect.iscoroutinefunction(function) if isolate is None else isolate
            if not apart and not inspect.iscoroutinefunction(function):
                raise ValueError(f"{called}: a plain function would hold up the whole worker, so it cannot run without isolation")
            self.tasks[called] = Handler(called, function, concurrency, apart, batch)
            return function

        return declare

    def workflow(self, name: str | None = None, *, version: str = "1", **options: Any) -> Callable[[F], F]:
        """Declares async fn(ctx, input) as durable code. Options are those of orch.register_code: queue, timeout_seconds, max_active_runs, tags, ..."""

        def declare(function: F) -> F:
            made = Workflow(name or function.__name__, version, function, options)
            if not inspect.iscoroutinefunction(function):
                raise ValueError(f"workflow {made.name} is no async function")
            if (made.name, version) in self.workflows:
                raise ValueError(f"there are two workflows named {made.name} of version {version}")
            self.workflows[made.name, version] = made
            return function

        return declare


registry = Registry()
task = registry.task
workflow = registry.workflow
