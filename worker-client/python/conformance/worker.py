#!/usr/bin/python3
"""The conformance worker of the Python client; ../../conformance/README.md says what it serves."""
import asyncio
import json
import logging
import os
import pathlib
import signal
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).parents[1]))
import orch  # noqa: E402
from orch.yaml import YamlError, to_json  # noqa: E402

REVISION = int(os.environ.get("ORCH_CONFORMANCE_REVISION", "1"))


@orch.task()
async def echo(task, input):
    return input


@orch.task()
async def describe(task, input):
    if task.attempt <= input.get("fail_times", 0):
        raise orch.TaskError("transient", "not_yet", "not yet")
    return {"run_id": task.run_id, "task_id": task.task_id, "attempt": task.attempt, "idempotency_key": task.idempotency_key, "traceparent": task.traceparent}


@orch.task()
def fail(task, input):
    if task.attempt <= input.get("times", 1_000_000):
        if "class" not in input:
            raise Exception(input["message"])
        raise orch.TaskError(input["class"], input["code"], input["message"])
    return {"attempt": task.attempt}


@orch.task()
async def skip(task, input):
    raise orch.Skip("nothing to do")


@orch.task()
def tell(task, input):
    for line in input["lines"]:
        print(line)


@orch.task()
async def steps(task, input):
    if task.attempt > 1:
        return {"previous": task.previous_progress}
    for at in range(1, input["to"] + 1):
        task.progress({"at": at})
    await asyncio.sleep(2)
    raise orch.TaskError("transient", "again", "once more")


@orch.task()
async def sleep(task, input):
    await asyncio.sleep(input["seconds"])


@orch.task()
def stubborn(task, input):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    time.sleep(600)


@orch.task()
def big(task, input):
    return "x" * input["bytes"]


@orch.task()
async def die(task, input):
    if task.attempt <= input["times"]:
        os.kill(os.getpid(), signal.SIGKILL)
    return {"attempt": task.attempt}


meeting = {"here": 0}


@orch.task()
async def meet(task, input):
    meeting["here"] += 1
    end = time.monotonic() + 60
    while meeting["here"] < input["of"]:
        if time.monotonic() > end:
            raise TimeoutError("the others have not come")
        await asyncio.sleep(0.01)
    return {"met": input["of"]}


@orch.task(batch=10)
async def batch(tasks):
    return [orch.TaskError("validation", "bad", "a bad one") if task.input == "bad" else {"value": task.input} for task in tasks]


@orch.workflow()
async def sequence(ctx, input):
    return [await ctx.step("echo", {"n": 1}), await ctx.step("local", lambda: {"n": 2})]


@orch.workflow()
async def wait(ctx, input):
    await ctx.wait(3600)
    return "waited"


@orch.workflow()
async def ask(ctx, input):
    return {"answer": await ctx.signal("answer", timeout=86400)}


@orch.workflow()
async def late_ask(ctx, input):
    await ctx.wait(3600)
    return {"answer": await ctx.signal("answer", timeout=86400)}


@orch.workflow()
async def asks(ctx, input):
    return [await ctx.signal("answer"), await ctx.signal("answer")]


@orch.workflow()
async def parallel(ctx, input):
    return await ctx.gather(*(ctx.step("echo", n) for n in (1, 2, 3)))


@orch.workflow()
async def first(ctx, input):
    answer, late = ctx.signal("answer"), ctx.wait(86400)
    await asyncio.wait([answer, late], return_when=asyncio.FIRST_COMPLETED)
    return answer.result() if answer.done() else "late"


@orch.workflow()
async def flaky(ctx, input):
    tries = []

    def unsteady():
        tries.append(1)
        if len(tries) < 3:
            raise orch.TaskError("transient", "not_yet", "not yet")
        return {"tries": len(tries)}

    return await ctx.step("unsteady", unsteady, retry_delay_seconds=0)


@orch.workflow()
async def catches(ctx, input):
    try:
        await ctx.step("fail", {"class": "validation", "code": "bad", "message": "bad"})
    except orch.TaskError as error:
        return {"class": error.class_, "code": error.code}


@orch.workflow()
async def fails(ctx, input):
    raise Exception("broken on purpose")


@orch.workflow()
async def values(ctx, input):
    taken = [ctx.now().isoformat(), ctx.random(), str(ctx.uuid())]
    said = await ctx.step("echo", taken)
    await ctx.wait(3600)
    return {"same": said == taken}


@orch.workflow()
async def child(ctx, input):
    return await ctx.child("sequence")


@orch.workflow()
async def loop(ctx, input):
    total = 0
    for n in range(input["n"]):
        total += await ctx.step("number", lambda n=n: n)
    return {"sum": total}


@orch.workflow()
async def countdown(ctx, input):
    if input["n"] == 0:
        return "done"
    ctx.continue_as_new({"n": input["n"] - 1})


@orch.workflow()
async def tags(ctx, input):
    ctx.set_tag("colour", "red")


def once(ctx, name):
    """True the first time that this is asked for, for whatever process asks."""
    try:
        os.close(os.open(f"{os.environ.get('TMPDIR', '/tmp')}/orch-{ctx.run_id}-{name}", os.O_CREAT | os.O_EXCL))
        return True
    except FileExistsError:
        return False


def effect(connection, ctx, name):
    connection.execute("insert into conformance_effect values (%s, %s)", [ctx.run_id, name])


@orch.workflow()
async def dies(ctx, input):
    def do(name):
        outside(ctx, name)
        if name == "two" and once(ctx, name):
            os.kill(os.getpid(), signal.SIGKILL)

    for name in ("one", "two", "three"):
        await ctx.step(name, lambda name=name: do(name))


@orch.workflow()
async def dies_in_transaction(ctx, input):
    async def two(connection):
        await connection.execute("insert into conformance_effect values (%s, 'two')", [ctx.run_id])
        if once(ctx, "two"):
            os.kill(os.getpid(), signal.SIGKILL)

    await ctx.step("one", lambda connection: effect(connection, ctx, "one"), transaction=True)
    await ctx.step("two", two, transaction=True)


@orch.workflow()
async def changes(ctx, input):
    new = REVISION == 2 or (REVISION == 3 and ctx.patched("new"))
    name = await ctx.step("other", lambda: "other") if new else await ctx.step("first", lambda: "first")
    await ctx.wait(3600)
    return name


def outside(ctx, name):
    import psycopg

    with psycopg.connect(os.environ["ORCH_DATABASE_URL"], autocommit=True) as connection:
        effect(connection, ctx, name)


@orch.workflow()
async def cart(ctx, input):
    items, paid = [], False

    def item(asked):
        at = asked.get("at") if isinstance(asked, dict) else None
        if not isinstance(at, int):
            raise orch.TaskError("validation", "bad_arguments", "at is a number")
        return items[at] if 0 <= at < len(items) else None

    def breaks(_):
        raise Exception("broken on purpose")

    def text_only(asked):
        outside(ctx, "validated")
        if not isinstance(asked.get("item"), str) or not asked["item"]:
            raise orch.TaskError("validation", "bad_item", "an item is a text")

    async def add(asked):
        items.append(asked["item"])
        return {"count": len(items)}

    async def check(asked):
        said = await ctx.step("echo", asked["value"])
        await ctx.step("remember", lambda: outside(ctx, "remembered"))
        return {"value": said}

    async def dies(_):
        def do():
            outside(ctx, "once")
            if once(ctx, "once"):
                os.kill(os.getpid(), signal.SIGKILL)

        await ctx.step("once", do)
        return {"survived": True}

    async def fails(_):
        raise orch.TaskError("handler", "no_luck", "broken on purpose")

    async def pay(_):
        nonlocal paid
        await ctx.wait(3600)
        paid = True
        return {"paid": True}

    ctx.query("items", lambda _: items)
    ctx.query("item", item)
    ctx.query("breaks", breaks)
    ctx.update("add", add, text_only)
    for handle in (check, dies, fails, pay):
        ctx.update(handle.__name__, handle)
    await ctx.condition(lambda: paid)
    return {"items": items}


if sys.argv[1:] == ["can"]:
    print(json.dumps(["transaction"]))
elif sys.argv[1:] == ["yaml"]:
    try:
        print(to_json(sys.stdin.read()))
    except YamlError as wrong:
        sys.exit(str(wrong))
else:
    logging.basicConfig(level=logging.INFO, stream=sys.stderr)
    orch.Worker(os.environ["ORCH_DATABASE_URL"], concurrency=10).run()
