// workers.mjs CLIENT COUNT RUNS: as workers.py.
import { setTimeout as sleep } from 'node:timers/promises';

const [library, count, runs] = process.argv.slice(2);
const { Client, OrchError, Worker, defineTask, defineWorkflow } = await import(library);

const handler = defineTask('ts', async (task, input) => (await sleep(20), input));
const code = defineWorkflow('code-ts', async (ctx, input) => {
    let added = 0;
    ctx.update('add', { handle: (n) => (added += n) });
    const book = async (tx) => (await tx.query("insert into ledger values ($1, 'ts')", [ctx.runId]), input.n);
    const { n } = input;
    const [booked, here, py, cpp] = await ctx.all([
        ctx.step('book', { transaction: true }, book),
        ctx.step('here', () => n),
        ctx.step('py', { n }),
        ctx.step('cpp', { n }),
    ]);
    await ctx.wait('100 ms');
    const go = await ctx.signal('go');
    return { sum: booked + here + py.n + cpp.n + go, pad: input.pad.length };
});

async function persistently(call) {
    for (;;) {
        const client = new Client();
        try {
            return await call(client);
        } catch (error) {
            if (!(error instanceof OrchError) || (!error.poisonsConnection && error.code !== 'OR002')) throw error;
        } finally {
            await client.close();
        }
        await sleep(100);
    }
}

async function use(runs) {
    const ids = [];
    for (let n = 0; n < runs; n++)
        ids.push((await persistently((client) => client.trigger('code-ts', { n, pad: 'x'.repeat(n || 300_000) }, { idempotencyKey: `ts-${n}` }))).id);
    if ((await persistently((client) => client.update(ids[0], 'add', 5, { id: 'five' }))) !== 5) throw new Error('the update');
    for (const id of ids) await persistently((client) => client.signal(id, 'go', 1));
    for (const [n, id] of ids.entries()) {
        const { sum, pad } = await persistently((client) => client.result(id, '100 s'));
        if (sum !== 4 * n + 1 || pad !== (n || 300_000)) throw new Error(`run ${n}: ${sum}, ${pad}`);
    }
    let last;
    for await (const { kind } of new Client().events(ids[0])) last = kind;
    if (last !== 'run_succeeded') throw new Error(last);
    console.log(`typescript: ${runs} results`);
}

const log = (level, text) => level !== 'info' && console.error(level, text);
const workers = Array.from({ length: Number(count) }, (_, n) => new Worker({ id: `ts-${n}`, concurrency: 4, log }).serve(handler, code));
await Promise.all([...workers.map((worker) => worker.run()), Number(runs) ? use(Number(runs)) : undefined]);
process.exit(0);
