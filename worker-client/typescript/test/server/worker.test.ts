import assert from 'node:assert/strict';
import { test } from 'node:test';
import { defineTask, Worker, type Run } from '../../src/index.js';
import { sleep } from '../../src/json.js';
import { db, one, orch, single, state, until, url, working } from './support.js';

test('one connection waits and settles, however many tasks run', async () => {
    const workflow = await single('many');
    let here = 0,
        most = 0;
    const many = defineTask('many', async () => {
        most = Math.max(most, ++here);
        await until('twenty at once', () => most >= 20);
        here--;
    });
    const application = `${url}&application_name=one_connection`;
    await working(
        [many],
        async () => {
            const runs = await orch.triggerMany(
                workflow,
                Array.from({ length: 60 }, (_, n) => ({ n })),
            );
            const connections = "select count(*)::int from pg_stat_activity where application_name = 'one_connection'";
            await until('tasks at once', () => most >= 20);
            assert.equal(await one(connections), 1);
            for (const run of runs) await run.result();
            // Idle, it sleeps in await_work and sends nothing.
            await until('a worker that sleeps', () =>
                one("select query like 'call orch.await_work%' and state = 'active' from pg_stat_activity where application_name = 'one_connection'"),
            );
            assert.equal(await one(connections), 1);
        },
        { database: application, concurrency: 20 },
    );
});

test('a result is settled while await_work sleeps', async () => {
    const workflow = await single('slow');
    let go = () => {};
    const slow = defineTask('slow', () => new Promise<void>((resolve) => (go = resolve)));
    const application = `${url}&application_name=sleeper`;
    const asleep =
        "select query_start::text from pg_stat_activity where application_name = 'sleeper' and state = 'active' and query like 'call orch.await_work%'";
    await working(
        [slow],
        async () => {
            const run = await orch.trigger(workflow);
            await until('the task', () => state(run.id).then((s) => s === 'running'));
            await until('a worker that sleeps', () => one(asleep));
            go();
            await run.result('1 minute');
        },
        { database: application },
    );
});

test('a handler has no more tasks at once than it may, and holds up no other', async () => {
    const narrow = await single('narrow'),
        wide = await single('wide');
    let here = 0,
        most = 0,
        open = false;
    const tasks = [
        defineTask(
            'narrow',
            async () => {
                most = Math.max(most, ++here);
                await until('the gate', () => open);
                here--;
            },
            { concurrency: 2 },
        ),
        defineTask('wide', () => 'done'),
    ];
    await working(tasks, async () => {
        const held = await orch.triggerMany(
            narrow,
            Array.from({ length: 6 }, (_, n) => ({ n })),
        );
        await until('two of them', () => here === 2);
        for (const run of await orch.triggerMany(
            wide,
            Array.from({ length: 10 }, (_, n) => ({ n })),
        ))
            await run.result();
        open = true;
        for (const run of held) await run.result();
        assert.equal(most, 2);
        assert.equal(await one("select count(*)::int from orch.events where kind = 'task_released' and run_id = any($1)", [held.map((run) => run.id)]), 0);
    });
});

test('a handler that ends while the engine is told that it is full is not forgotten', async () => {
    const workflow = await single('opens');
    let here = 0,
        ended = 0,
        open = false;
    const opens = defineTask(
        'opens',
        async () => {
            here++;
            await until('the gate', () => open);
            ended++;
        },
        { concurrency: 1 },
    );
    await working(
        [opens, defineTask('other', () => 1)],
        async (worker) => {
            const holder = await db.connect();
            await holder.query('begin');
            await holder.query('select from _orch.worker where worker = $1 for update', [worker.id]);
            const runs = await orch.triggerMany(workflow, [{ n: 1 }, { n: 2 }]);
            await until('the first', () => here === 1);
            const told = "select exists (select from pg_stat_activity where query like 'select orch.worker_start%' and wait_event_type = 'Lock')";
            await until('what the engine is told', () => one(told));
            open = true;
            await until('the end of the first', () => ended === 1);
            await sleep(0);
            await holder.query('rollback');
            holder.release();
            for (const run of runs) await run.result('30 s');
        },
        { concurrency: 4 },
    );
});

test('an isolated handler is killed with all it started, at its timeout and at a cancel', async () => {
    const workflow = await single('deaf', { timeout_seconds: 1, retries: 0 });
    const deaf = defineTask('deaf', new URL('./deaf.js', import.meta.url));
    const gone = (pid: number) => {
        try {
            process.kill(pid, 0);
            return false;
        } catch {
            return true;
        }
    };
    const pids = async (run: string): Promise<number[]> => {
        await until('its processes', () => one('select count(*) = 2 from orch.logs where run_id = $1', [run]));
        return (await db.query('select line from orch.logs where run_id = $1', [run])).rows.map(({ line }) => Number(line));
    };
    await working(
        [deaf],
        async () => {
            const late = await orch.trigger(workflow, { block: true });
            const [own, child] = await pids(late.id);
            await assert.rejects(late.result(), { code: 'tasks_failed' });
            assert.equal(await state(late.id), 'timed_out');
            await until('the end of both processes', () => gone(own!) && gone(child!));
            const long = await orch.trigger(await single('deaf', { retries: 0 }), { block: true });
            const cancelled = await pids(long.id);
            await long.cancel();
            await assert.rejects(long.result(), { errorClass: 'cancelled' });
            await until('the end of both processes', () => cancelled.every(gone));
            // One that ends is kept for the next one.
            const [first, second] = (await orch.triggerMany(workflow, [{}, {}])) as [Run, Run];
            assert.equal(Object.is((await first.result()).only, (await second.result()).only), true);
        },
        { concurrency: 1 },
    );
});

test('a task that ends with its worker goes back without using up an attempt', async () => {
    const workflow = await single('endless');
    const endless = defineTask('endless', async (task) => {
        await sleep(600_000, task.signal);
        task.signal.throwIfAborted();
    });
    const run = await orch.trigger(workflow);
    await working([endless], async (worker) => {
        await until('the task', () => state(run.id).then((s) => s === 'running'));
        worker.stop();
        worker.stop();
    });
    assert.equal(await state(run.id), 'ready');
    await working([defineTask('endless', () => 'ended')], () => run.result());
    assert.equal(await one('select max_attempts - attempt from orch.tasks where run_id = $1', [run.id]), 2);
});

test('a drain waits for what runs', async () => {
    const workflow = await single('draining');
    let go: (() => void) | undefined;
    const draining = defineTask('draining', () => new Promise<string>((resolve) => (go = () => resolve('done'))));
    const run = await orch.trigger(workflow),
        later = await orch.trigger(workflow);
    await working(
        [draining],
        async (worker) => {
            // Leased is not yet started: a task whose lease arrives after the stop goes back.
            await until('the handler', () => go !== undefined);
            worker.stop();
            await sleep(50);
            go!();
        },
        { concurrency: 1 },
    );
    const states = (await db.query('select state from orch.tasks where run_id = any($1) order by state', [[run.id, later.id]])).rows.map((row) => row.state);
    assert.deepEqual(states, ['ready', 'succeeded']);
    await working([defineTask('draining', () => 1)], () => later.result());
});

test('a lost connection stops nothing', async () => {
    const workflow = await single('patient');
    let started = 0,
        open = false;
    const patient = defineTask('patient', async () => {
        started++;
        await until('the gate', () => open);
        return 'once';
    });
    const kill = "select count(pg_terminate_backend(pid))::int from pg_stat_activity where application_name = 'cut_off'";
    await working(
        [patient],
        async () => {
            const runs = await orch.triggerMany(workflow, [{ n: 1 }, { n: 2 }, { n: 3 }]);
            await until('all three', () => started === 3);
            assert.equal(await one(kill), 1);
            open = true;
            for (const run of runs) assert.deepEqual(await run.result(), { only: 'once' });
            assert.equal(started, 3);
            await one(kill);
            assert.deepEqual(await (await orch.trigger(workflow)).result(), { only: 'once' });
        },
        { database: `${url}&application_name=cut_off` },
    );
});

test('behind a pooler it polls', async () => {
    const workflow = await single('polled');
    await working(
        [defineTask('polled', () => 1)],
        async () => {
            assert.deepEqual(await (await orch.trigger(workflow)).result(), { only: 1 });
            assert.equal(await one("select count(*)::int from pg_stat_activity where application_name = 'poller' and query like '%await_work%'"), 0);
        },
        { database: `${url}&application_name=poller&pooled=1` },
    );
});

test('an output that the database cannot hold fails its own task alone', async () => {
    const workflow = await single('nul', { retries: 0 });
    await working([defineTask('nul', (_, { text }: { text: string }) => text.replace('NUL', '\0'))], async () => {
        const [bad, good] = await orch.triggerMany(workflow, [{ text: 'a NUL' }, { text: 'fine' }]);
        await assert.rejects(bad!.result(), { code: 'tasks_failed' });
        assert.equal(await one("select error ->> 'code' from orch.tasks where run_id = $1", [bad!.id]), 'invalid_output');
        assert.deepEqual(await good!.result(), { only: 'fine' });
    });
});

test('a worker that may not work says so at its start', async () => {
    await assert.rejects(new Worker({ database: url, queues: [] }).run({ signals: false }), { name: 'OrchError' });
});
