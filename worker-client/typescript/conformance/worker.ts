// The conformance worker of this client; ../../conformance/README.md says what it serves.
import pg from 'pg';
import { defineTask, defineWorkflow, parseYaml, SkipTask, TaskError, Worker, type Context, type ErrorClass, type TaskContext } from '../src/index.js';
import { sleep } from '../src/json.js';

const database = { connectionString: process.env['ORCH_DATABASE_URL'] };
const revision = process.env['ORCH_CONFORMANCE_REVISION'] ?? '1';
const kill = () => process.kill(process.pid, 'SIGKILL');
const effects = new pg.Pool({ ...database, max: 2 });
const effect = (db: { query(text: string, values: unknown[]): Promise<{ rowCount: number | null }> }, run: string, name: string) =>
    db.query('insert into conformance_effect (run_id, name) values ($1, $2)', [run, name]);

async function dieOnce(run: string, name: string): Promise<void> {
    await effect(effects, run, name);
    const { rowCount } = await effects.query('select from conformance_effect where run_id = $1 and name = $2', [run, name]);
    if (rowCount === 1) kill();
}

function failFor(task: TaskContext, times: number, make: () => Error): { attempt: number } {
    if (task.attempt <= times) throw make();
    return { attempt: task.attempt };
}

let here: (() => void)[] = [];
async function meet(_: TaskContext, { of }: { of: number }) {
    await new Promise<void>((resolve, reject) => {
        here.push(resolve);
        setTimeout(() => reject(new Error('the others did not come')), 60_000).unref();
        if (here.length === of) for (const met of here.splice(0)) met();
    });
    return { met: of };
}

const tasks = [
    defineTask('echo', (_, input) => input),
    defineTask('describe', (task, { fail_times: times }) => {
        failFor(task, times, () => new TaskError('transient', 'not_yet', 'fails first'));
        return { run_id: task.runId, task_id: task.taskId, attempt: task.attempt, idempotency_key: task.idempotencyKey, traceparent: task.traceparent ?? null };
    }),
    defineTask('fail', (task, input: { times?: number; class?: ErrorClass; code: string; message: string }) =>
        failFor(task, input.times ?? Infinity, () => (input.class ? new TaskError(input.class, input.code, input.message) : new Error(input.message))),
    ),
    defineTask('skip', () => {
        throw new SkipTask('not today');
    }),
    defineTask('tell', (task, { lines }: { lines: string[] }) => lines.forEach((line) => task.log(line))),
    defineTask('steps', async (task, { to }: { to: number }) => {
        if (task.attempt > 1) return { previous: task.previousProgress };
        for (let at = 1; at <= to; at++) task.progress({ at });
        await sleep(2000, task.signal);
        throw new TaskError('transient', 'halfway', 'stopped on the way');
    }),
    defineTask('sleep', (task, { seconds }: { seconds: number }) => sleep(seconds * 1000, task.signal)),
    defineTask('stubborn', new URL('./stubborn.js', import.meta.url)),
    defineTask('big', (_, { bytes }: { bytes: number }) => 'x'.repeat(bytes)),
    defineTask('die', (task, { times }: { times: number }) => (task.attempt <= times && kill(), { attempt: task.attempt })),
    defineTask('meet', meet),
    defineTask('batch', (batch) => batch.map(({ input }) => (input === 'bad' ? new TaskError('validation', 'bad', 'a bad one') : { value: input })), {
        batch: 10,
    }),
];

const day = '1 day';
const ask = async (ctx: Context) => ({ answer: await ctx.signal('answer', { timeout: day }) });

let tries = 0;
const workflows = [
    defineWorkflow('sequence', async (ctx) => [await ctx.step('echo', { n: 1 }), await ctx.step('local', () => ({ n: 2 }))]),
    defineWorkflow('wait', async (ctx) => {
        await ctx.wait('1 hour');
        return 'waited';
    }),
    defineWorkflow('ask', ask),
    defineWorkflow('late_ask', async (ctx) => {
        await ctx.wait('1 hour');
        return ask(ctx);
    }),
    defineWorkflow('approves', async (ctx) => {
        try {
            const { approved } = await ctx.approval('may_we', { timeout: day });
            return { approved };
        } catch (error) {
            if ((error as TaskError).errorClass !== 'timeout') throw error;
            return { approved: null };
        }
    }),
    defineWorkflow('asks', async (ctx) => [await ctx.signal('answer'), await ctx.signal('answer')]),
    defineWorkflow('parallel', (ctx) => ctx.all([1, 2, 3].map((n) => ctx.step<number>('echo', n)))),
    defineWorkflow('first', (ctx) => Promise.race([ctx.signal('answer'), ctx.wait(day).then(() => 'late')])),
    defineWorkflow('flaky', (ctx) =>
        ctx.step('unsteady', { retryDelaySeconds: 0 }, () => {
            if (++tries < 3) throw new TaskError('transient', 'unsteady', 'not this time');
            return { tries };
        }),
    ),
    defineWorkflow('catches', async (ctx) => {
        try {
            return await ctx.step('fail', { class: 'validation', code: 'bad', message: 'caught' });
        } catch (error) {
            const { errorClass, code } = error as TaskError;
            return { class: errorClass, code };
        }
    }),
    defineWorkflow('fails', () => {
        throw new Error('broken on purpose');
    }),
    defineWorkflow('values', async (ctx) => {
        const taken = [ctx.now().toISOString(), ctx.random(), ctx.uuid()];
        const echoed = await ctx.step('echo', taken);
        await ctx.wait('1 hour');
        return { same: JSON.stringify(taken) === JSON.stringify(echoed) };
    }),
    defineWorkflow('child', (ctx) => ctx.child('sequence')),
    defineWorkflow('loop', async (ctx, { n }: { n: number }) => {
        let sum = 0;
        for (let i = 1; i <= n; i++) sum += await ctx.step('add', () => i - 1);
        return { sum };
    }),
    defineWorkflow('countdown', async (ctx, { n }: { n: number }) => (n === 0 ? 'done' : ctx.continueAsNew({ n: n - 1 }))),
    defineWorkflow('tags', (ctx) => ctx.setTag('colour', 'red')),
    defineWorkflow('dies', async (ctx) => {
        for (const name of ['one', 'two', 'three'])
            await ctx.step(name, () => (name === 'two' ? dieOnce(ctx.runId, name) : effect(effects, ctx.runId, name).then(() => {})));
    }),
    defineWorkflow('dies_in_transaction', async (ctx) => {
        for (const name of ['one', 'two'])
            await ctx.step(name, { transaction: true }, async (tx) => {
                await effect(tx, ctx.runId, name);
                // What is told on another connection outlives the transaction.
                const first =
                    "insert into conformance_effect select $1, 'tried' where not exists (select from conformance_effect where run_id = $1 and name = 'tried')";
                if (name === 'two' && (await effects.query(first, [ctx.runId])).rowCount === 1) kill();
            });
    }),
    defineWorkflow('changes', async (ctx) => {
        const name = revision === '2' || (revision === '3' && ctx.patched('new')) ? 'other' : 'first';
        const said = await ctx.step(name, () => name);
        await ctx.wait('1 hour');
        return said;
    }),
];

workflows.push(
    defineWorkflow('cart', async (ctx) => {
        const items: string[] = [];
        let paid = false;
        ctx.query('items', () => items);
        ctx.query('item', ({ at }: { at: number }) => {
            if (!Number.isInteger(at)) throw new TaskError('validation', 'bad_arguments', 'at is the number of an item');
            return items[at] ?? null;
        });
        ctx.query('breaks', () => {
            throw new Error('broken on purpose');
        });
        ctx.update('add', {
            validate: async ({ item }) => {
                await effect(effects, ctx.runId, 'validated');
                if (typeof item !== 'string' || item === '') throw new TaskError('validation', 'bad_item', 'an item is a text');
            },
            handle: ({ item }: { item: string }) => ({ count: items.push(item) }),
        });
        ctx.update('check', {
            handle: async ({ value }) => {
                const echoed = await ctx.step('echo', value);
                await ctx.step('remember', async () => void (await effect(effects, ctx.runId, 'remembered')));
                return { value: echoed };
            },
        });
        ctx.update('dies', {
            handle: async () => {
                await ctx.step('once', () => dieOnce(ctx.runId, 'once'));
                return { survived: true };
            },
        });
        ctx.update('fails', {
            handle: () => {
                throw new TaskError('handler', 'no_luck', 'broken on purpose');
            },
        });
        ctx.update('pay', {
            handle: async () => {
                await ctx.wait('1 hour');
                paid = true;
                return { paid };
            },
        });
        await ctx.condition(() => paid);
        return { items };
    }),
);

const [verb] = process.argv.slice(2);
if (verb === 'can') console.log(JSON.stringify(['transaction', 'approval']));
else if (verb === 'yaml') {
    const chunks: Buffer[] = [];
    for await (const chunk of process.stdin) chunks.push(chunk);
    try {
        console.log(JSON.stringify(parseYaml(Buffer.concat(chunks).toString())));
    } catch (error) {
        console.error((error as Error).message);
        process.exitCode = 1;
    }
} else {
    const code = process.env['ORCH_CONFORMANCE_CODE'] !== 'off';
    await new Worker({ database, concurrency: 10, log: (level, text) => console.error(`${level}: ${text}`) }).serve(...tasks, ...(code ? workflows : [])).run();
    await effects.end();
}
