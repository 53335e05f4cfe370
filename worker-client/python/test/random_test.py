"""Random code, run with random interruptions and updates: every replay goes the way that the history tells."""
import asyncio
import random
import unittest

import orch
from orch.testing import Environment, Memory


class Crash(BaseException):
    pass


class Program:
    """A tree of steps, waits, signals, values, gathers and races. Code that branches on what it was given, so that another order would be seen."""

    def __init__(self, seed):
        self.dice = random.Random(seed)
        self.calls = 0
        self.tree = self.make(4)

    def make(self, depth):
        kinds = ["step", "remote", "wait", "signal", "now", "many"] + (["gather", "race", "sequence", "sequence"] if depth else [])
        kind = self.dice.choice(kinds) if depth < 4 else "sequence"
        more = [self.make(depth - 1) for _ in range(self.dice.randint(2, 4))] if kind in ("gather", "race", "sequence") else []
        return kind, self.dice.randint(0, 3), more

    def call(self):
        self.calls += 1
        return self.calls

    async def run(self, ctx, node, trace):
        kind, number, more = node
        if kind == "step":
            trace.append(await ctx.step(f"s{number}", self.call))
        elif kind == "remote":
            trace.append(await ctx.step(f"r{number}", number))
        elif kind == "wait":
            await ctx.wait(number * 10 + len(trace) % 3)
            trace.append("waited")
        elif kind == "signal":
            trace.append(await ctx.signal(f"g{number % 2}", timeout=15 * (number + 1)))
        elif kind == "now":
            trace.append([ctx.now().isoformat(), ctx.random()])
        elif kind == "many":
            trace.append(await ctx.gather(*(ctx.step(f"m{number}", self.call) for _ in range(number))))
        elif kind == "gather":
            await asyncio.gather(*(self.run(ctx, each, trace) for each in more))
        elif kind == "race":
            tasks = [asyncio.create_task(self.run(ctx, each, trace)) for each in more]
            done, rest = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            trace.append([at for at, task in enumerate(tasks) if task in done])
            if number % 2:
                for task in rest:
                    task.cancel()
        else:
            for each in more:
                await self.run(ctx, each, trace)
                if len(trace) % 5 == 4:  # what comes next hangs on what has been
                    trace.append(await ctx.step(f"extra{len(trace) % 2}", self.call))


class RandomTest(unittest.IsolatedAsyncioTestCase):
    async def run_program(self, seed):
        dice, program, tasks = random.Random(-seed - 1), Program(seed), orch.Registry()
        traces = []

        async def code(ctx, input):
            trace = []
            traces.append(trace)

            async def told(number):
                trace.append(["told", number, await ctx.step("told", program.call)])

            ctx.update("told", told)
            await program.run(ctx, program.tree, trace)
            return trace

        tasks.workflow("code")(code)
        env = Environment(tasks, mocks={f"r{n}": lambda task, input: input for n in range(4)})
        told = dice.random() < 0.25
        record, suspend, risk = Memory.record, Memory.suspend, dice.choice((0, 0.1, 0.3))

        async def may_crash(self, entries):
            if dice.random() < risk:
                raise Crash
            await record(self, entries)
            if dice.random() < risk:
                raise Crash

        async def suspend_may_crash(self, waits):
            if dice.random() < risk:
                raise Crash
            return await suspend(self, waits)

        Memory.record, Memory.suspend = may_crash, suspend_may_crash
        try:
            run = env.start("code")
            for _ in range(3000):
                try:
                    if run.state != "running" or run.parked:
                        break
                    await env.run()
                    if told and dice.random() < 0.3:
                        run._updates[str(len(run._updates))] = ("told", dice.randint(0, 100))
                        run._waits = None
                    elif dice.random() < 0.3:
                        await env.signal(run, f"g{dice.randint(0, 1)}", dice.randint(0, 100))
                    else:
                        await env.advance(dice.randint(1, 12))
                except Crash:
                    run._waits = None
                except orch.Error as over:
                    self.assertEqual(over.code, "OR020")
        finally:
            Memory.record, Memory.suspend = record, suspend
        self.assertIsNone(run.parked, f"seed {seed}")
        self.assertEqual(run.state, "succeeded", f"seed {seed}: {run.error} waiting for {run.waiting}")
        if not risk:  # with it, what was not recorded when a life ended may be another the next time
            for earlier in traces:
                self.assertEqual(earlier, run.output[:len(earlier)], f"seed {seed}")

    async def test_random_code_replays_as_it_ran(self):
        for seed in range(400):
            await self.run_program(seed)


if __name__ == "__main__":
    unittest.main()
