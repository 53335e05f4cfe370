import type { OrchError, ErrorFields } from './errors.js';
import { pause, pooler } from './hosts.js';
import { Link, type Row } from './link.js';
import { columns, type Attempt, type Interruption } from './task.js';
import type { Finished, Tasks } from './tasks.js';
import type { Worker } from './worker.js';

const maxBatch = 500;
const linesEvery = 300;
const quick = 20;

/**
 * What a worker says over one connection, and what comes back. Each turn sends what is due; answers, ended tasks and the time that a turn returns bring the
 * next one. Nothing is sent behind an `await_work` that sleeps but what is meant to end it.
 */
export class Session {
    private readonly tasks: Tasks;
    private heartbeatEvery = 5000;
    private canAwait: boolean;
    private asking = false; // an exchange is in flight; results that end meanwhile go together in the next one
    private awaiting = false;
    private oneByOne = false; // a batch was refused as a whole: find the result that did it
    private fruitless = 0; // times in a row that await_work ended at once, or is not to be had, and nothing came
    private served = '';
    private heartbeatAt = 0; // at once: compares the engine's list of our leases with ours
    private linesAt = 0;
    private awaitAt = 0;

    private constructor(
        readonly link: Link,
        private readonly worker: Worker,
        private newProcess: boolean, // what the engine lists at first was lost by a crash of our predecessor
    ) {
        this.tasks = worker.tasks;
        this.canAwait = !worker.options.pooled;
    }

    static async open(worker: Worker, first: boolean): Promise<Session> {
        const { database, leaseTime, payloads } = worker.options;
        const session = new Session(await Link.open(database), worker, first);
        const { link, tasks } = session;
        try {
            // A server process of our own waits for hours on purpose; one behind a pooler is others' too. Three heartbeats must fit into a lease.
            const [settings] = await link.query(
                `select pg_backend_pid() = $2 as own,
                    case when pg_backend_pid() = $2 then set_config('statement_timeout', '0', false) || set_config('idle_session_timeout', '0', false) end,
                    1000 * least(extract(epoch from coalesce(nullif(current_setting('orch.heartbeat_interval', true), ''), '5s')::interval),
                    extract(epoch from coalesce($1, nullif(current_setting('orch.default_lease_time', true), ''), '30s')::interval) / 3)::float8 as beat,
                    pg_size_bytes(coalesce(nullif(current_setting('orch.max_result_bytes', true), ''), '1MB'))::float8 as result`,
                [leaseTime ?? null, link.client.processID],
            );
            if (worker.options.pooled === undefined && !settings!['own']) worker.say('warning', pooler);
            session.heartbeatEvery = Math.max(100, settings!['beat']);
            if (!payloads?.inlineLimit) worker.payloads.inlineLimit = settings!['result'];
            for (const { name, version, options } of tasks.workflows)
                await link.query('select orch.register_code($1, $2, $3::jsonb)', [name, version, JSON.stringify(options)]);
            await session.declare();
            tasks.hungry = true;
            return session;
        } catch (error) {
            await link.close();
            throw error;
        }
    }

    /** Sends what is due; returns when to look again. */
    turn(now: number): number {
        const { held, finished } = this.tasks;
        if (now >= this.linesAt) {
            for (const attempt of held.values()) this.sendLines(attempt);
            this.linesAt = now + linesEvery;
        }
        if (now >= this.heartbeatAt && (held.size > 0 || this.heartbeatAt === 0)) void this.heartbeat(now);
        const next = held.size > 0 ? Math.min(this.linesAt, this.heartbeatAt) : Infinity;
        if (this.asking) return next;

        const free = this.worker.stops ? 0 : Math.max(0, this.tasks.room);
        if (finished.length > 0 || (free > 0 && this.tasks.hungry && !this.awaiting)) void this.exchange(free);
        else if (free === 0 || this.awaiting) return next;
        else if (now < this.awaitAt) return Math.min(next, this.awaitAt);
        else void (this.canAwait ? this.awaitWork() : this.exchange(free));
        return next;
    }

    /** A statement of durable code. */
    async call(text: string, values: unknown[]): Promise<Row[]> {
        const rows = await this.link.query(text, values);
        this.awaitAt = performance.now() + 2; // more may follow
        return rows;
    }

    /** Sends the last results and says goodbye; returns how many tasks went back. */
    async end(): Promise<number> {
        const lost = this.link.lost.then((error) => Promise.reject(error));
        while (this.tasks.finished.length > 0) await Promise.race([this.exchange(0), lost]);
        const late = new Promise<Row[]>((_, reject) => setTimeout(() => reject(new Error('the server does not answer')), 5000).unref());
        const stopped = this.link.query('select orch.worker_stop($1) as left', [this.worker.id]);
        return (await Promise.race([stopped, lost, late]))[0]!['left'];
    }

    // What is sent

    /** A statement whose failure is said and changes nothing. */
    private tell<T>(what: string, sent: Promise<T>): Promise<T | void> {
        return sent.catch(({ poisonsConnection, code, message }: OrchError) =>
            this.worker.say(poisonsConnection ? 'debug' : 'warning', `${what} failed: ${code}: ${message}`),
        );
    }

    private async declare(): Promise<void> {
        const { open } = this.tasks;
        if (this.served === (this.served = JSON.stringify(open))) return;
        const { queues, metadata = {} } = this.worker.options;
        await this.link.query('select orch.worker_start($1, $2, $3, $4, $5::jsonb)', [this.worker.id, queues, open, 'typescript', JSON.stringify(metadata)]);
    }

    private release(leases: string[]): Promise<unknown> {
        return this.tell('giving back', this.link.query('select * from orch.release($1)', [leases]));
    }

    private sendLines(attempt: Attempt): void {
        const lines = attempt.takeLines();
        if (lines) void this.tell('a log line', this.link.query('select orch.log($1, $2::jsonb)', [attempt.lease, lines]));
    }

    private async awaitWork(): Promise<void> {
        const began = performance.now();
        this.awaiting = true;
        try {
            if (!(await this.link.awaitWork(this.worker.id))) return;
            // There is work, or a task of ours was cancelled: the heartbeat tells which, and until it has, await_work would not sleep again.
            this.tasks.hungry = true;
            if (this.tasks.held.size > 0) this.heartbeatAt = performance.now();
            this.fruitless = performance.now() - began < quick ? this.fruitless + 1 : 0;
        } catch (cause) {
            const { retryable, code, message } = cause as OrchError;
            this.canAwait = retryable;
            this.tasks.hungry = true;
            if (!retryable) this.worker.say('warning', `await_work is not to be had (${code}: ${message}): polling`);
        } finally {
            this.awaiting = false;
            this.worker.wake();
        }
    }

    /** Settles what has ended and leases up to `free` tasks, in one commit. */
    private async exchange(free: number): Promise<void> {
        if (free > 0) void this.tell('worker_start', this.declare());
        const batch = this.tasks.finished.splice(0, this.oneByOne ? 1 : maxBatch);
        for (const { attempt } of batch) this.sendLines(attempt); // a late line would be refused: its lease is over with the result
        const results = `[${batch.map(({ attempt, ended }) => JSON.stringify({ lease: attempt.lease, ...ended })).join()}]`;
        const text = `select status, ${columns} from orch.exchange($1, $2::jsonb, $3, $4::interval)`;
        this.asking = true;
        try {
            this.takeAnswer(batch, await this.link.query(text, [this.worker.id, results, free, this.worker.options.leaseTime ?? null]), free);
        } catch (error) {
            this.takeRefusal(batch, error as OrchError);
        } finally {
            this.asking = false;
            this.worker.wake();
        }
    }

    private async heartbeat(now: number): Promise<void> {
        const asked = [...this.tasks.held.values()];
        const told = asked.map((attempt) => [attempt.lease, attempt.takeProgress(now)]).filter(([, progress]) => progress !== undefined);
        const details = told.length > 0 ? JSON.stringify(Object.fromEntries(told)) : null;
        this.heartbeatAt = now + this.heartbeatEvery;
        const rows = await this.tell('the heartbeat', this.link.query('select lease, status from orch.heartbeat($1, $2::jsonb)', [this.worker.id, details]));
        if (rows) this.takeHeartbeat(asked, rows);
        this.worker.wake();
    }

    // What comes back

    private takeAnswer(batch: Finished[], rows: Row[], free: number): void {
        const { tasks, worker } = this;
        const now = performance.now();
        worker.backoff = 100;
        this.oneByOne = this.oneByOne && tasks.finished.length > 0;
        for (const { attempt } of batch) tasks.held.delete(attempt.lease);
        const refused = new Map<string, string>();
        const leased = rows.filter(({ lease, status }) => status === 'leased' || (refused.set(lease, status), false));
        for (const finished of batch) this.answer(finished, refused.get(finished.attempt.lease) ?? 'ok');
        if (tasks.held.size === 0) this.heartbeatAt = now + this.heartbeatEvery;
        if (worker.stops === 0) tasks.start(leased);
        else if (leased.length > 0) void this.release(leased.map(({ lease }) => lease));
        if (leased.length > 0) this.fruitless = 0;
        else if (!this.canAwait) this.fruitless++;
        if (free > 0) tasks.hungry = leased.length === free;
        // Many a task ends at once. Where await_work does not sleep, or is not there, pauses that grow are in its place.
        const fruitless = this.canAwait ? this.fruitless - 5 : this.fruitless - 1;
        this.awaitAt = tasks.busy > 0 || fruitless >= 0 ? now + (fruitless < 0 ? 1 : pause(fruitless)) : now;
    }

    private answer(finished: Finished, status: string, why = "the result is over the server's limit"): void {
        const { taskId, runId } = finished.attempt;
        if (finished.answer) return finished.answer(status);
        if (status === 'ok' || status === 'duplicate') return;
        this.worker.say('warning', `the result of task ${taskId} of run ${runId} was refused: ${status}`);
        if (status === 'too_large' || status === 'invalid_output') this.tasks.refused(finished, status, why);
    }

    private takeRefusal(batch: Finished[], why: OrchError): void {
        const data = /^(22|54)/.test(why.code); // of a result, not of the server
        // One result that cannot be stored must not keep its neighbours from being settled.
        this.oneByOne = data;
        if (data && batch.length === 1) return this.answer(batch[0]!, 'invalid_output', `the output cannot be stored: ${why.message}`);
        this.worker.say('warning', `settling or leasing failed: ${why.code}: ${why.message}; trying again`);
        this.tasks.finished.unshift(...batch);
        // Whatever else it is (an extension that is being replaced, a right taken away), a new connection and its backoff are the answer.
        if (!data) this.link.lose(why);
    }

    private takeHeartbeat(asked: Attempt[], rows: Row[]): void {
        const { held } = this.tasks;
        // A lease that is lost is in the answer no more. But neither is one that a server which has just started has not read yet, so once is not enough.
        for (const attempt of asked) attempt.absences++;
        const unknown: string[] = [];
        for (const { lease, status } of rows) {
            const attempt = held.get(lease);
            if (attempt && status !== 'lost') attempt.absences = 0;
            if (attempt && status === 'cancel') this.interrupt(attempt, 'cancelled');
            if (!attempt && status === 'ok') unknown.push(lease);
        }
        for (const attempt of asked) if (attempt.absences >= 3 && held.has(attempt.lease)) this.interrupt(attempt, 'lost');
        const predecessor = this.newProcess;
        this.newProcess = false;
        if (unknown.length === 0) return;
        // Our heartbeats would keep them alive for ever. What a process of the same name held when it died has used up an attempt, or a task that kills
        // its worker would be tried for ever; what was leased in an answer that never came has not.
        this.worker.say('warning', `${unknown.length} leases of this worker are not known to it: giving them back`);
        const error: ErrorFields = { class: 'infrastructure', code: 'worker_died', message: 'the worker died and was started again' };
        const results = JSON.stringify(unknown.map((lease) => ({ lease, error })));
        if (!predecessor) void this.release(unknown);
        else void this.tell('giving back', this.link.query('select * from orch.complete_many($1, $2::jsonb)', [this.worker.id, results]));
    }

    private interrupt(attempt: Attempt, why: Interruption): void {
        const said = why === 'lost' ? 'was given to another worker' : 'is cancelled';
        if (!attempt.interrupted) this.worker.say('warning', `task ${attempt.taskId} of run ${attempt.runId} ${said}: stopping it`);
        attempt.interrupt(why);
    }
}
