"""Processes for functions that may have to be killed.

They are forked by a helper that is forked itself before the worker has a connection or a thread: so they know the program's handlers, share no socket with
the server, and all of them end when the worker does, SIGKILL included. Each leads a process group; the helper, as their parent, sends all signals, so none
can reach a stranger under a number used again. A process serves task after task and is thrown away once it had to be stopped.
"""
from __future__ import annotations

import asyncio
import ctypes
import importlib
import inspect
import json
import os
import signal
import socket
import struct
import sys
from typing import Any, Callable, Mapping

from .errors import Fields, Stopped, TaskError, error, failure
from .payloads import Payloads
from .tasks import Handler, Task

PR_SET_PDEATHSIG = 1


def write_frame(to: socket.socket, message: Any) -> None:
    data = json.dumps(message, allow_nan=False).encode()
    to.sendall(struct.pack("!I", len(data)) + data)


def read_frame(source: socket.socket) -> Any:
    def exactly(size: int) -> bytes:
        parts = b""
        while len(parts) < size:
            part = source.recv(min(size - len(parts), 1 << 20))
            if not part:
                os._exit(0)
            parts += part
        return parts

    return json.loads(exactly(struct.unpack("!I", exactly(4))[0]))


class Lines:
    """Stands for stdout or stderr: what is printed becomes lines of the task's log."""

    encoding = "utf-8"

    def __init__(self, tell: Callable[[str, Any], None], stream: str) -> None:
        self._tell, self._stream, self._rest = tell, stream, ""

    def write(self, text: str) -> int:
        *lines, self._rest = (self._rest + text).split("\n")
        for line in lines:
            self._tell("log", [self._stream, line])
        return len(text)

    def flush(self) -> None:
        if self._rest:
            self._tell("log", [self._stream, self._rest])
            self._rest = ""

    def isatty(self) -> bool:
        return False


def callable_of(name: str, allowed: tuple[str, ...]) -> Callable[..., Any]:
    """The function that `module:function` names; `allowed` lists modules, `package.*` stands for all below."""
    module, _, path = name.partition(":")
    if not any(module == each or each.endswith(".*") and (module + ".").startswith(each[:-1]) for each in allowed):
        raise TaskError("validation", "callable_not_allowed", f"this worker does not serve module {module}", "It serves " + (", ".join(allowed) or "none") + ".")
    try:
        found: Any = importlib.import_module(module)
        for part in path.split("."):
            found = getattr(found, part)
    except (ImportError, AttributeError) as missing:
        raise TaskError("validation", "callable_not_found", f"there is no {name}: {missing}") from missing
    if not callable(found):
        raise TaskError("validation", "callable_not_found", f"{name} is no function")
    return found  # type: ignore[no-any-return]


class Server:
    """What a child does."""

    def __init__(self, handlers: Mapping[str, Handler], allowed: tuple[str, ...], payloads: Payloads) -> None:
        self.handlers, self.allowed, self.payloads = handlers, allowed, payloads
        self._running = False

    def serve(self, parent: socket.socket) -> None:
        signal.signal(signal.SIGTERM, self._stop)
        write_frame(parent, ["pid", os.getpid()])
        while True:
            request = read_frame(parent)
            tasks = [Task(fields, lambda kind, value, at=at: write_frame(parent, [kind, at, value])) for at, fields in enumerate(request)]  # type: ignore[misc]
            sys.stdout, sys.stderr = (Lines(tasks[0]._tell, stream) for stream in ("stdout", "stderr"))  # type: ignore[assignment]
            results = self._results(tasks)
            for stream in (sys.stdout, sys.stderr):
                stream.flush()
            write_frame(parent, ["results", results])

    def _stop(self, *_: object) -> None:
        if not self._running:
            os._exit(0)
        self._running = False
        raise Stopped

    def _results(self, tasks: list[Task]) -> list[Fields]:
        try:
            self._running = True
            try:
                results = self._call(tasks)
            finally:
                self._running = False
            return [failure(each) if isinstance(each, BaseException) else {"output": self.payloads.encode(each, f"runs/{task.run_id}")}
                    for each, task in zip(results, tasks)]
        except BaseException as raised:
            return [failure(raised)] * len(tasks)

    def _call(self, tasks: list[Task]) -> list[Any]:
        for task in tasks:
            task.input = self.payloads.decode(task.input)
        first = tasks[0]
        if first.executor == "callable":
            function = callable_of(first.spec["callable"], self.allowed)
            named = first.input if first.input is not None else first.metadata if first.metadata is not None else {}
            if not isinstance(named, dict):
                raise TaskError("validation", "callable_input", "the input of a callable is an object: its keys are the names of arguments")
            return [self._finish(function(**named))]
        handler = self.handlers[first.handler or ""]
        if handler.batch:
            return checked_batch(self._finish(handler.function(tasks)), tasks)
        return [self._finish(handler.function(first, first.input))]

    def _finish(self, result: Any) -> Any:
        """An async function's coroutine is run to its end; SIGTERM cancels it."""
        if not inspect.isawaitable(result):
            return result

        async def run() -> Any:
            running = asyncio.current_task()
            assert running
            asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, running.cancel)
            return await result

        try:
            return asyncio.run(run())
        finally:
            signal.signal(signal.SIGTERM, self._stop)


def checked_batch(outputs: Any, tasks: list[Task]) -> list[Any]:
    if not isinstance(outputs, (list, tuple)) or len(outputs) != len(tasks):
        raise TaskError("validation", "batch_size", f"a batch handler returns a list of as many outputs as it was given tasks: {len(tasks)}")
    return list(outputs)


def zygote(control: socket.socket, server: Server) -> None:
    """The helper: forks and kills until the worker is gone."""
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    children: set[int] = set()
    while True:
        message, fds, _, _ = socket.recv_fds(control, 64, 1)
        if not message:
            break
        if message == b"F":
            if child := os.fork():
                children.add(child)
                os.close(fds[0])
                continue
            control.close()
            os.setsid()
            ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
            signal.signal(signal.SIGINT, signal.default_int_handler)
            server.serve(socket.socket(fileno=fds[0]))
        pid = int(message[1:])
        if pid in children:
            signal_group(pid, signal.SIGTERM if message[:1] == b"T" else signal.SIGKILL)
            if message[:1] == b"K":
                os.waitpid(pid, 0)
                children.discard(pid)
    for pid in children:
        signal_group(pid, signal.SIGKILL)


def signal_group(pid: int, number: int) -> None:
    for send in (os.killpg, os.kill):
        try:
            send(pid, number)
            return
        except ProcessLookupError:
            pass


class Child:
    def __init__(self, children: Children, pid: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._children, self.pid, self._reader, self._writer = children, pid, reader, writer
        self._size: int | None = None

    async def run(self, request: list[Fields], tell: Callable[[str, int, Any], None]) -> list[Fields]:
        data = json.dumps(request).encode()
        self._writer.write(struct.pack("!I", len(data)) + data)
        return await self.listen(tell) or [{"error": error("infrastructure", "process_died", "the process of the task died")}] * len(request)

    async def listen(self, tell: Callable[[str, int, Any], None]) -> list[Fields]:
        """Passes on what it says until its results, or its end: none."""
        while True:
            try:
                message = await self.read()
            except (asyncio.IncompleteReadError, ConnectionError):
                return []
            if message[0] == "results":
                results: list[Fields] = message[1]
                return results
            tell(*message)

    async def read(self) -> Any:
        """The next message. May be cancelled and called again: what was read of it is kept."""
        if self._size is None:
            self._size = struct.unpack("!I", await self._reader.readexactly(4))[0]
        data = await self._reader.readexactly(self._size)
        self._size = None
        return json.loads(data)

    def terminate(self) -> None:
        self._children.control(b"T%d" % self.pid)

    def kill(self) -> None:
        self._children.control(b"K%d" % self.pid)
        self._writer.close()

    @property
    def ended(self) -> bool:
        return self._reader.at_eof()


class Children:
    def __init__(self, server: Server) -> None:
        self._server = server
        self._control: socket.socket | None = None
        self._idle: list[Child] = []
        self._pid = 0

    def start(self) -> None:
        """Forks the helper: before there is a connection, a thread or a signal handler."""
        ours, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        sys.stdout.flush()
        sys.stderr.flush()
        self._pid = os.fork()
        if self._pid == 0:
            try:
                ours.close()
                zygote(its, self._server)
            finally:
                os._exit(0)
        its.close()
        self._control = ours

    def control(self, message: bytes, fds: list[int] | None = None) -> None:
        assert self._control
        try:
            socket.send_fds(self._control, [message], fds or [])
        except OSError as gone:
            if fds:
                raise TaskError("infrastructure", "no_processes", "the worker's helper for processes is gone") from gone

    async def run(self, request: list[Fields], tell: Callable[[str, int, Any], None], grace: float) -> list[Fields]:
        """Runs tasks in a process; when cancelled, the process gets SIGTERM and after the grace SIGKILL, and its whole group with it."""
        child = await self._take()
        try:
            results = await child.run(request, tell)
        except asyncio.CancelledError:
            child.terminate()
            try:
                await asyncio.wait_for(child.listen(tell), grace)
            except asyncio.TimeoutError:
                pass
            finally:
                child.kill()
            raise
        except BaseException:
            child.kill()
            raise
        if child.ended:
            child.kill()
        else:
            self._idle.append(child)
        return results

    async def _take(self) -> Child:
        while self._idle:
            child = self._idle.pop()
            if not child.ended:
                return child
            child.kill()
        ours, its = socket.socketpair()
        with its:
            self.control(b"F", [its.fileno()])
        child = Child(self, 0, *await asyncio.open_connection(sock=ours))
        try:
            _, child.pid = await child.read()
        except (asyncio.IncompleteReadError, ConnectionError) as gone:
            raise TaskError("infrastructure", "no_processes", "a process for the task could not be made") from gone
        return child

    def stop(self) -> None:
        """Closing the connection is what ends the helper, and it ends the rest."""
        if self._control:
            self._control.close()
            os.waitpid(self._pid, 0)
            self._control = None
