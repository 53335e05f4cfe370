// A worker and an application whose URL names several hosts, over a failover: it says when its run waits, and goes on when it is told that the primary is another one.
import { once } from 'node:events';
import assert from 'node:assert/strict';
import { Client, defineTask, defineWorkflow, Worker, type Transaction } from '../src/index.js';
import { connect } from '../src/hosts.js';

const [standby, primary] = new URL(process.env['ORCH_DATABASE_URL']!.replace('@/', '@x/')).searchParams.get('port')!.split(',');
const setUp = await connect(undefined);
assert.equal(String(setUp.port), primary); // the standby is named first
await setUp.query('create table effect (name text)');
await setUp.end();

const orch = new Client();
const echo = defineTask('echo', (_, input) => input);
const flow = defineWorkflow('goes_over', async (ctx) => {
    const write = async (tx: Transaction, name: string) => void (await tx.query('insert into effect values ($1)', [name]));
    await ctx.step('before', { transaction: true }, (tx) => write(tx, 'before'));
    const told = await ctx.signal('go');
    await ctx.step('behind', { transaction: true }, (tx) => write(tx, 'behind'));
    return ctx.step('echo', told);
});
const worker = new Worker({ log: (level, text) => console.error(`${level}: ${text}`) }).serve(echo, flow);
const working = worker.run({ signals: false });

/** As applications do: once more where the connection broke, or there is no server yet that takes it. */
async function again<T>(work: () => Promise<T>): Promise<T> {
    for (const end = Date.now() + 90_000; ;) {
        try {
            return await work();
        } catch (error) {
            if (Date.now() > end) throw error;
            await new Promise((resolve) => setTimeout(resolve, 200));
        }
    }
}

const run = await again(() => orch.trigger(flow));
for await (const { kind, taskId } of run.events()) if (kind === 'task_waiting' && taskId === 'signal:go#1') break;
console.log('waits');
await once(process.stdin, 'data');
process.stdin.destroy();
await again(() => run.signal('go', 'over there'));
assert.equal(await again(() => run.result('1 minute')), 'over there');
const now = await connect(undefined);
assert.equal(String(now.port), standby);
assert.deepEqual((await now.query('select name from effect')).rows, [{ name: 'before' }, { name: 'behind' }]);
await now.end();
worker.stop();
await working;
await orch.close();
console.log('went over');
