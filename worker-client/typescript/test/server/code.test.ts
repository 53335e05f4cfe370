import assert from 'node:assert/strict';
import { test } from 'node:test';
import { defineTask, defineWorkflow, TaskError, type CancelledError, type OrchError } from '../../src/index.js';
import { sleep } from '../../src/json.js';
import { recordedHistory, TestEnvironment, TestServer } from '../../src/testing/index.js';
import { db, one, orch, state, until, url, working } from './support.js';

await db.query('create table if not exists ledger (run_id uuid, entry text)');

test('some thousands of steps, in place and elsewhere, and a replay of them', async () => {
    let replays = 0;
    const flow = defineWorkflow('long', async (ctx, { n }: { n: number }) => {
        replays++;
        let sum = 0;
        // Many at once, so that many are recorded at once.
        for (let i = 0; i < n; i += 250) for (const one of await ctx.all(Array.from({ length: 250 }, () => ctx.step('add', () => 1)))) sum += one;
        const many = await ctx.all(Array.from({ length: 200 }, (_, i) => ctx.step<number>('one', i)));
        await ctx.wait('1 hour');
        return sum + many.length;
    });
    await working([flow, defineTask('one', (_, i) => i)], async () => {
        const run = await orch.trigger(flow, { n: 3000 });
        await until('the wait', () => state(run.id, 'wait#1').then((s) => s === 'waiting'), 120);
        await one("select _orch.advance_clock('61 minutes')");
        assert.equal(await run.result('2 minutes'), 3200);
        // Once, for the two hundred, and for the wait.
        assert.equal(replays, 3);
        assert.deepEqual(await new TestEnvironment().replay(flow, await recordedHistory(db, run.id), { n: 3000 }), { state: 'succeeded', output: 3200 });
    });
});

test('what a step in a transaction did is undone with its failure, and done once', async () => {
    const flow = defineWorkflow('books', async (ctx) =>
        ctx.step('book', { transaction: true, retryDelaySeconds: 0 }, async (tx, step) => {
            await tx.query('insert into ledger values ($1, $2)', [ctx.runId, `try ${step.attempt}`]);
            if (step.attempt < 3) throw new Error('not yet');
            return step.attempt;
        }),
    );
    await working([flow], async () => {
        const run = await orch.trigger(flow);
        assert.equal(await run.result(), 3);
        assert.deepEqual((await db.query('select entry from ledger where run_id = $1', [run.id])).rows, [{ entry: 'try 3' }]);
    });
});

test('a connection that breaks at the commit of a step is no reason to do it twice', async () => {
    let calls = 0;
    const flow = defineWorkflow('cut', async (ctx) =>
        ctx.step('book', { transaction: true, retryDelaySeconds: 0 }, async (tx) => {
            calls++;
            await tx.query('insert into ledger values ($1, $2)', [ctx.runId, 'cut']);
            // Before the commit the first time: nothing of it stays.
            if (calls === 1) await one('select pg_terminate_backend($1)', [(await tx.query('select pg_backend_pid() as pid')).rows[0].pid]);
        }),
    );
    await working([flow], async () => {
        const run = await orch.trigger(flow);
        await run.result();
        assert.equal(calls, 2);
        assert.equal(await one('select count(*)::int from ledger where run_id = $1', [run.id]), 1);
    });
});

test('a cancel is raised in the code, and its steps to clean up are recorded', async () => {
    let running = false;
    const flow = defineWorkflow('cleans', async (ctx) => {
        try {
            await ctx.step('work', async (step) => {
                running = true;
                await sleep(600_000, step.signal);
            });
            await ctx.wait('1 day');
        } catch (error) {
            await ctx.step('clean up', () => (error as CancelledError).name);
            throw error;
        }
    });
    await working([flow], async () => {
        const run = await orch.trigger(flow);
        await until('the work', () => running);
        await run.cancel();
        await assert.rejects(run.result(), { errorClass: 'cancelled' });
        assert.equal(await one("select output from orch.tasks where run_id = $1 and task_id = 'clean up#1'", [run.id]), 'CancelledError');
    });
});

test('a drain leaves a run to another worker without a word to its code', async () => {
    const said: string[] = [];
    const flow = defineWorkflow('moves', async (ctx, { first }: { first?: boolean }) => {
        try {
            await ctx.step('one', () => void said.push('one'));
            await ctx.step('two', async (step) => {
                said.push('two');
                if (said.length === 2) await sleep(600_000, step.signal);
            });
        } catch {
            said.push('caught');
        }
        return first;
    });
    const run = await orch.trigger((await working([flow], async () => flow)).name, { first: true });
    await working([flow], async (worker) => {
        await until('the second step', () => said.length === 2);
        worker.stop();
        worker.stop();
    });
    await working([flow], () => run.result());
    assert.deepEqual(said, ['one', 'two', 'two']);
});

test('signals: with a start, in a transaction, two at once', async () => {
    const flow = defineWorkflow('hears', async (ctx) => [await ctx.signal('s'), await ctx.signal('s'), await ctx.signal('s', { timeout: '1 hour' })]);
    await working([flow], async () => {
        const run = await orch.signalWithStart(flow, 's', 1, {}, 'hears-1');
        assert.equal((await orch.signalWithStart(flow, 's', 2, {}, 'hears-1')).id, run.id);
        await until('the last wait', () => state(run.id, 'signal:s#3').then((s) => s === 'waiting'));
        await one("select _orch.advance_clock('61 minutes')");
        assert.deepEqual(await run.result(), [1, 2, null]);
        await assert.rejects(run.signal('s', 3), { code: 'OR020' });
    });
});

test('queries, updates and approvals by the client', async () => {
    const flow = defineWorkflow('desk', async (ctx) => {
        const said: string[] = [];
        let over = false;
        ctx.query('said', (from: number) => said.slice(from));
        ctx.update('say', {
            validate: (word) => {
                if (typeof word !== 'string') throw new TaskError('validation', 'no_word', 'that is no word');
            },
            handle: async (word: string) => said.push(await ctx.step<string>('loud', word)),
        });
        ctx.update('end', { handle: () => void (over = true) });
        await ctx.condition(() => over);
        return (await ctx.approval('print', { form: { pages: 1 } })).approved;
    });
    const loud = defineTask('loud', (_, word: string) => word.toUpperCase());
    await working([flow, loud], async () => {
        const run = await orch.trigger(flow);
        assert.equal(await run.update('say', 'a', { id: 'first' }), 1);
        assert.equal(await run.update('say', 'a', { id: 'first' }), 1);
        assert.equal(await run.update('say', 'b'), 2);
        assert.deepEqual(await run.query('said', 1), ['B']);
        await assert.rejects(run.update('say', 5), (error: OrchError) => error.code === 'OR041' && error.error!.code === 'no_word');
        await assert.rejects(run.query('other'), (error: OrchError) => error.code === 'OR041' && error.error!.code === 'unknown_query');
        await assert.rejects(orch.update(run.id, 'say', 'c', { id: 'first' }), { code: 'OR004' });
        await run.update('end');
        await until('the approval', () => state(run.id, 'print#1').then((s) => s === 'waiting'));
        await orch.approve(run.id, 'print#1');
        assert.equal(await run.result(), true);
        assert.deepEqual(await run.query('said', 0), ['A', 'B']);
        await assert.rejects(run.update('say', 'd'), { code: 'OR020' });
    });
    const waits = await orch.trigger(flow);
    await assert.rejects(waits.query('said', 0, { timeout: '1 s' }), { code: 'OR040' });
    await waits.cancel();
});

test('a step that the engine does not take fails its run, and says why', async () => {
    const flow = defineWorkflow('wrong', (ctx) => ctx.step('x', 1, { retries: -1 }));
    await working([flow], async () => {
        const run = await orch.trigger(flow);
        await assert.rejects(run.result());
        assert.match(await one("select error ->> 'message' from orch.tasks where run_id = $1 and task_id = 'main'", [run.id]), /retries/);
    });
});

test('a server of a test of its own', async () => {
    const server = await TestServer.start();
    try {
        const flow = defineWorkflow('alone', async (ctx) => {
            await ctx.wait('1 hour');
            return 'over';
        });
        const { Client } = await import('../../src/index.js');
        const client = new Client(server.database);
        await working(
            [flow],
            async () => {
                const run = await client.trigger(flow);
                await until(
                    'the wait',
                    async () => (await server.sql("select from orch.timers where run_id = $1 and task_id = 'wait#1'", [run.id])).length === 1,
                );
                await server.advance('61 minutes');
                assert.equal(await run.result(), 'over');
            },
            { database: server.database },
            (id) => server.sql("select from orch.workers where worker = $1 and state <> 'stopped'", [id]).then((rows) => rows.length === 1),
        );
        await client.close();
    } finally {
        await server.stop();
    }
    assert.ok(url);
});
