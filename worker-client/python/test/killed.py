"""The sign-up flow with its worker killed at each point of its life; and one run more whose database is restarted while it waits.

A point is the moment before and after each statement that the worker sends, each commit, and each effect. For each one there is a workflow of its own whose
first worker dies there by SIGKILL; then one worker for all of them ends what they left. `killed.py worker POINT` and `killed.py survivor N` are those workers.
"""
import collections
import os
import pathlib
import signal
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).parents[1]))
import psycopg  # noqa: E402

import orch  # noqa: E402
from orch.session import Session  # noqa: E402

URL = os.environ["ORCH_DATABASE_URL"]
AT_ONCE, PAUSE, MOST = 6, 1.0, 400
COUNTED = ("orch.exchange", "orch.complete_many", "orch.history", "orch.record", "orch.suspend", "orch.outcomes")
passed = 0


def point(last=None):
    """Where the process may die."""
    global passed
    passed += 1
    if passed == int(os.environ.get("KILL_AT", "0")):
        os.kill(os.getpid(), signal.SIGKILL)


def instrument():
    send, commit = Session.send, psycopg.AsyncConnection.commit

    def counting(self, sql, *parameters):
        counts = any(name in sql for name in COUNTED)
        if counts:
            point()
        answer = send(self, sql, *parameters)
        if counts:
            answer.add_done_callback(lambda _: point())
        return answer

    async def committing(self):
        point()
        await commit(self)
        point()

    Session.send, psycopg.AsyncConnection.commit = counting, committing


def effect(connection, run, name, key=None):
    point()
    connection.execute("insert into effect values (%s, %s, %s)", [run, name, key])
    point()


def declare(number, pause=PAUSE):
    @orch.task(f"mail-{number}")
    async def mail(task, input):
        with psycopg.connect(URL, autocommit=True) as connection:
            effect(connection, task.run_id, f"mail {input}", task.idempotency_key)
        return input

    @orch.workflow(f"signup-{number}")
    async def signup(ctx, input):
        async def create(connection):
            point()
            await connection.execute("insert into effect values (%s, 'account')", [ctx.run_id])
            point()

        def note():
            with psycopg.connect(URL, autocommit=True) as connection:
                effect(connection, ctx.run_id, "note")

        await ctx.step(f"mail-{number}", "welcome")
        await ctx.step("create", create, transaction=True)
        confirmed = await ctx.signal("confirmed", timeout=60)
        await ctx.step("note", note)
        await ctx.wait(pause)
        await ctx.step("close", create, transaction=True)
        await ctx.step(f"mail-{number}", "follow-up")
        return confirmed


def work(numbers, **options):
    instrument()
    for number in numbers:
        declare(number, 5 if number == 0 else PAUSE)
    orch.Worker(URL, **options).run()


def main():
    database = psycopg.connect(URL, autocommit=True)
    database.execute("create table effect (run_id uuid, name text, key text)")

    def one(sql, *values):
        row = database.execute(sql, values).fetchone()
        return row[0] if row else None

    def until(what, condition):
        end = time.monotonic() + 120
        while not (answer := condition()):
            if time.monotonic() > end:
                sys.exit(f"{what} has not come")
            time.sleep(0.05)
        return answer

    def start(*arguments, **environment):
        return subprocess.Popen([sys.executable, __file__, *map(str, arguments)], env=os.environ | environment, stderr=subprocess.DEVNULL)

    def trigger(number):
        until(f"workflow signup-{number}", lambda: one("select true from orch.workflows where workflow = %s", f"signup-{number}"))
        run = one("select orch.trigger(%s)", f"signup-{number}")
        if number % 2:
            database.execute("select orch.signal(%s, 'confirmed', %s::jsonb)", [run, str(number)])  # before the wait; the others get it in the wait
        return run

    def waits_for_signal(run):
        return one("select true from orch.tasks where run_id = %s and task_id = 'signal:confirmed#1' and state = 'waiting'", run)

    runs, survived, number = {}, 0, 0
    living = {}
    while number < MOST and (not survived or living):
        if len(living) < AT_ONCE and not survived:
            number += 1
            living[number] = start("worker", number, KILL_AT=str(number))
        for each, process in list(living.items()):
            if each not in runs and one("select true from orch.workflows where workflow = %s", f"signup-{each}"):
                runs[each] = trigger(each)
            if each in runs and each % 2 == 0 and waits_for_signal(runs[each]):
                database.execute("select orch.signal(%s, 'confirmed', %s::jsonb)", [runs[each], str(each)])
            if process.poll() is not None:
                living.pop(each)
                if process.returncode != -signal.SIGKILL:
                    survived = survived or each  # it came to the end of the run: there are no further points
                if each not in runs:
                    sys.exit(f"worker {each} ended with {process.returncode} before its run began")
        time.sleep(0.02)
    print(f"killed at {survived - 1} points")
    survivor = start("survivor", number)
    for each, run in runs.items():
        while one("select state from orch.runs where run_id = %s", run) not in ("succeeded", "failed", "timed_out", "cancelled"):
            if each % 2 == 0 and waits_for_signal(run):
                database.execute("select orch.signal(%s, 'confirmed', %s::jsonb)", [run, str(each)])
            until(f"the end of run {each}", lambda: waits_for_signal(run) or one(
                "select state in ('succeeded', 'failed') from orch.runs where run_id = %s", run))

    # One run more, and a restart of the database while it waits.
    run = trigger(0)
    until("the wait for the signal", lambda: waits_for_signal(run))
    database.execute("select orch.signal(%s, 'confirmed', '0')", [run])
    until("the wait", lambda: one("select true from orch.timers where run_id = %s and task_id = 'wait#1'", run))
    subprocess.run(["server-ctl", "restart"], check=True, stdout=subprocess.DEVNULL)
    database = psycopg.connect(URL, autocommit=True)
    runs[0] = run
    until("the end of the run whose database was restarted", lambda: one("select state = 'succeeded' from orch.runs where run_id = %s", run))

    wrong = 0
    for each, run in runs.items():
        state, output = database.execute("select state, orch.result(run_id) from orch.runs where run_id = %s", [run]).fetchone()
        effects = collections.Counter(name for name, in database.execute("select name from effect where run_id = %s", [run]))
        once = collections.Counter(name for name, _ in set(database.execute("select name, coalesce(key, name) from effect where run_id = %s", [run])))
        wait = [kind for kind, in database.execute("select kind from orch.events where run_id = %s and task_id = 'wait#1' order by no", [run])]
        late = one("select extract(epoch from max(at) filter (where kind = 'timer_fired') - max(at) filter (where kind = 'timer_created'))::float8 "
                   "from orch.events where run_id = %s and task_id = 'wait#1'", run)
        pause = 5 if each == 0 else PAUSE
        good = (state == "succeeded" and output == each and effects["account"] == 2 and once == {"mail welcome": 1, "mail follow-up": 1, "account": 1, "note": 1}
                and max(effects.values()) <= 2 and wait == ["task_added", "task_started", "timer_created", "timer_fired", "task_succeeded"] and late >= pause - 0.001)
        if not good:
            wrong += 1
            print(f"point {each}: {state} {output} {dict(effects)} {wait} after {late} s")
    survivor.terminate()
    survivor.wait()
    twice = sum(n - 1 for n, in database.execute("select count(*) from effect where name not in ('account') group by run_id, name"))
    print(f"{len(runs)} runs, {wrong} wrong; steps that were not in a transaction were done again {twice} times")
    if wrong or survived < 20:
        sys.exit(1)


if sys.argv[1:2] == ["worker"]:
    work([int(sys.argv[2])], until_idle=3 * PAUSE, id=f"victim-{sys.argv[2]}")
elif sys.argv[1:2] == ["survivor"]:
    work(range(int(sys.argv[2]) + 1), concurrency=20)
else:
    main()
