"""workers.py COUNT RUNS: so many workers in one process, and an application that starts runs of durable code and waits for their ends; through what ORCH_DATABASE_URL says."""
import asyncio
import os
import signal
import sys
import time

import orch

URL = os.environ["ORCH_DATABASE_URL"]


@orch.task("py")
async def handler(task, input):
    await asyncio.sleep(0.02)
    return input


@orch.workflow("code-py")
async def code(ctx, input):
    added = []
    ctx.update("add", lambda n: added.append(n) or sum(added))

    async def book(connection):
        # Often enough for psycopg to name a statement that it knows.
        for _ in range(7):
            await connection.execute("select from ledger where run_id = %s", [ctx.run_id])
        await connection.execute("insert into ledger values (%s, 'py')", [ctx.run_id])
        return input["n"]

    booked, here, ts, cpp = await ctx.gather(ctx.step("book", book, transaction=True), ctx.step("here", lambda: input["n"]),
                                             ctx.step("py", {"n": input["n"]}), ctx.step("py", {"n": input["n"]}))
    await ctx.wait(0.1)
    go = await ctx.signal("go")
    return {"sum": booked + here + ts["n"] + cpp["n"] + go, "pad": len(input["pad"])}


def persistently(call):
    """An application's own answer to a connection that is lost: another one, and the same again, which the keys make harmless."""
    while True:
        try:
            with orch.Client(URL) as client:
                return call(client)
        except orch.Error as lost:
            if not lost.poisons_connection and lost.code != "OR002":
                raise
        time.sleep(0.1)


def use(runs):
    pads = ["x" * (300_000 if n == 0 else n) for n in range(runs)]
    ids = [persistently(lambda client: client.trigger("code-py", {"n": n, "pad": pad}, idempotency_key=f"py-{n}")) for n, pad in enumerate(pads)]
    assert persistently(lambda client: client.update(ids[0], "add", 5, id="five")) == 5
    for id in ids:
        persistently(lambda client: client.signal(id, "go", 1))
    results = [persistently(lambda client: client.result(id, timeout=100)) for id in ids]
    # A signal that was sent twice is the next one's; a code that waits for one takes one.
    assert results == [{"sum": 4 * n + 1, "pad": len(pads[n])} for n in range(runs)], results
    kinds = [event.kind for event in persistently(lambda client: list(client.events(ids[0])))]
    assert kinds[-1] == "run_succeeded", kinds
    print(f"python: {runs} results", flush=True)


async def serve(count, runs):
    workers = [orch.Worker(URL, id=f"py-{n}", concurrency=4) for n in range(count)]
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, lambda: [worker.stop() for worker in workers])
    used = asyncio.create_task(asyncio.to_thread(use, runs)) if runs else None
    await asyncio.gather(*(worker.serve() for worker in workers))
    if used:
        await used


asyncio.run(serve(int(sys.argv[1]), int(sys.argv[2])))
