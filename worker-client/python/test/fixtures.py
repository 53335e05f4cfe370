"""Handlers and workflows of the tests on a server."""
import asyncio
import os
import pathlib
import signal
import subprocess
import time

import orch

PLACE = pathlib.Path(os.environ.get("FIXTURES_PLACE", "/tmp"))


@orch.task()
async def echo(task, input):
    return input


@orch.task()
def loud(task, input):
    print("to stdout")
    os.write(2, b"past us\n")
    return os.getpid()


@orch.task()
async def slow(task, input):
    (PLACE / "slow").touch()
    await asyncio.sleep(input.get("seconds", 0.5))
    return "slept"


@orch.task(concurrency=2)
async def narrow(task, input):
    narrow.running = getattr(narrow, "running", 0) + 1
    narrow.most = max(getattr(narrow, "most", 0), narrow.running)
    await asyncio.sleep(0.05)
    narrow.running -= 1
    return narrow.most


@orch.task(concurrency=1)
async def gated(task, input):
    (PLACE / "gated").touch()
    while not (PLACE / "open").exists():
        await asyncio.sleep(0.01)
    (PLACE / "ended").touch()


@orch.task()
async def deaf(task, input):
    while True:
        try:
            await asyncio.sleep(600)
        except asyncio.CancelledError:
            (PLACE / "deaf").write_text("told")


@orch.task(isolate=True)
async def blocking(task, input):
    time.sleep(600)


@orch.task()
def fails(task, input):
    raise ValueError("secret words")


@orch.task()
async def odd(task, input):
    task.log("a half \ud800 and a zero \0.")
    try:
        task.progress({1, 2})
    except TypeError:
        task.log("refused")
    if input == "output":
        return "\0"
    if input == "half":
        return "\udc80"
    raise ValueError("zero \0 and half \ud800")


@orch.task()
def letters(task, input):
    return "x" * input


@orch.task()
def count(task, input):
    return len(input["text"])


def add(a, b=1):
    return a + b


async def add_soon(a, b):
    await asyncio.sleep(0)
    return a + b


def stubborn():
    """Hears nothing, and has a process beside that does not either."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    beside = subprocess.Popen(["sh", "-c", "trap '' TERM; sleep 600"])
    (PLACE / "stubborn").write_text(f"{os.getpid()} {beside.pid}")
    while True:
        try:
            time.sleep(600)
        except BaseException:
            pass


async def careful():
    try:
        await asyncio.sleep(600)
    except asyncio.CancelledError:
        (PLACE / "careful").write_text("cancelled")
        raise


@orch.workflow()
async def many(ctx, input):
    total = 0
    for n in range(input["rounds"]):
        total += sum(await ctx.gather(*(ctx.step("one", lambda: 1) for _ in range(500))))
    await ctx.wait(3600)
    return total


@orch.workflow()
async def large(ctx, input):
    text = await ctx.step("make", lambda: "x" * input)
    await ctx.wait(3600)
    return await ctx.step("count", {"text": text})


@orch.workflow()
async def tidy(ctx, input):
    def long():
        (PLACE / "long").touch()
        return asyncio.sleep(600)

    try:
        await ctx.step("long", long)
    finally:
        await ctx.step("tidy", lambda: "tidied")


@orch.workflow()
async def asks(ctx, input):
    first = await ctx.approval("may_we", form={"amount": 5}, timeout=3600)
    try:
        await ctx.approval("really", timeout=0.1)
    except orch.TaskError as error:
        return [first["approved"], first["comment"], error.class_]


@orch.workflow()
async def again(ctx, input):
    await ctx.step("before", lambda: (PLACE / "before").open("a").write("x"))
    return await ctx.step("look", lambda: (PLACE / "there").read_text(), retries=0)


@orch.workflow()
async def basket(ctx, input):
    items, closed = [], False

    async def add(item):
        items.append(await ctx.step("echo", item))
        return len(items)

    async def close(_):
        nonlocal closed
        closed = True

    def at(index):
        return items[index]

    def not_empty(item):
        if not item:
            raise ValueError("an item is no empty text")

    ctx.query("items", lambda _: items)
    ctx.query("at", at)
    ctx.update("add", add, not_empty)
    ctx.update("close", close)
    await ctx.condition(lambda: closed)
    return items
