"""Durable code in memory: replay, order, retries, signals, children, changed code."""
import asyncio
import contextlib
import datetime
import time
import unittest
import unittest.mock

import orch
from orch.testing import Environment, Memory, replay


class DurableTest(unittest.IsolatedAsyncioTestCase):
    def setUp(self):
        self.tasks = orch.Registry()
        self.env = Environment(self.tasks)
        self.made = []

    def workflow(self, function, **options):
        return self.tasks.workflow(**options)(function)

    def step(self, name, result=None):
        def call():
            self.made.append(name)
            if isinstance(result, Exception):
                raise result
            return result

        return call

    async def test_steps_run_once_however_often_the_code_is_replayed(self):
        async def many(ctx, input):
            total = 0
            for n in range(5):
                total += await ctx.step("add", lambda n=n: self.made.append(n) or n)
                await ctx.wait(60)
            return total

        self.workflow(many)
        self.assertEqual(await self.env.result("many"), 10)
        self.assertEqual(self.made, [0, 1, 2, 3, 4])
        self.assertEqual([row.id for row in self.env.runs[0].history][:4], ["add#1", "wait#1", "add#2", "wait#2"])

    async def test_handlers_get_their_input_and_give_their_output(self):
        @self.tasks.task()
        async def double(task, input):
            return input * 2

        @self.tasks.task()
        def plain(task, input):
            return {"of": input, "key": task.idempotency_key}

        async def both(ctx, input):
            return [await ctx.step("double", 21), await ctx.step("other", "x", handler="plain")]

        self.workflow(both)
        result = await self.env.result("both")
        self.assertEqual(result[0], 42)
        self.assertEqual(result[1]["of"], "x")
        self.assertTrue(result[1]["key"].endswith(":other#1"))

    async def test_gather_gives_results_in_the_order_of_the_calls(self):
        async def parallel(ctx, input):
            by_asyncio = await asyncio.gather(*(ctx.step("echo", n) for n in range(3)))
            by_context = await ctx.gather(*(ctx.step("echo", n) for n in range(3, 6)))

            async def two(n):
                first = await ctx.step("echo", n)
                return [first, await ctx.step("here", lambda: n)]

            return by_asyncio + by_context + await ctx.gather(two(6), two(7))

        self.workflow(parallel)
        self.env.mocks["echo"] = lambda task, input: input
        self.assertEqual(await self.env.result("parallel"), [0, 1, 2, 3, 4, 5, [6, 6], [7, 7]])

    async def test_the_tools_of_asyncio_work(self):
        async def tools(ctx, input):
            queue, found = asyncio.Queue(), []

            async def produce():
                for n in range(3):
                    queue.put_nowait(await ctx.step("echo", n))

            async with asyncio.TaskGroup() as group:
                group.create_task(produce())
                for _ in range(3):
                    found.append(await queue.get())
            first, rest = await asyncio.wait([ctx.signal("go"), ctx.wait(100)], return_when=asyncio.FIRST_COMPLETED)
            return [found, [done.result() for done in first], len(rest)]

        self.workflow(tools)
        self.env.mocks["echo"] = lambda task, input: input
        run = self.env.start("tools")
        await self.env.run()
        await self.env.signal(run, "go", "went")
        self.assertEqual((run.state, run.output), ("succeeded", [[0, 1, 2], ["went"], 1]))

    async def test_a_signal_before_and_after_the_wait_and_two_at_once(self):
        async def asks(ctx, input):
            first = await ctx.signal("answer")
            await ctx.wait(60)
            return [first, await ctx.signal("answer"), await ctx.signal("answer", timeout=5)]

        self.workflow(asks)
        run = self.env.start("asks")
        await self.env.run()
        for payload in (1, 2):
            await self.env.signal(run, "answer", payload)
        await self.env.advance(datetime.timedelta(minutes=1))
        self.assertEqual(run.waiting, ["signal:answer#3"])
        await self.env.advance(5)
        self.assertEqual(run.output, [1, 2, None])

    async def test_an_error_of_a_step_can_be_caught_and_fails_the_run_if_not(self):
        async def catches(ctx, input):
            try:
                await ctx.step("bad", self.step("bad", orch.TaskError("validation", "no", "not this one")))
            except orch.TaskError as error:
                caught = [error.class_, error.code]
            await ctx.wait(1)
            return caught

        async def fails(ctx, input):
            await ctx.wait(1)
            raise ValueError("on purpose")

        self.workflow(catches)
        self.workflow(fails)
        self.assertEqual(await self.env.result("catches"), ["validation", "no"])
        self.assertEqual(self.made, ["bad"])
        with self.assertRaises(orch.RunFailed) as raised:
            await self.env.result("fails")
        self.assertEqual((raised.exception.error["class"], raised.exception.error["code"]), ("handler", "ValueError"))

    async def test_a_step_in_place_is_tried_again_by_its_policy(self):
        tries = []

        def unsteady():
            tries.append(self.env.now)
            if len(tries) < 4:
                raise orch.TaskError("transient", "later", "later")
            return len(tries)

        async def flaky(ctx, input):
            return await ctx.step("unsteady", unsteady, retries=5, retry_delay_seconds=2, retry_jitter=0)

        self.workflow(flaky)
        self.assertEqual(await self.env.result("flaky"), 4)
        self.assertEqual([round((b - a).total_seconds()) for a, b in zip(tries, tries[1:])], [2, 4, 8])
        self.assertEqual([row.id for row in self.env.runs[0].history], ["unsteady#1:retry#3", "unsteady#1"])  # only the long pause is a timer

    async def test_values_are_recorded(self):
        async def values(ctx, input):
            taken = [ctx.now().isoformat(), ctx.random(), str(ctx.uuid())]
            stepped = await ctx.step("keep", lambda: taken)
            await ctx.wait(3600)
            return stepped == taken

        self.workflow(values)
        self.assertIs(await self.env.result("values"), True)

    async def test_children_and_what_becomes_of_them(self):
        async def child(ctx, input):
            await ctx.wait(10)
            return input + 1

        async def parent(ctx, input):
            return await ctx.child("child", await ctx.child("child", 1))

        async def hasty(ctx, input):
            ctx.child("child", 1)
            ctx.child("child", 2, parent_close="abandon")

        for each in (child, parent, hasty):
            self.workflow(each)
        self.assertEqual(await self.env.result("parent"), 3)
        await self.env.result("hasty")
        await self.env.advance(20)
        self.assertEqual([run.state for run in self.env.runs if run.workflow == "child"][2:], ["cancelled", "succeeded"])

    async def test_an_endless_one_goes_on_as_a_new_run_with_its_signals(self):
        async def countdown(ctx, input):
            if input["n"] == 0:
                return await ctx.signal("kept")
            await ctx.wait(1)
            ctx.continue_as_new({"n": input["n"] - 1})

        self.workflow(countdown)
        run = self.env.start("countdown", {"n": 2})
        await self.env.run()
        await self.env.signal(run, "kept", "here")
        await self.env.advance(5)
        self.assertEqual([each.state for each in self.env.runs], ["succeeded"] * 3)
        self.assertEqual(self.env.runs[-1].output, "here")

    async def test_changed_code_is_named_and_parked(self):
        async def old(ctx, input):
            await ctx.step("charge", lambda: 1)
            await ctx.wait(60)
            await ctx.step("mail", "x")

        async def renamed(ctx, input):
            await ctx.step("refund", lambda: 1)
            await ctx.wait(60)

        async def shorter(ctx, input):
            await ctx.step("charge", lambda: 1)

        async def other_kind(ctx, input):
            await ctx.step("charge", "input")

        async def longer(ctx, input):
            await ctx.step("charge", lambda: 1)
            await asyncio.gather(ctx.wait(60), ctx.step("more", lambda: 1))

        self.workflow(old)
        run = self.env.start("old")
        await self.env.run()
        history = run.history
        self.assertEqual(await replay(old, history), [])
        for code, named in ((renamed, ("charge#1", "refund#1")), (shorter, ("wait#1", "it has ended")), (other_kind, ("charge#1", "handler charge"))):
            with self.assertRaises(orch.RunFailed) as raised:
                await replay(code, history)
            self.assertEqual(raised.exception.error["code"], "non_deterministic")
            for each in named:
                self.assertIn(each, raised.exception.error["message"])
        self.assertEqual(await replay(longer, history), ["more#1"])
        self.tasks.workflows["old", "1"] = orch.tasks.Workflow("old", "1", renamed)
        await self.env.advance(60)
        self.assertEqual(run.parked["class"], "validation")
        self.tasks.workflows["old", "1"] = orch.tasks.Workflow("old", "1", old)
        run.parked, self.env.mocks["mail"] = None, "sent"
        await self.env.run()
        self.assertEqual(run.state, "succeeded")

    async def test_values_that_are_new_in_old_runs_are_named_as_well(self):
        async def old(ctx, input):
            await ctx.step("charge", lambda: 1)
            await ctx.wait(60)

        async def changed(ctx, input):
            try:
                ctx.now()
            except Exception:
                pass
            await ctx.step("charge", lambda: 1)
            await ctx.wait(60)

        self.workflow(old)
        run = self.env.start("old")
        await self.env.run()
        with self.assertRaisesRegex(orch.RunFailed, 'goes on with "charge#1"'):
            await replay(changed, run.history)

    async def test_patched_lets_both_ways_live(self):
        async def before(ctx, input):
            name = await ctx.step("first", lambda: "first")
            await ctx.wait(60)
            return name

        async def after(ctx, input):
            if ctx.patched("new"):
                name = await ctx.step("other", lambda: "other")
            else:
                name = await ctx.step("first", lambda: "first")
            await ctx.wait(60)
            return [name, ctx.patched("new")]

        self.workflow(before, name="changes")
        old = self.env.start("changes")
        await self.env.run()
        self.tasks.workflows["changes", "1"] = orch.tasks.Workflow("changes", "1", after)
        new = self.env.start("changes")
        await self.env.advance(60)
        self.assertEqual((old.output, new.output), (["first", False], ["other", True]))

    async def test_what_is_not_durable_is_refused(self):
        async def sleeps(ctx, input):
            await asyncio.sleep(1)

        async def waits(ctx, input):
            await asyncio.Event().wait()

        self.workflow(sleeps)
        self.workflow(waits)
        with self.assertRaisesRegex(orch.RunFailed, "ctx.wait"):
            await self.env.result("sleeps")
        with self.assertRaisesRegex(orch.RunFailed, "not durable"):
            await self.env.result("waits")

    async def test_a_step_can_be_cancelled_by_the_code(self):
        async def hasty(ctx, input):
            async def slow():
                await asyncio.sleep(100)

            step = ctx.step("slow", slow)
            quick = await ctx.step("quick", lambda: 1)
            step.cancel()
            try:
                await step
            except asyncio.CancelledError:
                return quick

        self.workflow(hasty)
        self.assertEqual(await asyncio.wait_for(self.env.result("hasty"), 10), 1)

    async def test_ten_thousand_steps_are_replayed_in_one_go(self):
        async def loop(ctx, input):
            total = 0
            for n in range(10_000):
                total += await ctx.step("add", lambda n=n: n)
            await ctx.wait(1)
            return total

        self.workflow(loop)
        run = self.env.start("loop")
        await self.env.run()
        self.made.clear()
        await self.env.advance(1)
        self.assertEqual(run.output, 49_995_000)

    async def test_the_order_of_completions_is_the_same_in_every_replay(self):
        orders = []

        async def race(ctx, input):
            order = []

            async def one(name):
                await ctx.signal(name)
                order.append(name)
                await ctx.step(f"after-{name}", lambda: order[:])

            await ctx.gather(one("a"), one("b"), one("c"))
            orders.append(order[:])
            await ctx.wait(1)
            orders.append(order[:])
            return order

        self.workflow(race)
        run = self.env.start("race")
        await self.env.run()
        for name in "bca":
            await self.env.signal(run, name)
        await self.env.advance(1)
        self.assertEqual(run.output, ["b", "c", "a"])
        self.assertEqual({tuple(order) for order in orders}, {("b", "c", "a")})
        self.assertEqual([row.id for row in run.history if row.id.startswith("after")], ["after-b#1", "after-c#1", "after-a#1"])

    async def test_mocks_stand_for_handlers_and_functions(self):
        async def signup(ctx, input):
            await ctx.step("mail", {"to": input})
            return await ctx.step("charge", self.step("charge"))

        self.workflow(signup)
        self.env.mocks |= {"mail": None, "charge": lambda: "mocked"}
        self.assertEqual(await self.env.result("signup", "me"), "mocked")
        self.assertEqual((self.made, self.env.calls), ([], ["mail", "charge"]))
        self.env.mocks["charge"] = orch.TaskError("validation", "poor", "no money")
        with self.assertRaisesRegex(orch.RunFailed, "no money"):
            await self.env.result("signup", "me")

    async def test_lines_and_tags(self):
        async def tells(ctx, input):
            ctx.log("before")
            ctx.set_tag("colour", "red")
            await ctx.wait(1)
            ctx.log("after")

        self.workflow(tells)
        await self.env.result("tells")
        self.assertEqual((self.env.runs[0].logs, self.env.runs[0].tags), (["before", "after"], {"colour": "red"}))

    async def test_a_step_in_place_that_takes_too_long_is_a_timeout(self):
        async def slow(ctx, input):
            try:
                await ctx.step("thread", lambda: time.sleep(60), timeout_seconds=0.05, retries=0)
            except orch.TaskError as error:
                return error.class_

        self.workflow(slow)
        self.assertEqual(await self.env.result("slow"), "timeout")

    async def cart(self, ctx, input):
        """A workflow that is asked and told things."""
        items, closed = [], False

        def check(item):
            self.made.append(f"check {item}")
            if not item:
                raise ValueError("an item is no empty text")

        async def add(item):
            items.append(await ctx.step("keep", self.step(f"keep {item}", item)))
            return len(items)

        async def close(wait):
            nonlocal closed
            await ctx.wait(wait)
            closed = True

        async def breaks(_):
            raise orch.TaskError("handler", "no_luck", "on purpose")

        ctx.query("items", lambda _: items)
        ctx.query("at", lambda at: items[at])

        ctx.update("add", add, check)
        ctx.update("close", close)
        ctx.update("breaks", breaks)
        await ctx.condition(lambda: closed)
        return items

    async def test_updates_are_validated_once_and_answered(self):
        self.workflow(self.cart, name="cart")
        run = self.env.start("cart")
        await self.env.run()
        self.assertEqual([await self.env.update(run, "add", "a", id="first"), await self.env.update(run, "add", "b")], [1, 2])
        self.assertEqual(await self.env.update(run, "add", "a", id="first"), 1)
        for name, input, code in (("add", "", "ValueError"), ("none", 1, "unknown_update"), ("breaks", None, "no_luck")):
            with self.assertRaises(orch.TaskError) as raised:
                await self.env.update(run, name, input)
            self.assertEqual((raised.exception.class_, raised.exception.code), ("handler" if name == "breaks" else "validation", code))
        with self.assertRaises(TimeoutError):
            await self.env.update(run, "close", 60, id="end")
        await self.env.advance(60)
        self.assertEqual((run.output, await self.env.update(run, "close", 60, id="end")), (["a", "b"], None))
        self.assertEqual(self.made, ["check a", "keep a", "check b", "keep b", "check "])
        self.assertEqual(await replay(self.cart, run.history), [])
        with self.assertRaises(orch.Error):
            await self.env.update(run, "add", "late")

    async def test_updates_that_come_together_are_decided_one_after_the_other(self):
        async def one_only(ctx, input):
            taken = []

            def check(name):
                if taken:
                    raise orch.TaskError("validation", "taken", f"{taken[0]} has it")

            async def take(name):
                taken.append(name)

            ctx.update("take", take, check)
            await ctx.wait(60)
            return taken

        self.workflow(one_only)
        run = self.env.start("one_only")
        run._updates |= {"1": ("take", "a"), "2": ("take", "b")}  # both are there before it begins
        await self.env.advance(60)
        self.assertEqual(run.output, ["a"])
        self.assertEqual([(row.id, (row.error or {}).get("code")) for row in run.history[:3]], [("update:1", None), ("answer:1", None), ("update:2", "taken")])

    async def test_queries_look_and_change_nothing(self):
        self.workflow(self.cart, name="cart")
        run = self.env.start("cart")
        await self.env.update(run, "add", "a")
        history = list(run.history)
        self.assertEqual([await self.env.query(run, "items"), await self.env.query(run, "at", 0)], [["a"], "a"])
        for name, input, code in (("at", 5, "IndexError"), ("none", None, "unknown_query")):
            with self.assertRaises(Exception) as raised:
                await self.env.query(run, name, input)
            self.assertEqual(getattr(raised.exception, "code", type(raised.exception).__name__), code)
        self.assertEqual((run.history, self.made), (history, ["check a", "keep a"]))
        with contextlib.suppress(TimeoutError):
            await self.env.update(run, "close", 1)
        await self.env.advance(1)
        self.assertEqual((run.state, await self.env.query(run, "items")), ("succeeded", ["a"]))

    async def test_a_condition_that_nothing_can_make_true_is_named(self):
        async def waits(ctx, input):
            await ctx.condition(lambda: False)

        self.workflow(waits)
        with self.assertRaisesRegex(orch.RunFailed, "not durable"):
            await self.env.result("waits")

    async def test_what_only_looks_is_no_async_function(self):
        async def waits(_):
            pass

        async def asked(ctx, input):
            ctx.query("state", waits)

        async def told(ctx, input):
            ctx.update("add", waits, waits)

        for code in (asked, told):
            self.workflow(code)
            with self.assertRaisesRegex(orch.RunFailed, "only looks"):
                await self.env.result(code.__name__)

    async def test_code_without_its_update_is_parked(self):
        async def without(ctx, input):
            ctx.update("other", lambda input: None)
            await ctx.condition(lambda: False)

        self.workflow(self.cart, name="cart")
        run = self.env.start("cart")
        await self.env.update(run, "add", "a")
        with self.assertRaisesRegex(orch.RunFailed, "no update add"):
            await replay(without, run.history)

    async def test_a_failed_step_that_is_pending_again_is_done_again(self):
        async def retried(ctx, input):
            await ctx.step("before", self.step("before"))
            return await ctx.step("failed", self.step("failed", "now"))

        self.workflow(retried)
        run = self.env.start("retried")
        await self.env.run()
        run.history[-1].state, run.history[-1].output = "pending", None
        self.made.clear()
        self.assertEqual(await replay(retried, run.history), ["failed#1"])
        self.assertEqual(self.made, ["failed"])

    async def test_results_come_in_the_order_of_their_records(self):
        orders = []

        @contextlib.asynccontextmanager
        async def slow_commit(journal, function):
            async def commit(entries):
                await asyncio.sleep(0.1)
                await journal.record(entries)

            yield function(None), commit

        async def both(ctx, input):
            order = []

            async def one(name, step):
                order.append(await step)

            async def soon():
                await asyncio.sleep(0.05)
                return "ends while the other commits"

            await ctx.gather(one("paid", ctx.step("pay", lambda connection: "paid", transaction=True)), one("soon", ctx.step("soon", soon)))
            orders.append(order)
            await ctx.wait(1)

        self.workflow(both)
        with unittest.mock.patch.object(Memory, "transaction", slow_commit):
            await self.env.result("both")
        self.assertEqual(orders[0], orders[1])

    async def test_a_connection_is_given_to_a_step_in_a_transaction(self):
        async def pays(ctx, input):
            return await ctx.step("pay", lambda connection: connection, transaction=True)

        self.workflow(pays)
        self.env.connection = "the connection"
        self.assertEqual(await self.env.result("pays"), "the connection")


if __name__ == "__main__":
    unittest.main()
