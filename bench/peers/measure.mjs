// measure.mjs PEER WORKLOAD REPETITION [NAME=VALUE...]: one measurement in a fresh database and process, as one line of results.
// Names that all know: n (tasks or runs), history (finished ones that are there before), held=1 (beside an old snapshot), tag; the rest is for the peer's module.
import { administer, now, Probe, quantiles, sleep } from './lib.mjs';
import { look, postmaster, shares } from '../processor.mjs';

const [, , name, wanted, repetition, ...given] = process.argv;
const workload = { W5: 'W1', W6: 'W1' }[wanted] ?? wanted; // behind history, beside a snapshot
const opts = {};
for (const pair of given) {
    const [key, value] = pair.split('=');
    opts[key] = /^-?[\d.]+$/.test(value) ? Number(value) : value;
}
const peer = (await import(`./modules/${name}.mjs`)).default;
const { tag = '', ...options } = opts;
const n = opts.n ?? { W1: 20_000, W2: 200, W3: 100, W4: 200 }[workload];
const database = `bench_${name}`;
const usesPostgres = peer.postgres !== false;
const probe = usesPostgres ? new Probe(database) : null;
const ctx = { db: database, opts, workload, n, probe, done: 0 };
ctx.tick = (count) => { ctx.done += count; };
ctx.reached = async (count) => { while (ctx.done < count) await sleep(2); };

if (usesPostgres) {
    await administer('postgres', `drop database if exists ${database} with (force)`, `create database ${database}`);
    await administer(database, 'create extension pg_walinspect');
    await probe.open();
}
await peer.setup(ctx);
await peer.open(ctx);
if (opts.history) await peer.history(ctx, opts.history);
if (usesPostgres) await administer(database, 'vacuum analyze', 'checkpoint');

const line = { peer: name, version: peer.version, workload: wanted, tag, rep: Number(repetition), options, phases: {} };
const server = () => (usesPostgres ? postmaster() : ctx.serverPid);
async function phase(what, tasks, work) {
    const from = usesPostgres && (await probe.position()), before = look(server()), began = now();
    const end = await work();
    const seconds = ((end ?? now()) - (ctx.clock ?? began)) / 1000; // DBOS has to be launched anew first
    line.phases[what] = { n: tasks, s: seconds, per_s: tasks / seconds, processor: shares(before, look(server())) };
    return { from, began };
}
const note = async (what, from, tasks) => { if (usesPostgres) Object.assign(line.phases[what], await probe.costs(from, tasks)); };

let stop = null;
if (workload === 'W1') {
    const trigger = await phase('trigger', n, async () => { await peer.W1enqueue(ctx, n); });
    await note('trigger', trigger.from, n);
    if (usesPostgres) await administer(database, 'analyze'); // as autovacuum would in a running system; without it some plan for an empty table
    let holder = null;
    if (opts.held) {
        holder = await new Probe(database).open();
        await holder.q('begin isolation level repeatable read');
        await holder.q('select count(*) from pg_class');
    }
    const drain = await phase('drain', n, async () => {
        stop = await peer.startWorker(ctx);
        return peer.W1wait(ctx, n);
    });
    // Where the first trigger starts the work, both phases are one.
    if (peer.W1overlapped) for (const what of ['trigger', 'drain']) line.phases[what].per_s = n / ((drain.began - trigger.began) / 1000 + line.phases.drain.s);
    await stop?.();
    await sleep(300);
    await note('drain', drain.from, n);
    await holder?.close();
} else if (workload === 'W2' || workload === 'W3') {
    const tasks = n * (workload === 'W2' ? 20 : 102);
    stop = await peer.startWorker(ctx);
    await sleep(300);
    const work = await phase('work', tasks, () => peer[workload](ctx, n));
    await stop?.();
    await sleep(300);
    await note('work', work.from, tasks);
} else {
    stop = await peer.startWorker(ctx);
    const times = [];
    for (let i = 0; i < 3; i++) await peer.W4one(ctx, -1 - i);
    const until = now() + (opts.limit ?? 15) * 1000;
    const latency = await phase('latency', n * 3, async () => {
        for (let i = 0; i < n && now() < until; i++) {
            await sleep(2 + Math.random() * 8);
            const began = now();
            times.push((await peer.W4one(ctx, i)) - began);
        }
    });
    await stop?.();
    Object.assign(line.phases.latency, { n: times.length * 3, per_s: undefined }, quantiles(times));
    await note('latency', latency.from, times.length * 3);
}
process.on('uncaughtException', (error) => console.error(`${name}, while it ends: ${error.message}`)); // the figure is taken
await Promise.race([peer.close(ctx).catch(() => {}), sleep(5000)]);
if (usesPostgres) {
    await sleep(300); // sessions that have ended have told what they did
    line.phases.left = {
        dead_left: Number(await probe.one("select sum(n_dead_tup) from pg_stat_all_tables where schemaname not in ('pg_catalog', 'pg_toast')")) / (line.phases.drain?.n ?? 1),
        db_mb: Number(await probe.one('select pg_database_size(current_database()) / 1048576')),
    };
    await probe.close();
    await administer('postgres', `drop database if exists ${database} with (force)`).catch(() => {});
}
console.log(JSON.stringify(line));
process.exit(0);
