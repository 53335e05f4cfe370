import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CancelledError, defineTask, defineWorkflow, TaskError, type Context } from '../../src/index.js';
import { Payloads } from '../../src/payloads.js';
import { TestEnvironment } from '../../src/testing/index.js';

const resize = defineTask('resize', async (_, { width }: { width: number }) => ({ width, done: true }));
const states = (run: { history: { id: string; state: string }[] }) => Object.fromEntries(run.history.map(({ id, state }) => [id, state]));

test('steps by handlers and in place, in order', async () => {
    const flow = defineWorkflow('flow', async (ctx, { width }: { width: number }) => {
        const resized = await ctx.step(resize, { width });
        const local = await ctx.step('local', () => resized.width + 1);
        return [resized.done, local];
    });
    const env = new TestEnvironment().serve(resize);
    const run = env.start(flow, { width: 3 });
    assert.deepEqual(await run.result(), [true, 4]);
    assert.deepEqual(
        run.history.map(({ no, id }) => [no, id]),
        [
            [1, 'resize#1'],
            [2, 'local#1'],
        ],
    );
});

test('a wait lets the time jump, and the code before it runs once', async () => {
    let calls = 0;
    const flow = defineWorkflow('flow', async (ctx) => {
        const before = ctx.now();
        await ctx.step('once', () => void calls++);
        await ctx.wait('3 days');
        return ctx.now().getTime() - before.getTime();
    });
    assert.equal(await new TestEnvironment().run(flow), 3 * 86_400_000);
    assert.equal(calls, 1);
});

test('time is moved by hand too', async () => {
    const env = new TestEnvironment();
    const run = env.start(defineWorkflow('flow', async (ctx) => void (await ctx.wait('1 hour'))));
    await env.advance('59 minutes');
    assert.equal(run.state, 'waiting');
    await env.advance('1 minute');
    assert.equal(run.state, 'succeeded');
});

test('a signal before its wait and after it, each once and in their order', async () => {
    const flow = defineWorkflow('flow', async (ctx) => [await ctx.signal('s'), await ctx.signal('s'), await ctx.signal('s', { timeout: '1 day' })]);
    const env = new TestEnvironment();
    const run = env.start(flow);
    run.signal('s', 1);
    await env.settle();
    assert.equal(run.state, 'waiting');
    run.signal('s', 2);
    assert.deepEqual(await run.result(), [1, 2, null]);
});

test('a run that waits for what will not come says so', async () => {
    const run = new TestEnvironment().start(defineWorkflow('flow', async (ctx) => void (await ctx.signal('never'))));
    await assert.rejects(run.result(), /waits for signal:never#1/);
});

test('what was given to the code comes in the same order in every replay', async () => {
    // Two timers and a step race; each replay has to take the same turns, or its next step would be another one.
    const flow = defineWorkflow('flow', async (ctx) => {
        const order: string[] = [];
        const one = async (name: string, ms: number) => {
            await ctx.wait(ms);
            order.push(name);
            await ctx.step(`after-${name}-${order.length}`, () => name);
        };
        await Promise.all([one('a', 30_000), one('b', 10_000), one('c', 20_000)]);
        await ctx.wait('1 hour');
        return order;
    });
    const env = new TestEnvironment();
    const run = env.start(flow);
    assert.deepEqual(await run.result(), ['b', 'c', 'a']);
    assert.deepEqual(await env.replay(flow, run.history), { state: 'succeeded', output: ['b', 'c', 'a'] });
});

test('time, chance and ids are what they were', async () => {
    const taken: unknown[] = [];
    const flow = defineWorkflow('flow', async (ctx) => {
        taken.push(JSON.stringify([ctx.now(), ctx.random(), ctx.uuid(), ctx.random()]));
        await ctx.wait('1 hour');
        await ctx.wait('1 hour');
    });
    await new TestEnvironment().run(flow);
    assert.equal(taken.length, 3);
    assert.equal(new Set(taken).size, 1);
});

test('the error of a step is caught the same live and replayed', async () => {
    const caught: unknown[] = [];
    const flow = defineWorkflow('flow', async (ctx) => {
        for (const run of [() => ctx.step('remote'), () => ctx.step('local', () => Promise.reject(new TaskError('validation', 'bad', 'no good', { a: 1 })))])
            await run().catch((error: TaskError) => caught.push([error.errorClass, error.code, error.message, error.detail]));
        await ctx.wait(1000);
        return 'over';
    });
    const env = new TestEnvironment().handler('remote', () => Promise.reject(new TaskError('validation', 'bad', 'no good', { a: 1 })));
    assert.equal(await env.run(flow), 'over');
    assert.equal(caught.length, 4); // both when they end, and both again after the wait
    assert.equal(new Set(caught.map((c) => JSON.stringify(c))).size, 1);
});

test('a step in place is tried again, at once or by a timer', async () => {
    let tries = 0;
    const flow = defineWorkflow('flow', (ctx) =>
        ctx.step('unsteady', { retries: 3, retryDelaySeconds: 60, retryMaxDelaySeconds: 300 }, (step) => {
            tries++;
            if (step.attempt < 3) throw new Error('not yet');
            return step.attempt;
        }),
    );
    const run = new TestEnvironment().start(flow);
    assert.equal(await run.result(), 3);
    assert.equal(tries, 3);
    assert.deepEqual(Object.keys(states(run)), ['unsteady#1:retry#1', 'unsteady#1:retry#2', 'unsteady#1']);
});

test('a step in place beside one elsewhere does not hold it up', async () => {
    const env = new TestEnvironment();
    const slow = defineWorkflow('flow', (ctx) =>
        ctx.all([ctx.step('local', () => new Promise((resolve) => setTimeout(resolve, 20, 'l'))), ctx.step('remote')]),
    );
    env.handler('remote', () => 'r');
    const run = env.start(slow);
    assert.deepEqual(await run.result(), ['l', 'r']);
    assert.deepEqual(
        run.history.map((row) => row.id),
        ['remote#1', 'local#1'],
    );
});

test('many steps started together wake the run once', async () => {
    let wakes = 0;
    const flow = defineWorkflow('flow', async (ctx) => {
        wakes++;
        return (await ctx.all(Array.from({ length: 50 }, (_, n) => ctx.step<number>('echo', n)))).length;
    });
    assert.equal(await new TestEnvironment().handler('echo', (_, n) => n).run(flow), 50);
    assert.equal(wakes, 2);
});

test('loops, children, tags and going on as a new run', async () => {
    const child = defineWorkflow('child', async (ctx, { n }: { n: number }) => ctx.step('twice', () => 2 * n));
    const flow = defineWorkflow('flow', async (ctx, { left, sum = 0 }: { left: number; sum?: number }): Promise<number> => {
        ctx.setTag('left', left);
        const next = sum + (await ctx.child<number>(child, { n: left }));
        return left === 0 ? next : ctx.continueAsNew({ left: left - 1, sum: next });
    });
    const env = new TestEnvironment().serve(child);
    const run = env.start(flow, { left: 3 });
    assert.equal(await run.result(), 12);
    assert.deepEqual(run.tags, { left: 3 });
});

const before = defineWorkflow('changes', async (ctx) => {
    const said = await ctx.step('first', () => 'first');
    await ctx.wait('1 hour');
    return said;
});

test('changed code is named, whatever the change', async () => {
    const env = new TestEnvironment().handler('first', () => 1);
    const run = env.start(before);
    await env.settle();
    const changed: [RegExp, (ctx: Context) => unknown][] = [
        [/history has first#1.*asks for other#1 instead/, async (ctx) => ctx.step('other', () => 1)],
        [/history has first#1.*has ended without it/, async () => 'at once'],
        [/history has wait#1 \(sleep\).*has ended without it/, async (ctx) => ctx.step('first', () => 1)],
        [/history has first#1 \(a step in place\).*asks for handler first by that name/, async (ctx) => ctx.step('first')],
        [/history has wait#1 \(sleep\).*asks for handler wait by that name/, async (ctx) => (await ctx.step('first', () => 1), ctx.step('wait'))],
    ];
    for (const [message, code] of changed) {
        const replayed = await env.replay(defineWorkflow('changes', code), run.history);
        assert.equal(replayed.state, 'non_deterministic');
        assert.equal('error' in replayed && replayed.error.code, 'non_deterministic');
        assert.match('error' in replayed ? replayed.error.message : '', message);
    }
    assert.deepEqual(await env.replay(before, run.history), { state: 'waiting' });
});

test('patched code lets old runs go on as they began, and new ones the new way', async () => {
    const after = defineWorkflow('changes', async (ctx) => {
        const said = ctx.patched('new') ? await ctx.step('other', () => 'other') : await ctx.step('first', () => 'first');
        await ctx.wait('1 hour');
        return [said, ctx.patched('new')];
    });
    const env = new TestEnvironment();
    const old = env.start(before);
    await env.settle();
    assert.deepEqual(await env.replay(after, old.history), { state: 'waiting' });
    await env.advance('1 hour');
    assert.deepEqual(await env.replay(after, old.history), { state: 'succeeded', output: ['first', false] });
    assert.deepEqual(await env.run(after), ['other', true]);
});

test('what code awaits beside its steps is waited for, where nothing else is', async () => {
    const flow = defineWorkflow('flow', async (ctx) => {
        const digest = await crypto.subtle.digest('SHA-256', new Uint8Array([1]));
        await ctx.step('first', () => digest.byteLength);
        await new Promise((resolve) => setTimeout(resolve, 30));
        await ctx.wait(1000);
        return digest.byteLength;
    });
    const env = new TestEnvironment();
    const run = env.start(flow);
    assert.equal(await run.result(), 32);
    assert.deepEqual(await env.replay(flow, run.history), { state: 'succeeded', output: 32 });
});

test('a cancel is raised where the code waits, and what it cleans up is recorded', async () => {
    const env = new TestEnvironment();
    const cleaned: string[] = [];
    let run: ReturnType<typeof env.start>;
    const flow = defineWorkflow('flow', async (ctx) => {
        try {
            await ctx.step('work', () => run.cancel());
            await ctx.wait('1 day');
        } finally {
            await ctx.step('clean up', () => void cleaned.push('done'));
        }
    });
    run = env.start(flow);
    await assert.rejects(run.result(), { errorClass: 'cancelled' });
    assert.equal(run.state, 'cancelled');
    assert.deepEqual(cleaned, ['done']);
    assert.equal(states(run)['clean up#1'], 'succeeded');
});

test('mocked steps, and steps in a transaction without a database', async () => {
    const flow = defineWorkflow('flow', async (ctx) => [
        await ctx.step('charge', { amount: 1 }),
        await ctx.step('local', () => 'real'),
        await ctx.step('book', { transaction: true }, async (tx) => (await tx.query('insert ...')).rowCount),
    ]);
    const env = new TestEnvironment().mock('charge', ({ amount }) => ({ charged: amount })).mock('local', () => 'mocked');
    assert.deepEqual(await env.run(flow), [{ charged: 1 }, 'mocked', 0]);
});

test('a result is the same live as after a replay: JSON', async () => {
    const seen = new Set<string>();
    const flow = defineWorkflow('flow', async (ctx) => {
        const when = await ctx.step('when', () => ({ at: new Date(0), left: undefined }));
        seen.add(`${typeof when.at} ${Object.keys(when)}`);
        await ctx.wait(1);
    });
    await new TestEnvironment().run(flow);
    assert.deepEqual([...seen], ['string at']);
});

test('fifty thousand steps are read once and replayed in a line', async () => {
    const n = 50_000;
    const flow = defineWorkflow('flow', async (ctx) => {
        let sum = 0;
        for (let i = 0; i < n; i++) sum += await ctx.step('add', () => 1);
        return sum;
    });
    const history = Array.from({ length: n }, (_, i) => ({
        no: i + 1,
        id: `add#${i + 1}`,
        definition: { step: true },
        state: 'succeeded',
        output: 1,
        error: null,
        ended_at: i,
    }));
    assert.deepEqual(await new TestEnvironment().replay(flow, history), { state: 'succeeded', output: n });
});

test('code that is stopped for another worker is told nothing', async () => {
    const { replay } = await import('../../src/code_run.js');
    const stop = new AbortController();
    const elsewhere = new CancelledError('cancelled', 'lost', 'the task is lost');
    let told = '';
    const code = async (ctx: Context) => {
        try {
            await ctx.step('long', (step) => new Promise((resolve) => (step.signal.addEventListener('abort', resolve), stop.abort(elsewhere))));
        } catch {
            told = 'caught';
        } finally {
            told ||= 'finally';
        }
    };
    const nothing = () => assert.fail('nothing is recorded any more');
    const journal = { history: async () => [], record: nothing, suspend: nothing, park: nothing, payloads: new Payloads() } as any;
    assert.equal(await replay(journal, defineWorkflow('w', code), { runId: 'r', attempt: 1, input: {}, signal: stop.signal }), null);
    await new Promise((resolve) => setTimeout(resolve, 20));
    assert.equal(told, '');
});

test('a function in place that asks its run for more is told why it may not', async () => {
    const flow = defineWorkflow('flow', (ctx) => ctx.step('outer', async () => ctx.now()));
    await assert.rejects(new TestEnvironment().run(flow), { code: 'nested_step', message: /outer#1 asks its run for now#1/ });
});
