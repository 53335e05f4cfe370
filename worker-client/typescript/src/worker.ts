import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import type pg from 'pg';
import type { BatchHandler, Handler, HandlerOptions, LogLevel, TaskDefinition, WorkerOptions, WorkflowDefinition } from './api.js';
import { runCode, transactionPool } from './code_run.js';
import { errorFields, OrchError, SkipTask, type ErrorFields } from './errors.js';
import { Isolate } from './isolate.js';
import { sleep, type Json } from './json.js';
import { Link, type Row } from './link.js';
import { Payloads } from './payloads.js';
import { Attempt, defineTask, type Ended, type Interruption } from './task.js';

interface Finished {
    attempt: Attempt;
    ended: Ended;
    oversized?: boolean;
}

const columns =
    'lease, run_id, task_id, attempt, executor, handler, spec, input, traceparent, idempotency_key, ' +
    'extract(epoch from deadline_at - clock_timestamp())::float8 as seconds_left';
const maxBatch = 500,
    linesEvery = 300,
    quick = 20;

/**
 * Leases tasks, runs them and settles them, over one connection however many run, until it is told to stop. Each turn sends what is due; answers, ended
 * tasks and one timer bring the next turn. Nothing is sent behind an `await_work` that sleeps but what is meant to end it, and as bytes end it only if
 * they come while it sleeps, not if the server read them together with it, nudges follow until it has ended.
 */
export class Worker {
    readonly id: string;
    readonly payloads: Payloads;
    private readonly options: WorkerOptions & { queues: string[]; concurrency: number; drain: number; grace: number };
    private readonly tasks = new Map<string, TaskDefinition>();
    private readonly workflows = new Map<string, WorkflowDefinition>();
    private readonly isolates = new Map<string, Isolate>();
    private readonly running = new Map<string, number>(); // by handler, of those with a limit
    private readonly held = new Map<string, Attempt>(); // by lease: not known to be settled
    private finished: Finished[] = [];
    private link?: Link;
    private pool?: pg.Pool;
    private linkWaiters: (() => void)[] = [];
    private busy = 0;
    private settling = 0;

    private hungry = true; // ask at the next turn: at the start, after await_work, and as long as every slot that was offered got a task
    private asking = false; // an exchange, complete_many or lease is in flight; results that end meanwhile go together in the next one
    private awaiting = false;
    private wokenByUs = false; // bytes went out behind the await_work in flight
    private canAwait = true;
    private oneByOne = false; // a batch was refused as a whole: find the result that did it
    private fruitless = 0; // times in a row that await_work ended at once and yet brought nothing
    private checkLeases = false; // a new connection: compare the engine's list of our leases with ours
    private newProcess = true; // what the engine lists at first was lost by a crash of our predecessor
    private served = '';
    private stops = 0;
    private drainEnd?: number;
    private connecting = false;
    private over = false;

    private heartbeatEvery = 5000;
    private backoff = 100;
    private pollDelay = 100;
    private nudgeDelay = 1;
    private reconnectAt = 0;
    private heartbeatAt = 0;
    private linesAt = 0;
    private pollAt = 0;
    private awaitAt = 0;
    private nudgeAt = 0;
    private next = 0;
    private timer?: NodeJS.Timeout;
    private turnIsDue = false;
    private onOver: { resolve(): void; reject(error: unknown): void } = { resolve() {}, reject() {} };

    constructor(options: WorkerOptions = {}) {
        this.options = { drain: 30_000, grace: 5000, ...options, queues: options.queues ?? ['default'], concurrency: Math.max(1, options.concurrency ?? 10) };
        this.id = options.id ?? `${hostname()}:${process.pid}:${randomBytes(3).toString('hex')}`;
        this.payloads = new Payloads(options.payloads);
        this.canAwait = !options.poll;
    }

    /** Serves tasks whose handler has this name; `:http` serves an executor. */
    handler<I = any>(name: string, run: Handler<I> | URL, options?: HandlerOptions): this;
    handler<I = any>(name: string, run: BatchHandler<I>, options: HandlerOptions & { batch: number }): this;
    handler(name: string, run: any, options?: any): this {
        return this.serve(defineTask(name, run, options));
    }

    serve(...definitions: (TaskDefinition | WorkflowDefinition)[]): this {
        for (const definition of definitions) {
            if (definition.kind === 'workflow') this.workflows.set(`:code/${definition.name}@${definition.version}`, definition);
            else this.tasks.set(definition.name, definition);
            if (definition.kind === 'task' && definition.run instanceof URL) this.isolates.set(definition.name, new Isolate(definition.run));
        }
        return this;
    }

    /** Works until it is stopped, by SIGTERM and SIGINT too unless `signals` is false. Fails where the first connection or the registration does. */
    async run({ signals = true } = {}): Promise<void> {
        const stop = () => this.stop();
        if (signals) process.on('SIGTERM', stop).on('SIGINT', stop);
        try {
            for (const end = performance.now() + 30_000; !this.link && this.stops === 0;) {
                await this.connect(true).catch((error: OrchError) => {
                    if (!error.retryable || performance.now() > end) throw error;
                    return sleep(500);
                });
            }
            await new Promise<void>((resolve, reject) => {
                this.onOver = { resolve, reject };
                this.turn();
            });
        } finally {
            if (signals) process.off('SIGTERM', stop).off('SIGINT', stop);
            this.over = true;
            clearTimeout(this.timer);
            for (const isolate of this.isolates.values()) isolate.close();
            await Promise.all([this.link?.close(), this.pool?.end()]);
        }
    }

    /** First call: lease no more, wait for what runs, give the rest back. Second call: kill, give back, end at once. */
    stop(): void {
        this.stops++;
        this.wake();
    }

    /** A statement for durable code: sent again where the connection was lost, until the attempt is over. */
    async call(attempt: Attempt, text: string, values: unknown[]): Promise<Row[]> {
        for (;;) {
            if (this.over || attempt.interrupted === 'lost' || attempt.interrupted === 'draining')
                throw new OrchError({ code: 'OR010', message: 'the lease is given up' });
            if (!this.link) {
                await Promise.race([new Promise<void>((resolve) => this.linkWaiters.push(resolve)), sleep(1000)]);
                continue;
            }
            try {
                const rows = await this.send(text, values);
                this.awaitAt = performance.now() + 2; // more may follow
                return rows;
            } catch (error) {
                if (!(error instanceof OrchError) || !error.retryable) throw error;
                await sleep(100);
            }
        }
    }

    /** Connections for steps in a transaction: none is opened without one. */
    get transactions(): pg.Pool {
        return (this.pool ??= transactionPool(this.options.database, this.options.concurrency));
    }

    say(level: LogLevel, text: string): void {
        this.options.log?.(level, text);
    }

    // The life of the worker

    private async connect(first: boolean): Promise<void> {
        let link: Link | undefined;
        try {
            link = await Link.open(this.options.database);
            // This connection waits for hours on purpose.
            await link.query('set statement_timeout = 0');
            await link.query('set idle_session_timeout = 0');
            // Three heartbeats must fit into a lease.
            const [settings] = await link.query(
                `select 1000 * least(extract(epoch from coalesce(nullif(current_setting('orch.heartbeat_interval', true), ''), '5s')::interval),
                    extract(epoch from coalesce($1, nullif(current_setting('orch.default_lease_time', true), ''), '30s')::interval) / 3)::float8 as beat,
                    pg_size_bytes(coalesce(nullif(current_setting('orch.max_result_bytes', true), ''), '1MB'))::float8 as result`,
                [this.options.leaseTime ?? null],
            );
            this.heartbeatEvery = Math.max(100, settings!['beat']);
            if (!this.options.payloads?.inlineLimit) this.payloads.inlineLimit = settings!['result'];
            for (const { name, version, options } of this.workflows.values())
                await link.query('select orch.register_code($1, $2, $3::jsonb)', [name, version, JSON.stringify(options)]);
            this.served = '';
            const declare = this.declaration();
            if (declare) await link.query(...declare);
        } catch (error) {
            await link?.close();
            if (first) throw error;
            this.say('warning', `not connected: ${(error as Error).message}; trying again`);
            this.reconnectAt = this.afterBackoff();
            return;
        }
        this.say('info', `${first ? 'worker' : 'connected again: worker'} ${this.id} serves ${this.options.concurrency} tasks at once`);
        this.hungry = this.checkLeases = true;
        this.asking = this.awaiting = this.wokenByUs = false;
        this.canAwait = !this.options.poll;
        this.linesAt = this.pollAt = this.heartbeatAt = performance.now();
        this.link = link;
        void link.lost.then((why) => this.loseConnection(link, why));
        for (const waiter of this.linkWaiters.splice(0)) waiter();
    }

    private loseConnection(link: Link, why: Error): void {
        if (this.link !== link || this.over) return;
        this.say('warning', `${why.message}; ${this.held.size} tasks go on, connecting again`);
        this.link = undefined;
        void link.close();
        this.reconnectAt = this.afterBackoff();
        this.wake();
    }

    private afterBackoff(): number {
        const delay = this.backoff / 2 + Math.random() * this.backoff;
        this.backoff = Math.min(this.backoff * 2, 5000);
        return performance.now() + delay;
    }

    private wake(): void {
        if (this.turnIsDue || this.over) return;
        this.turnIsDue = true;
        setImmediate(() => {
            this.turnIsDue = false;
            this.turn();
        });
    }

    private at(time: number): void {
        this.next = Math.min(this.next, time);
    }

    private turn(): void {
        if (this.over) return;
        clearTimeout(this.timer);
        const now = performance.now();
        this.next = now + 3_600_000;
        if (this.stops > 0 && this.drainEnd === undefined) {
            this.drainEnd = now + this.options.drain;
            this.heartbeatAt = now; // its bytes end an await_work that sleeps
            this.say('info', `stopping: ${this.busy} tasks may go on for ${this.options.drain / 1000} s`);
        }
        if (this.drainEnd !== undefined) {
            const done = this.busy === 0 && this.finished.length === 0 && this.settling === 0;
            if (done || now >= this.drainEnd || this.stops > 1) return void this.finish().then(this.onOver.resolve, this.onOver.reject);
            this.at(this.drainEnd);
        }
        for (const attempt of this.held.values()) {
            if (now >= attempt.deadlineAt) attempt.interrupt('timed_out');
            else this.at(attempt.deadlineAt);
        }
        if (this.link) this.sendDue(now);
        else if (now < this.reconnectAt) this.at(this.reconnectAt);
        else if (!this.connecting) {
            this.connecting = true;
            void this.connect(false).finally(() => ((this.connecting = false), this.wake()));
        }
        this.timer = setTimeout(() => this.turn(), Math.min(Math.max(0, this.next - performance.now()), 0x7fffffff));
    }

    private async finish(): Promise<void> {
        const atOnce = this.stops > 1;
        this.over = true;
        for (const attempt of this.held.values()) attempt.interrupt('draining');
        if (atOnce) for (const isolate of this.isolates.values()) isolate.close();
        // First nothing runs here any more, then it may run elsewhere.
        const end = performance.now() + this.options.grace + (atOnce ? 0 : 1000);
        while (this.busy > 0 && performance.now() < end) await sleep(10);
        if (!this.link) return this.say('warning', `stopped without a connection: ${this.held.size} leases will expire`);
        // An await_work that sleeps behind what is sent here has to end, whenever the server read it.
        const nudges = setInterval(() => this.link?.nudge(), 20);
        try {
            const settled = new Set(this.finished.map(({ attempt }) => attempt.lease));
            const lost = this.link.lost.then((error) => Promise.reject(error));
            while (this.finished.length > 0) await Promise.race([this.settle(0), lost]);
            const left = [...this.held.keys()].filter((lease) => !settled.has(lease));
            if (left.length > 0) await Promise.race([this.link.query('select * from orch.release($1)', [left]), lost]);
            await Promise.race([this.link.query('select orch.worker_stop($1)', [this.id]), lost, sleep(5000)]);
            this.say('info', `stopped, ${left.length} tasks given back`);
        } catch (error) {
            this.say('warning', `stopped without a goodbye: ${(error as Error).message}`);
        } finally {
            clearInterval(nudges);
        }
    }

    // What is sent

    private async send(text: string, values: unknown[]): Promise<Row[]> {
        const link = this.link!;
        if (this.awaiting && !this.wokenByUs) {
            this.wokenByUs = true;
            this.nudgeDelay = 1;
            this.nudgeAt = performance.now() + 1;
            this.wake();
        }
        try {
            return await link.query(text, values);
        } catch (error) {
            if (error instanceof OrchError && error.poisonsConnection) this.loseConnection(link, error);
            throw error;
        }
    }

    /** A statement whose failure is said and changes nothing. */
    private tell(what: string, text: string, values: unknown[]): Promise<Row[] | undefined> {
        return this.send(text, values).catch(
            (error: OrchError) => void this.say(error.poisonsConnection ? 'debug' : 'warning', `${what} failed: ${error.code}: ${error.message}`),
        );
    }

    private sendDue(now: number): void {
        if (this.wokenByUs) {
            if (now >= this.nudgeAt) {
                this.link!.nudge();
                this.nudgeAt = now + (this.nudgeDelay *= 2);
            }
            this.at(this.nudgeAt);
        }
        if (now >= this.linesAt) {
            for (const attempt of this.held.values()) this.sendLines(attempt);
            this.linesAt = now + linesEvery;
        }
        if (this.held.size > 0) this.at(this.linesAt);
        if (now >= this.heartbeatAt && (this.checkLeases || this.drainEnd !== undefined || this.held.size > 0)) void this.heartbeat(now);
        if (this.held.size > 0) this.at(this.heartbeatAt);
        if (this.asking) return;

        const free = this.drainEnd === undefined ? this.room() : 0;
        if (this.finished.length > 0) return void this.settle(free);
        if (free === 0 || this.awaiting) return;
        if (this.hungry) return void this.settle(free);
        if (this.busy > 0 && now < this.awaitAt) return this.at(this.awaitAt); // many a task ends at once
        if (this.canAwait && this.fruitless < 5) return void this.awaitWork();
        // It is not there, or does not sleep.
        if (now >= this.pollAt) return void this.settle(free);
        this.at(this.pollAt);
    }

    /** How many tasks may come, of any handler that is told: a handler that is full is not told, and the one with the least room bounds them all. */
    private room(): number {
        let free = this.options.concurrency - this.busy;
        for (const [name, task] of this.tasks) {
            const left = (task.options.concurrency ?? Infinity) - (this.running.get(name) ?? 0);
            if (left > 0) free = Math.min(free, left);
        }
        return free;
    }

    private declaration(): [string, unknown[]] | undefined {
        const open = [...this.tasks.values()]
            .filter(({ name, options }) => (this.running.get(name) ?? 0) < (options.concurrency ?? Infinity))
            .map(({ name }) => name);
        const handlers = [...open, ...this.workflows.keys()];
        if (this.served === (this.served = JSON.stringify(handlers))) return undefined;
        const { queues, metadata = {} } = this.options;
        return ['select orch.worker_start($1, $2, $3, $4, $5::jsonb)', [this.id, queues, handlers, 'typescript', JSON.stringify(metadata)]];
    }

    private sendLines(attempt: Attempt): void {
        const lines = attempt.takeLines();
        if (!lines) return;
        this.send('select orch.log($1, $2::jsonb)', [attempt.lease, lines]).catch((error: OrchError) => {
            if (error.code === 'OR010') this.stopTask(attempt, 'lost');
        });
    }

    private async awaitWork(): Promise<void> {
        const link = this.link!,
            began = performance.now();
        this.awaiting = true;
        try {
            await link.query('call orch.await_work($1)', [this.id]);
            if (!this.wokenByUs) {
                // There is work, or a task of ours was cancelled: the heartbeat tells which, and until it has, await_work would not sleep again.
                this.hungry = true;
                if (this.held.size > 0) this.heartbeatAt = performance.now();
                this.fruitless = performance.now() - began < quick ? this.fruitless + 1 : 0;
            }
        } catch (error) {
            if (!(error instanceof OrchError) || error.poisonsConnection) return;
            if (error.retryable) this.hungry = true;
            else {
                this.canAwait = false;
                this.say('warning', `await_work is not to be had (${error.code}: ${error.message}): polling`);
            }
        } finally {
            if (this.link === link) this.awaiting = this.wokenByUs = false;
            this.wake();
        }
    }

    /** Settles what has ended and leases up to `free` tasks, in one commit. */
    private async settle(free: number): Promise<void> {
        const declare = free > 0 ? this.declaration() : undefined;
        if (declare) void this.tell('worker_start', ...declare);
        const batch = this.finished.splice(0, this.oneByOne ? 1 : maxBatch);
        for (const { attempt } of batch) this.sendLines(attempt); // a late line would be refused: its lease is over with the result
        const results = `[${batch.map(({ attempt, ended }) => JSON.stringify({ lease: attempt.lease, ...ended })).join()}]`;
        const lease = this.options.leaseTime ? [this.options.leaseTime] : [];
        this.asking = true;
        this.settling += batch.length;
        const link = this.link;
        try {
            const rows =
                free > 0
                    ? await this.send(`select status, ${columns} from orch.exchange($1, $2::jsonb, $3${lease.length > 0 ? ', $4::interval' : ''})`, [
                          this.id,
                          results,
                          free,
                          ...lease,
                      ])
                    : await this.send('select status, lease from orch.complete_many($1, $2::jsonb)', [this.id, results]);
            this.takeAnswer(batch, rows, free);
        } catch (error) {
            this.resultsRefused(batch, error as OrchError);
        } finally {
            this.settling -= batch.length;
            if (this.link === link) this.asking = false;
            this.wake();
        }
    }

    private async heartbeat(now: number): Promise<void> {
        const details: { [lease: string]: Json } = {};
        for (const attempt of this.held.values()) {
            const progress = attempt.takeProgress(now);
            if (progress !== undefined) details[attempt.lease] = progress;
        }
        this.heartbeatAt = now + this.heartbeatEvery;
        this.checkLeases = false;
        const asked = [...this.held.values()];
        const some = Object.keys(details).length > 0;
        const rows = await this.tell('the heartbeat', 'select lease, status from orch.heartbeat($1, $2::jsonb)', [
            this.id,
            some ? JSON.stringify(details) : null,
        ]);
        if (rows) this.takeHeartbeat(asked, rows);
        this.wake();
    }

    // What comes back

    private takeAnswer(batch: Finished[], rows: Row[], free: number): void {
        this.backoff = 100;
        this.oneByOne = this.oneByOne && this.finished.length > 0;
        for (const { attempt } of batch) this.held.delete(attempt.lease);
        const leased = rows.filter((row) => row['status'] === 'leased');
        for (const row of rows) if (row['status'] !== 'leased') this.resultRefused(batch, row);
        const now = performance.now();
        if (this.drainEnd !== undefined && leased.length > 0)
            void this.tell('giving back', 'select * from orch.release($1)', [leased.map((row) => row['lease'])]);
        else this.start(leased);
        if (leased.length > 0) {
            this.fruitless = 0;
            this.awaitAt = now + 1;
        }
        if (free > 0) this.hungry = leased.length === free;
        this.pollDelay = leased.length > 0 ? 100 : Math.min(this.pollDelay * 2, 2000);
        this.pollAt = now + this.pollDelay / 2 + Math.random() * this.pollDelay;
    }

    private resultRefused(batch: Finished[], { lease, status }: Row): void {
        const found = batch.find(({ attempt }) => attempt.lease === lease);
        if (!found || status === 'ok' || status === 'duplicate') return;
        const { attempt, ended } = found;
        this.say('warning', `the result of task ${attempt.taskId} of run ${attempt.runId} was refused: ${status}`);
        if (status !== 'too_large') return;
        // The lease is still ours: the value may go to the store, or else the attempt can be failed in its place.
        this.held.set(attempt.lease, attempt);
        const bytes = 'output' in ended ? Buffer.byteLength(JSON.stringify(ended.output)) : 0;
        const fail = () =>
            this.finished.push({
                attempt,
                ended: { error: { class: 'validation', code: 'too_large', message: `the result of ${bytes} bytes is over the server's limit` } },
            });
        if (!this.options.payloads?.store || found.oversized || !('output' in ended)) return void fail();
        void this.payloads
            .decode(ended.output)
            .then((value) => this.payloads.encode(value, `runs/${attempt.runId}`, true))
            .then((output) => this.finished.push({ attempt, ended: { output }, oversized: true }), fail)
            .finally(() => this.wake());
    }

    private resultsRefused(batch: Finished[], why: OrchError): void {
        const data = /^(22|54)/.test(why.code); // of a result, not of the server
        if (data && batch.length === 1) {
            this.say('error', `the result of task ${batch[0]!.attempt.taskId} cannot be stored (${why.code}): failing the attempt`);
            batch[0]!.ended = {
                error: { class: 'validation', code: 'invalid_output', message: `the output cannot be stored: ${why.message}`, detail: why.code },
            };
        } else this.say('warning', `settling or leasing failed: ${why.code}: ${why.message}; trying again`);
        // One result that cannot be stored must not keep its neighbours from being settled.
        this.oneByOne = data;
        this.finished.unshift(...batch);
        // Whatever else it is (an extension that is being replaced, a right taken away), a new connection and its backoff are the answer.
        if (!data && this.link) this.loseConnection(this.link, why);
    }

    private takeHeartbeat(asked: Attempt[], rows: Row[]): void {
        // A lease that is lost is in the answer no more. But neither is one that a server which has just started has not read yet, so once is not enough.
        for (const attempt of asked) attempt.absences++;
        const unknown: string[] = [];
        for (const { lease, status } of rows) {
            const attempt = this.held.get(lease);
            if (attempt && status !== 'lost') attempt.absences = 0;
            if (attempt && status === 'cancel') this.stopTask(attempt, 'cancelled');
            if (!attempt && status === 'ok') unknown.push(lease);
        }
        for (const attempt of asked) if (attempt.absences >= 3 && this.held.has(attempt.lease)) this.stopTask(attempt, 'lost');
        const predecessor = this.newProcess;
        this.newProcess = false;
        if (unknown.length === 0) return;
        // Our heartbeats would keep them alive for ever. What a process of the same name held when it died has used up an attempt, or a task that kills
        // its worker would be tried for ever; what was leased in an answer that never came has not.
        this.say('warning', `${unknown.length} leases of this worker are not known to it: giving them back`);
        const error: ErrorFields = { class: 'infrastructure', code: 'worker_died', message: 'the worker died and was started again' };
        if (!predecessor) void this.tell('giving back', 'select * from orch.release($1)', [unknown]);
        else
            void this.tell('giving back', 'select * from orch.complete_many($1, $2::jsonb)', [
                this.id,
                JSON.stringify(unknown.map((lease) => ({ lease, error }))),
            ]);
    }

    private stopTask(attempt: Attempt, why: Interruption): void {
        if (!attempt.interrupted)
            this.say(
                'warning',
                `task ${attempt.taskId} of run ${attempt.runId} ${why === 'lost' ? 'was given to another worker' : 'is cancelled'}: stopping it`,
            );
        attempt.interrupt(why);
    }

    // Running tasks

    private start(rows: Row[]): void {
        const batches = new Map<string, Attempt[]>();
        for (const row of rows) {
            const attempt = new Attempt(row);
            if (this.held.size === 0) this.heartbeatAt = attempt.leasedAt + this.heartbeatEvery;
            this.held.set(attempt.lease, attempt);
            this.busy++;
            this.count(attempt.handler, 1);
            const { batch = 1 } = this.tasks.get(attempt.handler)?.options ?? {};
            const open = batches.get(attempt.handler);
            if (open && open.length < batch) open.push(attempt);
            else {
                if (open) this.startBatch(open);
                batches.set(attempt.handler, [attempt]);
            }
        }
        for (const batch of batches.values()) this.startBatch(batch);
    }

    private count(handler: string, by: number): void {
        if (this.tasks.get(handler)?.options.concurrency) this.running.set(handler, (this.running.get(handler) ?? 0) + by);
    }

    private startBatch(batch: Attempt[]): void {
        const work = this.execute(batch).catch((thrown) => batch.map(() => endedBy(thrown)));
        batch.forEach((attempt, i) => {
            // Nothing can stop a function that does not listen: after the grace its attempt is over without it.
            const givenUp = new Promise<Ended>((resolve) => {
                const give = () => setTimeout(() => resolve({ error: errorFields(attempt.signal.reason) }), this.graceOf(attempt) + 100).unref();
                attempt.signal.addEventListener('abort', give);
            });
            void Promise.race([work.then((ended) => ended[i]!), givenUp]).then((ended) => this.ended(attempt, ended));
        });
    }

    /** The engine itself ends an attempt orch.timeout_grace after its timeout. Code that is cancelled has its steps to clean up. */
    private graceOf(attempt: Attempt): number {
        if (attempt.interrupted === 'timed_out') return Math.min(this.options.grace, 300);
        return attempt.interrupted === 'cancelled' && this.workflows.has(attempt.handler) ? Math.max(this.options.grace, 20_000) : this.options.grace;
    }

    private async execute(batch: Attempt[]): Promise<Ended[]> {
        const [attempt] = batch as [Attempt];
        const workflow = this.workflows.get(attempt.handler);
        if (workflow) return [await runCode(this, attempt, workflow)];
        const task = this.tasks.get(attempt.handler);
        if (!task) return [{ error: { class: 'infrastructure', code: 'not_served', message: `this worker does not serve ${attempt.handler}` } }];
        const inputs = await Promise.all(batch.map(({ rawInput }) => this.payloads.decode(rawInput)));
        const encoded = async (value: unknown, { runId }: Attempt): Promise<Ended> => ({ output: await this.payloads.encode(value, `runs/${runId}`) });
        if (task.run instanceof URL) {
            const ended = await this.isolates.get(task.name)!.run(attempt, inputs[0], () => this.graceOf(attempt));
            return ['output' in ended ? await encoded(ended.output, attempt) : ended];
        }
        if (!task.options.batch) return [await encoded(await (task.run as Handler)(attempt, inputs[0]), attempt)];
        const outputs = await (task.run as BatchHandler)(batch.map((one, i) => ({ task: one, input: inputs[i] })));
        return Promise.all(batch.map((one, i) => (outputs[i] instanceof Error ? endedBy(outputs[i]) : encoded(outputs[i], one).catch(endedBy))));
    }

    private async ended(attempt: Attempt, ended: Ended): Promise<void> {
        // What comes after an abort does not count, but a success at the end of a drain does.
        if (attempt.interrupted === 'timed_out' && !('left' in ended)) ended = { error: errorFields(attempt.signal.reason) };
        if (attempt.interrupted === 'cancelled' && !('left' in ended))
            ended = { error: { ...('error' in ended ? ended.error : errorFields(attempt.signal.reason)), class: 'cancelled' } };
        if ('error' in ended) ended = { ...ended, error: await this.payloads.encodeError(ended.error) };
        this.busy--;
        this.count(attempt.handler, -1);
        const gone = attempt.interrupted === 'draining' && !('output' in ended || 'skip' in ended); // given back in the end
        if (gone) return this.wake();
        if ('left' in ended || attempt.interrupted === 'lost') {
            this.held.delete(attempt.lease);
            this.hungry = true; // no settle will ask for the next one
        } else this.finished.push({ attempt, ended });
        this.wake();
    }
}

function endedBy(thrown: unknown): Ended {
    return thrown instanceof SkipTask ? { skip: thrown.message || 'skipped by its handler' } : { error: errorFields(thrown) };
}
