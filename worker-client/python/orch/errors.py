"""What can go wrong: refusals of the server, failures of tasks, and the one table of classes that engine and clients share."""
from __future__ import annotations

import asyncio
import subprocess
import traceback
from typing import Any, Mapping

import psycopg

Fields = dict[str, Any]

TRANSIENT = ("08", "40", "53", "57")
VALIDATION = ("22", "23", "42")


class Error(Exception):
    """A refusal of the server, or a connection that is not there. Branch on `code`. `error` is that of the code which was asked, where it is one (OR041)."""

    def __init__(self, code: str, message: str, detail: str = "", hint: str = "", error: Any = None) -> None:
        super().__init__(message)
        self.code, self.message, self.detail, self.hint, self.error = code, message, detail, hint, error

    def __str__(self) -> str:
        return "\n".join(filter(None, (f"{self.code}: {self.message}", self.detail, self.hint)))

    @property
    def retryable(self) -> bool:
        """Whether the same call may well succeed later."""
        return self.code[:2] in TRANSIENT or self.code == "55P03"

    @property
    def poisons_connection(self) -> bool:
        return self.code[:2] == "08" or self.code in ("57P01", "57P02", "57P03", "57P05")


class TaskError(Exception):
    """How a handler fails with a class of its own: raise TaskError("validation", "no_width", "the input has no width").

    The class decides whether the task is tried again, unless `retry` does; `retry_after` is the least delay before that, in seconds.
    Code that waits for a step gets the step's failure as this, too.
    """

    def __init__(self, class_: str, code: str, message: str, detail: Any = None, *, retry: bool | None = None, retry_after: float | None = None,
                 fields: Mapping[str, Any] | None = None) -> None:
        super().__init__(message)
        self.class_, self.code, self.message, self.detail, self.retry = class_, code, message, detail, retry
        self.fields = dict(fields or {}) | ({} if retry_after is None else {"retry_after_seconds": retry_after})

    def __str__(self) -> str:
        return f"{self.class_}/{self.code}: {self.message}"


class Skip(Exception):
    """Raised by a handler: nothing to do here, the task is skipped."""

    def __init__(self, reason: str = "") -> None:
        super().__init__(reason)
        self.reason = reason


class RunFailed(Exception):
    """A run whose result was asked for ended otherwise than by success."""

    def __init__(self, run_id: Any, state: str, error: Any) -> None:
        super().__init__(f"run {run_id} ended as {state}" + (f": {error.get('message', '')}" if isinstance(error, dict) else ""))
        self.run_id, self.state, self.error = run_id, state, error


class Stopped(BaseException):
    """What a handler that runs in a process of its own gets at its timeout or a cancel, as an async one gets asyncio.CancelledError."""


def class_of_sqlstate(code: str) -> str:
    return "transient" if code[:2] in TRANSIENT or code == "55P03" else "validation" if code[:2] in VALIDATION else "unknown"


def class_of_status(status: int) -> str:
    return "resource" if status in (408, 429) else "transient" if status >= 500 else "validation" if status >= 400 else "handler"


def is_retryable(class_: str) -> bool:
    return class_ not in ("validation", "cancelled")


def error(class_: str, code: str, message: str, **more: Any) -> Fields:
    return {"class": class_, "code": code, "message": message} | {key: value for key, value in more.items() if value is not None}


def describe(raised: BaseException) -> Fields:
    """The {class, code, message, detail, exit_code, traceback} of an exception."""
    message = (str(raised) or type(raised).__name__).replace("\0", "\ufffd")
    trace = "".join(traceback.format_exception(raised))[-8000:].replace("\0", "\ufffd")
    if isinstance(raised, TaskError):
        return error(raised.class_, raised.code, raised.message, detail=raised.detail) | raised.fields
    if isinstance(raised, (Error, psycopg.Error)):
        code = raised.code if isinstance(raised, Error) else raised.sqlstate or "08006"
        return error(class_of_sqlstate(code), code, message, traceback=trace)
    if isinstance(raised, subprocess.CalledProcessError):
        killed = raised.returncode < 0
        return error("infrastructure" if killed else "handler", "signal" if killed else "exit_code", message, exit_code=None if killed else raised.returncode)
    if isinstance(raised, (asyncio.CancelledError, Stopped)):
        return error("cancelled", "cancelled", "the task was stopped")
    # urllib's HTTPError has `code`, the responses of other libraries `response.status_code`.
    status = getattr(raised, "code", None) if hasattr(raised, "hdrs") else getattr(getattr(raised, "response", None), "status_code", None)
    if isinstance(status, int):
        headers = getattr(raised, "headers", None) or getattr(getattr(raised, "response", None), "headers", None) or {}
        after = str(headers.get("Retry-After", ""))
        return error(class_of_status(status), f"http_{status}", message, traceback=trace, retry_after_seconds=int(after) if after.isdigit() else None)
    return error("handler", type(raised).__name__, message, traceback=trace)


def failure(raised: BaseException) -> Fields:
    """An exception as the result of a task."""
    if isinstance(raised, Skip):
        return {"skip": raised.reason or True}
    fields: Fields = {"error": describe(raised)}
    if isinstance(raised, TaskError) and raised.retry is not None:
        fields["retry"] = raised.retry
    return fields


def raised_from(fields: Any) -> TaskError:
    """The exception that code gets for the error of a step."""
    if not isinstance(fields, dict):
        fields = {"message": str(fields)}
    known = {"class", "code", "message", "detail"}
    return TaskError(str(fields.get("class", "unknown")), str(fields.get("code", "unknown")), str(fields.get("message", "the step failed")),
                     fields.get("detail"), fields={key: value for key, value in fields.items() if key not in known})
