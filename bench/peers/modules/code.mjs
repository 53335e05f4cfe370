// orch's own TypeScript client, so that durable code is compared in one language: steps in place, or children as tasks of a handler.
// opts: conc (tasks at once), kids=tasks|steps
import { Client, Worker, defineWorkflow } from '../../../worker-client/typescript/dist/src/index.js';
import { administer, now, payload, sleep, url } from '../lib.mjs';
let orch, worker, running;
const o = (ctx) => ({ conc: ctx.workload === 'W1' ? 1000 : 200, kids: 'tasks', ...ctx.opts });
const noop = async () => ({});
export default {
  version: '',
  async setup(ctx) {
    await administer(ctx.db, 'create extension orch');
    this.version = await ctx.probe.one(`select extversion from pg_extension where extname = 'orch'`);
  },
  async open(ctx) {
    orch = new Client(url(ctx.db));
    const chain = defineWorkflow('chain', async (c, of) => { for (let k = 0; k < of; k++) await c.step('s', async () => ({ k })); return {}; });
    const fan = defineWorkflow('fan', async (c, kids) => {
      await c.step('root', noop);
      await c.all(Array.from({ length: 100 }, (_, k) => kids === 'steps' ? c.step('c', async () => ({ k })) : c.step('kid', { k })));
      await c.step('join', noop);
      return {};
    });
    await orch.register({ id: 'bag', tasks: { only: { handler: 'bag' } } });
    worker = new Worker({ database: url(ctx.db), concurrency: o(ctx).conc });
    if (ctx.workload === 'W1') worker.handler('bag', noop);
    else if (ctx.workload === 'W3') worker.handler('kid', noop).serve(fan);
    else worker.serve(chain);
  },
  async W1enqueue(ctx, n) {
    for (let i = 0; i < n; i += 5000) await orch.triggerMany('bag', Array.from({ length: Math.min(5000, n - i) }, (_, k) => payload(i + k)));
  },
  async startWorker(ctx) {
    running = worker.run({ signals: false });
    if (ctx.workload !== 'W1') await sleep(300);
    return async () => { worker.stop(); await running; };
  },
  none(ctx) { return ctx.probe.until(`select count(*) from (select 1 from orch.runs where state not in ('succeeded') limit 1) x`); },
  async W1wait(ctx, n) { return this.none(ctx); },
  async W2(ctx, n) { await orch.triggerMany('chain', Array(n).fill(20)); return this.none(ctx); },
  async W3(ctx, n) { await orch.triggerMany('fan', Array(n).fill(o(ctx).kids)); return this.none(ctx); },
  async W4one() { const run = await orch.trigger('chain', 3); await run.result('1 minute'); return now(); },
  async close() { await orch.close?.(); },
};
