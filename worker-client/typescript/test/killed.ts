// The signup flow with its worker killed by SIGKILL at each point of its life, and one run more whose database is restarted while it waits.
//
// A point is the moment before and after each statement that matters, in a transaction too, and before and after each effect. There is a workflow for each
// point, whose first worker dies there; then one worker for all of them ends what the dead have left. `worker POINT` and `survivor N` are those workers.
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { Client, defineTask, defineWorkflow, Worker } from '../src/index.js';

const url = process.env['ORCH_DATABASE_URL']!;
const counted = /orch\.(register_code|worker_start|exchange|complete_many|history|record|suspend|outcomes)|^commit/;
const atOnce = 6,
    most = 300,
    pause = 1000;
const [role, argument = '0'] = process.argv.slice(2);
const dieAt = role === 'worker' ? Number(argument) : 0;

let passed = 0;
function point(): void {
    if (++passed === dieAt) process.kill(process.pid, 'SIGKILL');
}

function definitions(number: number) {
    const mails = new pg.Pool({ connectionString: url, max: 1 }).on('error', () => {});
    const effect = async (db: { query(text: string, values: unknown[]): Promise<unknown> }, run: string, name: string, key: string) => {
        point();
        await db.query('insert into effect (run_id, name, key) values ($1, $2, $3)', [run, name, key]);
        point();
    };
    const mail = defineTask(`mail-${number}`, (task, what: string) => effect(mails, task.runId, `mail ${what}`, task.idempotencyKey));
    const signup = defineWorkflow(`signup-${number}`, async (ctx) => {
        await ctx.step(mail.name, 'welcome');
        await ctx.step('open account', { transaction: true }, (tx, step) => effect(tx, ctx.runId, 'account', step.idempotencyKey));
        const confirmed = await ctx.signal<number>('confirmed', { timeout: '1 hour' });
        await ctx.step('note', (step) => effect(mails, ctx.runId, 'note', step.idempotencyKey));
        await ctx.wait(number === 0 ? 5 * pause : pause);
        await ctx.step('book', { transaction: true }, (tx, step) => effect(tx, ctx.runId, 'booking', step.idempotencyKey));
        await ctx.step(mail.name, 'follow-up');
        return confirmed;
    });
    return [mail, signup];
}

async function work(numbers: number[]): Promise<void> {
    if (dieAt > 0) {
        const { query } = pg.Client.prototype as unknown as { query(...given: unknown[]): unknown };
        (pg.Client.prototype as unknown as { query: unknown }).query = function (this: unknown, ...given: unknown[]) {
            const matters = counted.test(typeof given[0] === 'string' ? given[0] : ((given[0] as { text?: string })?.text ?? ''));
            if (matters) point();
            const answer = query.apply(this, given) as Promise<unknown> | undefined;
            if (matters && answer && 'then' in answer) answer.then(point, point);
            return answer;
        };
    }
    const worker = new Worker({ database: url, concurrency: 20 }).serve(...numbers.flatMap(definitions));
    // What died at no point has come to the end of its run: the driver sees that and stops it.
    await worker.run();
    process.exit(0);
}

async function drive(): Promise<void> {
    let db = new pg.Pool({ connectionString: url, max: 4 });
    db.on('error', () => {});
    const orch = new Client(db);
    const one = async (text: string, values: unknown[] = []): Promise<any> => Object.values((await db.query(text, values)).rows[0] ?? {})[0];
    const start = (...given: (string | number)[]): ChildProcess =>
        spawn(process.execPath, [fileURLToPath(import.meta.url), ...given.map(String)], { stdio: ['ignore', 'ignore', 'inherit'] });
    const tick = () => new Promise((resolve) => setTimeout(resolve, 30));
    const until = async (what: string, holds: () => Promise<unknown>) => {
        for (const end = Date.now() + 120_000; !(await holds()); await tick())
            if (Date.now() > end)
                throw new Error(
                    `waited for ${what}: ${JSON.stringify((await db.query("select run_id, (orch.why(run_id)).* from orch.runs where state = 'running'")).rows.slice(0, 8))}`,
                );
    };
    const over = (run: string) => one("select state in ('succeeded', 'failed', 'timed_out', 'cancelled') from orch.runs where run_id = $1", [run]);
    const asks = (run: string) => one("select true from orch.tasks where run_id = $1 and task_id = 'signal:confirmed#1' and state = 'waiting'", [run]);
    await db.query('create table effect (run_id uuid, name text, key text)');

    const runs = new Map<number, string>(),
        signalled = new Set<number>();
    /** An odd one is signalled before it waits, an even one while it does. */
    const attend = async (number: number) => {
        const run = runs.get(number);
        if (!run) {
            if (!(await one('select true from orch.workflows where workflow = $1', [`signup-${number}`]))) return;
            runs.set(number, (await orch.trigger(`signup-${number}`)).id);
        } else if (!signalled.has(number) && (number % 2 === 1 || (await asks(run)))) {
            signalled.add(number);
            await orch.signal(run, 'confirmed', number);
        }
    };
    const dying = new Map<number, ChildProcess>(),
        stillborn: number[] = [];
    let points = 0,
        next = 1;
    while ((points === 0 && next < most) || dying.size > 0) {
        while (points === 0 && dying.size < atOnce) dying.set(next, start('worker', next++));
        for (const [number, process] of dying) {
            await attend(number);
            if (process.signalCode === 'SIGKILL') {
                dying.delete(number);
                if (!runs.has(number)) stillborn.push(number); // at its registration
            } else if (runs.has(number) && (await over(runs.get(number)!))) {
                points ||= number - 1; // it came to its end: no point was left
                process.kill('SIGTERM');
                dying.delete(number);
            }
        }
        await tick();
    }
    const survivor = start('survivor', next);
    for (const number of stillborn) await until(`workflow signup-${number}`, async () => (await attend(number), runs.has(number)));
    for (const [number, run] of runs) await until(`the end of run ${number}`, async () => (await attend(number), over(run)));

    // One more, and the database is restarted while it waits.
    await until('workflow signup-0', async () => (await attend(0), runs.has(0)));
    const last = runs.get(0)!;
    await until('its wait', async () => (await attend(0), one("select true from orch.timers where run_id = $1 and task_id = 'wait#1'", [last])));
    execFileSync('server-ctl', ['restart'], { stdio: 'ignore' });
    await until('the server', () => one('select true').catch(() => false));
    await until('the end of the run', () => over(last));

    let wrong = 0,
        again = 0;
    for (const [number, run] of runs) {
        const { state, output } = await orch.status(run);
        const effects = (
            await db.query('select name, count(*)::int as times, count(distinct key)::int as keys from effect where run_id = $1 group by name order by name', [
                run,
            ])
        ).rows;
        const kinds = await one("select string_agg(kind, ' ' order by no) from orch.events where run_id = $1 and task_id = 'wait#1'", [run]);
        const waited = await one(
            "select extract(epoch from max(at) - min(at))::float8 from orch.events where run_id = $1 and task_id = 'wait#1' and kind in ('timer_created', 'timer_fired')",
            [run],
        );
        const once = effects.map(({ name }) => name).join() === 'account,booking,mail follow-up,mail welcome,note' && effects.every(({ keys }) => keys === 1);
        const exactly = effects.every(({ name, times }) => times === 1 || (times === 2 && name !== 'account' && name !== 'booking'));
        again += effects.reduce((sum, { times }) => sum + times - 1, 0);
        const due = (number === 0 ? 5 * pause : pause) / 1000;
        if (
            state === 'succeeded' &&
            output === (number as unknown) &&
            once &&
            exactly &&
            kinds === 'task_added task_started timer_created timer_fired task_succeeded' &&
            waited >= due - 0.001
        )
            continue;
        wrong++;
        console.log(`point ${number}: ${state} ${JSON.stringify(output)} ${JSON.stringify(effects)} ${kinds} ${waited} s`);
    }
    survivor.kill('SIGTERM');
    await db.end();
    console.log(`killed at ${points} points; ${runs.size} runs, ${wrong} wrong; steps that were not in a transaction were done again ${again} times`);
    process.exit(wrong === 0 && points >= 30 ? 0 : 1);
}

if (role === 'worker') await work([dieAt]);
else if (role === 'survivor') await work(Array.from({ length: Number(argument) }, (_, n) => n));
else await drive();
