"""The worker and the clients on a server: run below test/with-server, with orch.test_clock on."""
import asyncio
import contextlib
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import time
import unittest

import psycopg

import fixtures
import orch
from orch.testing import replay, server

URL = os.environ["ORCH_DATABASE_URL"]
HERE = pathlib.Path(__file__).parent
PATIENCE = 60


class ServerTest(unittest.TestCase):
    def setUp(self):
        self.place = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.client = self.enterContext(orch.Client(URL))
        self.workers = []
        self.addCleanup(self.end)

    def end(self):
        for process in self.workers:
            if process.poll() is None:
                process.kill()
            process.communicate()

    def sql(self, query, *values):
        row = self.client.connection.execute(query, values).fetchone()
        return row[0] if row else None

    def until(self, what, condition):
        end = time.monotonic() + PATIENCE
        while not (answer := condition()):
            if time.monotonic() > end:
                self.fail(f"{what} has not come")
            time.sleep(0.02)
        return answer

    def worker(self, *options, code=None, database=URL, name=None):
        name = name or f"{self._testMethodName}-{len(self.workers)}"
        command = ["-c", code] if code else ["-m", "orch", "fixtures"]
        environment = dict(os.environ, PYTHONPATH=f"{HERE.parent}:{HERE}", FIXTURES_PLACE=str(self.place), ORCH_DATABASE_URL=database)
        process = subprocess.Popen([sys.executable, *command, "--name", name, *options], env=environment, stderr=subprocess.PIPE, text=True)
        self.workers.append(process)
        self.until("the worker", lambda: process.poll() is not None or self.sql("select true from orch.workers where worker = %s and state <> 'stopped'", name))
        process.name = name
        return process

    def stop(self, process):
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=PATIENCE)
        return said

    def run_of(self, **tasks):
        name = f"{self._testMethodName}-{time.monotonic_ns()}"
        self.client.register({"id": name, "on_failure": "continue", "tasks": tasks})
        return self.client.trigger(name)

    def task(self, run, id):
        cursor = self.client.connection.execute("select state, attempt, output, error from orch.tasks where run_id = %s and task_id = %s", [run, id])
        return cursor.fetchone()

    def over(self, run):
        with contextlib.suppress(orch.RunFailed):
            self.client.result(run, timeout=PATIENCE)

    def test_the_worker_of_the_readme_works(self):
        program = re.search(r"```python\n(.*?)```", (HERE.parent / "README.md").read_text(), re.S)[1]
        self.assertLessEqual(len(list(filter(None, program.split("\n")))), 15)
        process = subprocess.Popen([sys.executable, "-c", program], env=dict(os.environ, PYTHONPATH=str(HERE.parent)), stderr=subprocess.PIPE, text=True)
        self.workers.append(process)
        self.until("the workflow", lambda: self.sql("select true from orch.workflows where workflow = 'picture'"))
        run = self.client.trigger("picture", {"file": "a.png", "height": 21})
        self.assertEqual(self.client.result(run, timeout=PATIENCE)["wide"], 42)
        self.until("the line", lambda: self.sql("select line from orch.logs where run_id = %s", run) == "resized a.png")
        self.stop(process)

    def test_a_throw_away_server_is_there_and_gone(self):
        with server("orch.test_clock = on") as url:
            with orch.Client(url) as client:
                client.register({"id": "one", "tasks": {"only": {"noop": True, "input": "here"}}})
                self.assertEqual(client.result(client.trigger("one"), timeout=PATIENCE), {"only": "here"})
        with self.assertRaises(psycopg.OperationalError):
            psycopg.connect(url)

    def test_a_signal_can_start_its_run_and_an_approval_be_given(self):
        self.client.register({"id": "approvals", "tasks": {"answer": {"signal": {"name": "answer"}}, "may": {"approval": {"timeout_seconds": 3600}}}})
        run = self.client.signal_with_start("approvals", "answer", {"n": 1}, idempotency_key="asks")
        self.assertEqual(self.client.signal_with_start("approvals", "answer", {"n": 2}, idempotency_key="asks"), run)
        self.until("the approval", lambda: self.task(run, "may")[0] == "waiting")
        self.client.approve(run, "may", comment="fine")
        result = self.client.result(run, timeout=PATIENCE)
        self.assertEqual((result["answer"], result["may"]["approved"], result["may"]["comment"]), ({"n": 1}, True, "fine"))

    def test_callables_get_input_as_arguments_or_metadata(self):
        self.worker("--callable", "fixtures")
        run = self.run_of(
            input={"callable": "fixtures:add", "input": {"a": 1, "b": 2}}, metadata={"callable": "fixtures:add", "metadata": {"a": 5}},
            soon={"callable": "fixtures:add_soon", "input": {"a": 3, "b": 4}}, foreign={"callable": "os:getcwd"}, missing={"callable": "fixtures:none"},
            wrong={"callable": "fixtures:add", "input": {"c": 1}, "retries": 0})
        self.over(run)
        self.assertEqual([self.task(run, id)[2] for id in ("input", "metadata", "soon")], [3, 6, 7])
        self.assertEqual([self.task(run, id)[3]["code"] for id in ("foreign", "missing", "wrong")], ["callable_not_allowed", "callable_not_found", "TypeError"])
        self.assertIn("add", self.task(run, "wrong")[3]["traceback"])

    def test_what_ignores_everything_is_killed_at_its_timeout(self):
        self.worker("--callable", "fixtures", "--grace", "0.3s")
        limits = {"timeout_seconds": 1, "retries": 0}
        run = self.run_of(plain={"callable": "fixtures:stubborn"} | limits, told={"callable": "fixtures:careful"} | limits, deaf={"handler": "deaf"} | limits,
                          blocking={"handler": "blocking"} | limits)
        self.over(run)
        self.assertEqual({self.task(run, id)[0] for id in ("plain", "told", "deaf", "blocking")}, {"timed_out"})
        pids = (self.place / "stubborn").read_text().split()
        self.until("the end of the whole group", lambda: not any(self.lives(pid) for pid in pids))
        self.until("the cancellation", lambda: (self.place / "careful").exists() and (self.place / "deaf").exists())
        after = self.run_of(after={"handler": "echo", "input": "still here"})
        self.assertEqual(self.client.result(after, timeout=PATIENCE), {"after": "still here"})

    @staticmethod
    def lives(pid):
        try:
            return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
        except OSError:
            return False

    def test_processes_die_with_a_worker_that_is_killed(self):
        worker = self.worker("--callable", "fixtures")
        self.run_of(plain={"callable": "fixtures:stubborn", "retries": 0})
        pids = self.until("the callable", lambda: (self.place / "stubborn").exists() and (self.place / "stubborn").read_text().split())
        worker.kill()
        self.until("the end of its processes", lambda: not any(self.lives(pid) for pid in pids))

    def test_one_connection_serves_many_tasks(self):
        worker = self.worker("--concurrency", "40")
        self.client.register({"id": "wide", "tasks": {f"t{n}": {"handler": "slow", "input": {"seconds": 2}} for n in range(40)}})
        run = self.client.trigger("wide")
        self.until("forty at once", lambda: self.sql("select count(*) from orch.tasks where run_id = %s and state = 'running'", run) == 40)
        self.assertEqual(self.sql("select count(*) from pg_stat_activity where backend_type = 'client backend' and pid <> pg_backend_pid()"), 1)
        self.over(run)
        self.assertIn("stopped, 0 tasks given back", self.stop(worker))

    def test_a_handler_has_a_concurrency_of_its_own(self):
        self.worker("--concurrency", "10")
        run = self.run_of(**{f"t{n}": {"handler": "narrow"} for n in range(12)}, other={"handler": "echo"})
        self.over(run)
        most = self.sql("select max(output::int) from orch.tasks where run_id = %s and task_id <> 'other'", run)
        self.assertEqual(most, 2)

    def test_a_handler_that_ends_while_the_engine_is_told_that_it_is_full_is_not_forgotten(self):
        worker = self.worker("--concurrency", "4")
        with psycopg.connect(URL) as holder:
            holder.execute("select from _orch.worker where worker = %s for update", [worker.name])
            run = self.run_of(**{f"t{n}": {"handler": "gated"} for n in range(2)})
            self.until("the first", (self.place / "gated").exists)
            told = "select exists (select from pg_stat_activity where query like 'select orch.worker_start%%' and wait_event_type = 'Lock')"
            self.until("what the engine is told", lambda: self.sql(told))
            (self.place / "open").touch()
            self.until("the end of the first", (self.place / "ended").exists)
            holder.rollback()
        self.assertIsNotNone(self.client.result(run, timeout=30))

    def test_prints_are_lines_of_the_log(self):
        self.worker()
        run = self.run_of(loud={"handler": "loud"})
        self.over(run)
        self.assertEqual(self.sql("select array_agg(stream || ': ' || line) from orch.logs where run_id = %s", run), ["stdout: to stdout"])

    def test_what_the_database_cannot_hold_fails_its_own_task_only(self):
        self.worker()
        run = self.run_of(error={"handler": "odd", "retries": 0}, output={"handler": "odd", "input": "output"}, half={"handler": "odd", "input": "half"},
                          good={"handler": "echo", "input": 1})
        self.over(run)
        self.assertEqual({id: (self.task(run, id)[3] or {}).get("code") for id in ("error", "output", "half", "good")},
                         {"error": "ValueError", "output": "invalid_output", "half": "invalid_output", "good": None})
        self.assertEqual(self.task(run, "error")[3]["message"], "zero \ufffd and half ?")
        lines = [line for line, in self.client.connection.execute("select line from orch.logs where run_id = %s and task_id = 'error' order by line_no", [run])]
        self.assertEqual(lines, ["a half ? and a zero \ufffd.", "refused"])

    def test_drain_lets_tasks_end_and_a_second_signal_does_not(self):
        worker = self.worker()
        run = self.run_of(slow={"handler": "slow", "input": {"seconds": 1}})
        self.until("the handler", (self.place / "slow").exists)  # a task is leased before its worker knows of it
        self.assertIn("stopped, 0 tasks given back", self.stop(worker))
        self.assertEqual(self.task(run, "slow")[:3], ("succeeded", 1, "slept"))
        worker = self.worker()
        run = self.run_of(long={"handler": "slow", "input": {"seconds": 600}}, stubborn={"handler": "blocking"})
        self.until("both tasks", lambda: {self.task(run, id)[0] for id in ("long", "stubborn")} == {"running"})
        worker.send_signal(signal.SIGTERM)
        time.sleep(0.2)
        self.assertIn("stopped, 2 tasks given back", self.stop(worker))
        self.assertEqual({self.task(run, id)[0] for id in ("long", "stubborn")}, {"ready"})
        self.client.cancel(run)

    def test_a_worker_started_again_under_its_name_fails_what_it_held(self):
        first = self.worker(name="phoenix")
        run = self.run_of(slow={"handler": "slow", "input": {"seconds": 1}, "retry_delay_seconds": 0})
        self.until("the handler", (self.place / "slow").exists)  # a task is leased before its worker knows of it
        first.kill()
        self.worker(name="phoenix")
        self.over(run)
        self.assertEqual(self.task(run, "slow")[:3], ("succeeded", 2, "slept"))
        self.assertEqual(self.sql("select error ->> 'code' from orch.attempts where run_id = %s and attempt = 1", run), "worker_died")

    def test_a_failed_run_of_code_can_be_tried_again(self):
        self.worker()
        self.until("the workflow", lambda: self.sql("select true from orch.workflows where workflow = 'again'"))
        run = self.client.trigger("again")
        with self.assertRaisesRegex(orch.RunFailed, "there"):
            self.client.result(run, timeout=PATIENCE)
        (self.place / "there").write_text("now")
        self.client.retry(run)
        self.assertEqual(self.client.result(run, timeout=PATIENCE), "now")
        self.assertEqual((self.place / "before").read_text(), "x")

    def test_a_lost_connection_loses_nothing(self):
        worker = self.worker()
        run = self.run_of(slow={"handler": "slow", "input": {"seconds": 1}})
        self.until("the handler", (self.place / "slow").exists)  # a task is leased before its worker knows of it
        self.sql("select count(pg_terminate_backend(pid)) from pg_stat_activity where backend_type = 'client backend' and pid <> pg_backend_pid()")
        self.over(run)
        self.assertEqual(self.task(run, "slow")[:3], ("succeeded", 1, "slept"))
        self.assertIn("connecting again", self.stop(worker))

    def test_it_polls_where_await_work_is_not_to_be_had(self):
        self.client.connection.execute("do $$ begin create role poller login in role orch_worker; exception when duplicate_object then null; end $$")
        self.client.connection.execute("revoke execute on procedure orch.await_work(text, interval) from orch_worker")
        self.addCleanup(self.client.connection.execute, "grant execute on procedure orch.await_work(text, interval) to orch_worker")
        self.client.connection.execute("grant orch_admin to poller")
        worker = self.worker(code="import sys; sys.argv[1:1] = []\nimport orch, fixtures, logging, os\nlogging.basicConfig(level=logging.INFO)\n"
                             "R = orch.Registry(); R.task()(fixtures.echo)\norch.Worker(os.environ['ORCH_DATABASE_URL'], tasks=R, id=sys.argv[2]).run()",
                             database=URL.replace("postgres@", "poller@"))
        for n in range(2):
            run = self.run_of(echo={"handler": "echo", "input": n})
            self.assertEqual(self.client.result(run, timeout=PATIENCE), {"echo": n})
        self.assertIn("polling", self.stop(worker))

    def test_a_long_history_is_read_in_pages_and_ends_right(self):
        self.worker()
        self.until("the workflow", lambda: self.sql("select true from orch.workflows where workflow = 'many'"))
        run = self.client.trigger("many", {"rounds": 8})
        self.until("the wait", lambda: self.sql("select state from orch.tasks where run_id = %s and task_id = 'main'", run) == "waiting")
        self.assertEqual(self.sql("select count(*) from orch.tasks where run_id = %s", run), 4002)
        history = self.client.history(run)
        self.assertEqual(asyncio.run(replay(fixtures.many, history, {"rounds": 8})), [])
        with self.assertRaisesRegex(orch.RunFailed, '"wait#1"'):
            asyncio.run(replay(fixtures.many, history, {"rounds": 9}))
        self.sql("select _orch.advance_clock('61 minutes')")
        self.assertEqual(self.client.result(run, timeout=PATIENCE), 4000)

    def test_a_cancel_runs_the_finally_of_code(self):
        self.worker()
        self.until("the workflow", lambda: self.sql("select true from orch.workflows where workflow = 'tidy'"))
        run = self.client.trigger("tidy")
        self.until("the step", (self.place / "long").exists)
        self.client.cancel(run)
        self.over(run)
        self.assertEqual(self.client.status(run)["state"], "cancelled")
        self.assertEqual(self.task(run, "tidy#1")[2], "tidied")

    def test_code_is_asked_and_told(self):
        self.worker()
        self.until("the workflow", lambda: self.sql("select true from orch.workflows where workflow = 'basket'"))
        run = self.client.trigger("basket")
        self.assertEqual(self.client.query(run, "items", timeout=PATIENCE), [])
        self.assertEqual([self.client.update(run, "add", item, id=item, timeout=PATIENCE) for item in ("a", "b", "a")], [1, 2, 1])
        self.assertEqual(self.client.query(run, "at", 1, timeout=PATIENCE), "b")
        for call, class_, code in ((lambda: self.client.query(run, "at", 9, timeout=PATIENCE), "handler", "IndexError"),
                                   (lambda: self.client.query(run, "none", timeout=PATIENCE), "validation", "unknown_query"),
                                   (lambda: self.client.update(run, "add", "", timeout=PATIENCE), "validation", "ValueError"),
                                   (lambda: self.client.update(run, "none", timeout=PATIENCE), "validation", "unknown_update")):
            with self.assertRaises(orch.Error) as raised:
                call()
            self.assertEqual((raised.exception.code, raised.exception.error["class"], raised.exception.error["code"]), ("OR041", class_, code))
        with self.assertRaises(orch.Error) as raised:
            self.client.update(run, "add", "other", id="a")
        self.assertEqual(raised.exception.code, "OR004")
        self.assertEqual(asyncio.run(replay(fixtures.basket, self.client.history(run))), [])

        async def end():
            async with orch.AsyncClient(URL) as client:
                self.assertIsNone(await client.update(run, "close", timeout=PATIENCE))
                self.assertEqual(await client.result(run, timeout=PATIENCE), ["a", "b"])
                return await client.query(run, "items", timeout=PATIENCE)

        self.assertEqual(asyncio.run(end()), ["a", "b"])

    def test_code_asks_people(self):
        self.worker()
        self.until("the workflow", lambda: self.sql("select true from orch.workflows where workflow = 'asks'"))
        run = self.client.trigger("asks")
        self.until("the question", lambda: self.sql("select true from orch.approvals where run_id = %s", run))
        self.client.approve(run, "may_we#1", approved=False, comment="no money")
        self.assertEqual(self.client.result(run, timeout=PATIENCE), [False, "no money", "timeout"])

    def test_large_values_go_by_reference_and_come_back_whole(self):
        self.worker("--payloads", str(self.place / "store"))
        run = self.run_of(letters={"handler": "letters", "input": 1_500_000},
                          count={"handler": "count", "input": {"text": "{{ tasks.letters.output }}"}, "dependencies": ["letters"]})
        self.assertEqual(self.client.result(run, timeout=PATIENCE), {"count": 1_500_000})
        reference = self.task(run, "letters")[2]["$orch_ref"]
        self.assertEqual((reference["size"], len(reference["sha256"])), (1_500_002, 64))
        payloads = orch.Payloads(orch.Directory(self.place / "store"))
        self.assertEqual(payloads.decode({"deep": [{"$orch_ref": reference}]}), {"deep": ["x" * 1_500_000]})
        code = self.client.trigger("large", 1_200_000)
        self.until("the wait", lambda: self.sql("select state from orch.tasks where run_id = %s and task_id = 'main'", code) == "waiting")
        self.sql("select _orch.advance_clock('61 minutes')")
        self.assertEqual(self.client.result(code, timeout=PATIENCE), 1_200_000)

    def test_a_codec_hides_values_and_errors(self):
        worker = self.worker(code="import sys\nimport orch, fixtures, logging, os\nfrom server_test import Reverse\n"
                             "orch.Worker(os.environ['ORCH_DATABASE_URL'], id=sys.argv[2], payloads=orch.Payloads(codec=Reverse())).run()")
        client = self.enterContext(orch.Client(URL, payloads=orch.Payloads(codec=Reverse())))
        self.client.register({"id": "hidden", "tasks": {"only": {"handler": "echo", "input": "{{ input }}"}}})
        self.client.register({"id": "hidden_error", "tasks": {"only": {"handler": "fails", "retries": 0}}})
        run = client.trigger("hidden", {"who": "secret words"})
        self.assertEqual(client.result(run, timeout=PATIENCE), {"only": {"who": "secret words"}})
        failed = client.trigger("hidden_error", {"who": "secret words"})
        with self.assertRaises(orch.RunFailed):
            client.result(failed, timeout=PATIENCE)
        self.assertEqual(client.payloads.show(self.task(failed, "only")[3])["message"], "secret words")
        stored = self.sql("select string_agg(e::text, ' ') from orch.events e where run_id in (%s, %s)", run, failed)
        self.assertNotIn("secret", stored)
        self.assertIn("sdrow terces", stored)
        self.stop(worker)

    def test_a_run_exists_when_the_callers_transaction_commits(self):
        self.client.register({"id": "mine", "tasks": {"only": {"noop": True, "input": "{{ input }}"}}})
        with psycopg.connect(URL) as connection:
            mine = orch.Client(connection)
            rolled_back = mine.trigger("mine")
            connection.rollback()
            run = mine.trigger("mine", {"a": 1}, idempotency_key="k", tags={"t": "x"}, priority=3, timeout=60)
            with self.assertRaisesRegex(orch.Error, "25001"):
                mine.result(run)
            with self.assertRaisesRegex(orch.Error, "OR003"):
                self.client.status(run)
            connection.commit()
        with self.assertRaisesRegex(orch.Error, "OR003"):
            self.client.status(rolled_back)
        self.assertEqual(self.client.result(run, timeout=PATIENCE), {"only": {"a": 1}})
        self.assertEqual(self.client.trigger("mine", {"a": 1}, idempotency_key="k"), run)
        with self.assertRaises(orch.Error) as refused:
            self.client.trigger("mine", {"a": 2}, idempotency_key="k")
        self.assertEqual(refused.exception.code, "OR004")

    def test_the_client_waits_reads_events_and_cancels(self):
        self.client.register({"id": "waits", "tasks": {"only": {"sleep": 3600}}})
        run, other = self.client.trigger_many("waits", [{}, {"n": 2}])
        with self.assertRaises(TimeoutError):
            self.client.result(run, timeout=0.1)
        self.assertEqual(self.client.status(other)["input"], {"n": 2})
        self.assertIn(self.client.cancel(other), ("cancelled", "cancelling"))
        with self.assertRaises(orch.RunFailed) as failed:
            self.client.result(other, timeout=PATIENCE)
        self.assertEqual(failed.exception.state, "cancelled")
        events = self.client.events(run)
        first = next(events)
        self.assertEqual((first.kind, first.run_id), ("run_triggered", run))
        self.sql("select _orch.advance_clock('2 hours')")
        kinds = [event.kind for event in events]
        self.assertEqual(kinds[-1], "run_succeeded")
        self.assertIn("timer_fired", kinds)

    def test_the_asynchronous_client_does_the_same(self):
        async def run():
            async with orch.AsyncClient(URL) as client:
                await client.register({"id": "soon", "tasks": {"only": {"noop": True, "input": "{{ input.n }}"}}})
                runs = await client.trigger_many("soon", [{"n": n} for n in range(3)])
                results = [await client.result(run, timeout=PATIENCE) for run in runs]
                kinds = [event.kind async for event in client.events(runs[0])]
                return results, kinds[-1], (await client.status(runs[0]))["state"]

        self.assertEqual(asyncio.run(run()), ([{"only": n} for n in range(3)], "run_succeeded", "succeeded"))


class Reverse:
    """Stands for encryption."""

    def encode(self, value):
        return json.dumps(value)[::-1]

    def decode(self, value):
        return json.loads(value[::-1])


if __name__ == "__main__":
    unittest.main()
