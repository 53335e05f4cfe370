import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { Client, defineTask, defineWorkflow, DirectoryStore, load, PayloadRef, prunePayloads } from '../../src/index.js';
import { encryption } from '../unit/codec.js';
import { db, one, orch, single, until, url, working } from './support.js';

test('a definition in YAML, JSON or as an object', async () => {
    const yaml = 'id: by-yaml\ntasks:\n  only: {noop: true, input: {on: yes, n: 0o17}}\n';
    assert.deepEqual(await orch.register(yaml), { workflow: 'by-yaml', version: 1, created: true });
    assert.deepEqual(await orch.register({ id: 'by-yaml', tasks: { only: { noop: true, input: { on: 'yes', n: 15 } } } }), {
        workflow: 'by-yaml',
        version: 1,
        created: false,
    });
    await assert.rejects(orch.register('id: x\ntasks: {a: {noop: true, handler: h}}'), { code: 'OR001' });
    await assert.rejects(orch.register('id: x\nid: y'), SyntaxError);
});

test('a trigger in a transaction happens with it, or not at all', async () => {
    await orch.register({ id: 'noop', tasks: { only: { noop: true } } });
    const client = await db.connect();
    await client.query('begin');
    const gone = await new Client(client).trigger('noop');
    await client.query('rollback');
    await assert.rejects(orch.status(gone.id), { code: 'OR003' });
    await client.query('begin');
    const kept = await new Client(client).trigger(
        'noop',
        { a: 1 },
        { idempotencyKey: 'kept', tags: { team: 'x' }, priority: 3, timeout: '1 hour', source: 'event' },
    );
    await client.query('commit');
    client.release();
    assert.deepEqual(await orch.run(kept.id).result(), { only: null });
    const status = await orch.status(kept.id);
    assert.deepEqual([status.workflow, status.state, status.input, status.tags], ['noop', 'succeeded', { a: 1 }, { team: 'x' }]);
    assert.equal((await orch.trigger('noop', { a: 1 }, { idempotencyKey: 'kept' })).id, kept.id);
    await assert.rejects(orch.trigger('noop', { a: 2 }, { idempotencyKey: 'kept' }), { code: 'OR004' });
    await assert.rejects(orch.trigger('nothing'), { code: 'OR002' });
});

test('many runs by one statement, in their order', async () => {
    await orch.register({ id: 'echo-many', output: '{{ input.n }}', tasks: { only: { noop: true } } });
    const runs = await orch.triggerMany('echo-many', [{ n: 1 }, { n: 2 }, { n: 3 }], { idempotencyKeys: ['a', 'b', 'c'] });
    assert.deepEqual(await Promise.all(runs.map((run) => run.result())), [1, 2, 3]);
    assert.deepEqual(
        (await orch.triggerMany('echo-many', [{ n: 2 }], { idempotencyKeys: ['b'] })).map((run) => run.id),
        [runs[1]!.id],
    );
});

test('events come as they happen, up to the end of the run', async () => {
    const own = new Client(url);
    await own.register({ id: 'sleeps', tasks: { first: { noop: true }, nap: { sleep: 3600, dependencies: ['first'] } } });
    const run = await own.trigger('sleeps');
    const kinds: string[] = [];
    for await (const { kind, taskId } of run.events()) {
        kinds.push(`${taskId ?? 'run'} ${kind}`);
        if (kind === 'timer_created') await one("select _orch.advance_clock('1 hour')");
    }
    assert.equal(kinds[0], 'run run_triggered');
    assert.equal(kinds.at(-1), 'run run_succeeded');
    assert.ok(kinds.includes('nap timer_fired'));
    await own.close();
});

test('a result says what went wrong, and when it is not there yet', async () => {
    await orch.register({ id: 'waits', tasks: { nap: { sleep: 36_000 } } });
    const run = await orch.trigger('waits');
    await assert.rejects(run.result(50), { errorClass: 'timeout' });
    assert.match(await run.cancel(), /^cancel/);
    await assert.rejects(run.result(), { errorClass: 'cancelled' });
    await assert.rejects(run.cancel(), { code: 'OR020' });
    const workflow = await single('fails-here', { retries: 0 });
    const failing = defineTask('fails-here', () => {
        throw new RangeError('too wide');
    });
    await working([failing], async () => {
        const failed = await orch.trigger(workflow);
        await assert.rejects(failed.result(), { name: 'TaskError', code: 'tasks_failed' });
        assert.deepEqual(await one("select error - 'traceback' from orch.tasks where run_id = $1", [failed.id]), {
            class: 'handler',
            code: 'RangeError',
            message: 'too wide',
        });
    });
});

test('large and secret values pass through the database unseen, and go when their runs are gone', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'orch-store.'));
    const store = new DirectoryStore(directory);
    const payloads = { store, codec: encryption(randomBytes(32)), inlineLimit: 2000 };
    const app = new Client(db, { payloads });
    const text = 'secret '.repeat(1000);
    const workflow = await single('shout', { retries: 0 });
    await app.register({
        id: 'two',
        tasks: { one: { handler: 'shout', input: '{{ input }}' }, two: { handler: 'shout', input: '{{ tasks.one.output }}', dependencies: ['one'] } },
        output: '{{ tasks.two.output }}',
    });
    const shout = defineTask('shout', async (_, input: string | PayloadRef<string>) => {
        assert.ok(input instanceof PayloadRef || input.length < 2000);
        const said = await load(input);
        if (said === 'fail') throw new Error('the secret of failing');
        return said.toUpperCase();
    });
    const flow = defineWorkflow('hidden', async (ctx, input: PayloadRef<string>) => {
        const loud = await ctx.step<string | PayloadRef<string>>('shout', await input.get());
        const again = await ctx.step('again', async () => (await load(loud)) + '!');
        await ctx.wait('1 hour');
        return (await load<string>(again)).length;
    });
    await working(
        [shout, flow],
        async () => {
            const run = await app.trigger('two', text);
            assert.equal(await run.result(), text.toUpperCase());
            await assert.rejects(app.result((await app.trigger(workflow, 'fail')).id), { code: 'tasks_failed' });
            const code = await app.trigger(flow, text as any);
            await until('the wait', () => one("select true from orch.tasks where run_id = $1 and task_id = 'wait#1' and state = 'waiting'", [code.id]));
            await one("select _orch.advance_clock('61 minutes')");
            assert.equal(await code.result(), text.length + 1);
            assert.equal(await one("select count(*)::int from orch.events where data::text ~* 'secret'"), 0);
            assert.equal(
                await one(
                    "select count(*)::int from orch.tasks where input::text ~* 'secret' or output::text ~* 'secret' or error ->> 'message' ~* 'the secret of'",
                ),
                0,
            );
            assert.equal(await one("select input #>> '{$orch_ref,uri}' like 'file://%' from orch.runs where run_id = $1", [run.id]), true);
        },
        { payloads },
    );
    // What nobody has is pruned: objects of a run that never was, and an input without a run.
    await store.put('runs/01a00000-0000-7000-8000-000000000000/x.json', Buffer.from('1'));
    await store.put('inputs/unused.json', Buffer.from('1'));
    assert.equal(await prunePayloads(db, store), 0); // all of it is younger than a day
    assert.equal(await prunePayloads(db, store, -1000), 2);
    assert.equal(await prunePayloads(db, store, -1000), 0);
    await rm(directory, { recursive: true });
});
