import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import type pg from 'pg';
import type { BatchHandler, Handler, HandlerOptions, LogLevel, TaskDefinition, WorkerOptions, WorkflowDefinition } from './api.js';
import { defineTask } from './define.js';
import { OrchError } from './errors.js';
import { pooledOf, poolOf } from './hosts.js';
import { sleep } from './json.js';
import type { Row } from './link.js';
import { Payloads } from './payloads.js';
import { Session } from './session.js';
import type { Attempt } from './task.js';
import { Tasks } from './tasks.js';

/** Leases tasks, runs them and settles them, over one connection however many run, until it is told to stop. */
export class Worker {
    readonly id: string;
    readonly payloads: Payloads;
    readonly options: WorkerOptions & { queues: string[]; concurrency: number; drain: number; grace: number };
    readonly tasks: Tasks;
    private session?: Session;
    private pool?: pg.Pool;
    private first = true; // no connection yet
    stops = 0;
    private drainEnd = Infinity;
    private over = false;
    /** Before the next connection; less again when one has been of use. */
    backoff = 100;
    private reconnectAt = 0;
    private timer?: NodeJS.Timeout;
    private turnIsDue = false;
    private onOver = () => {};

    constructor(options: WorkerOptions = {}) {
        const { concurrency: most = 10, queues = ['default'], pooled = pooledOf(options.database) } = options;
        this.options = { drain: 30_000, grace: 5000, ...options, queues, concurrency: Math.max(1, most), pooled };
        this.id = options.id ?? `${hostname()}:${process.pid}:${randomBytes(3).toString('hex')}`;
        this.payloads = new Payloads(options.payloads);
        this.tasks = new Tasks(this);
    }

    /** Serves tasks whose handler has this name; `:http` serves an executor. */
    handler<I = any>(name: string, run: Handler<I> | URL, options?: HandlerOptions): this;
    handler<I = any>(name: string, run: BatchHandler<I>, options: HandlerOptions & { batch: number }): this;
    handler(name: string, run: any, options?: any): this {
        return this.serve(defineTask(name, run, options));
    }

    serve(...definitions: (TaskDefinition | WorkflowDefinition)[]): this {
        for (const definition of definitions) this.tasks.serve(definition);
        return this;
    }

    /** Works until it is stopped, by SIGTERM and SIGINT too unless `signals` is false. Fails where the first connection or the registration does. */
    async run({ signals = true } = {}): Promise<void> {
        const stop = () => this.stop();
        if (signals) process.on('SIGTERM', stop).on('SIGINT', stop);
        try {
            for (const end = performance.now() + 30_000; !this.session && this.stops === 0;) {
                await this.connect().catch((error: OrchError) => {
                    if (!error.retryable || performance.now() > end) throw error;
                    return sleep(500);
                });
            }
            const over = new Promise<void>((resolve) => (this.onOver = resolve));
            this.turn();
            await over;
        } finally {
            if (signals) process.off('SIGTERM', stop).off('SIGINT', stop);
            this.over = true;
            clearTimeout(this.timer);
            this.tasks.kill();
            await Promise.all([this.session?.link.close(), this.pool?.end()]);
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
            if (attempt.interrupted === 'lost' || attempt.interrupted === 'draining') throw new OrchError({ code: 'OR010', message: 'the lease is given up' });
            try {
                if (this.session) return await this.session.call(text, values);
            } catch (error) {
                if (!(error instanceof OrchError) || !error.retryable) throw error;
            }
            await sleep(100);
        }
    }

    /** Connections for steps in a transaction: none is opened without one. */
    get transactions(): pg.Pool {
        return (this.pool ??= poolOf(this.options.database, this.options.concurrency));
    }

    say = (level: LogLevel, text: string): void => this.options.log?.(level, text);

    /** Something has changed: look soon what is to be done. */
    wake(): void {
        if (this.turnIsDue || this.over) return;
        this.turnIsDue = true;
        setImmediate(() => {
            this.turnIsDue = false;
            this.turn();
        });
    }

    private turn(): void {
        if (this.over) return;
        clearTimeout(this.timer);
        const now = performance.now();
        if (this.stops > 0 && this.drainEnd === Infinity) {
            this.drainEnd = now + this.options.drain;
            this.say('info', `stopping: ${this.tasks.busy} tasks may go on for ${this.options.drain / 1000} s`);
        }
        const idle = this.tasks.busy === 0 && this.tasks.held.size === 0;
        if (this.stops > 1 || now >= this.drainEnd || (this.stops > 0 && idle)) return void this.finish().then(this.onOver);
        if (!this.session && now >= this.reconnectAt) {
            this.reconnectAt = Infinity; // until it is known how this ends
            void this.connect().catch((error: Error) => this.tryLater(`not connected: ${error.message}; trying again`));
        }
        const next = Math.min(this.drainEnd, this.session ? this.session.turn(now) : this.reconnectAt, now + 3_600_000);
        this.timer = setTimeout(() => this.turn(), Math.max(0, next - performance.now()));
    }

    private async connect(): Promise<void> {
        const session = await Session.open(this, this.first);
        if (this.over) return session.link.close();
        this.say('info', `${this.first ? 'worker' : 'connected again: worker'} ${this.id} serves ${this.options.concurrency} tasks at once`);
        this.first = false;
        this.session = session;
        void session.link.lost.then((why) => {
            if (this.over) return;
            this.session = undefined;
            this.tryLater(`${why.message}; ${this.tasks.held.size} tasks go on, connecting again`);
            void session.link.close();
        });
        this.wake();
    }

    private tryLater(why: string): void {
        this.say('warning', why);
        this.reconnectAt = performance.now() + this.backoff / 2 + Math.random() * this.backoff;
        this.backoff = Math.min(this.backoff * 2, 5000);
        this.wake();
    }

    private async finish(): Promise<void> {
        const atOnce = this.stops > 1;
        this.over = true;
        for (const attempt of this.tasks.held.values()) attempt.interrupt('draining');
        if (atOnce) this.tasks.kill();
        // First nothing runs here any more, then it may run elsewhere.
        const end = performance.now() + this.options.grace + (atOnce ? 0 : 1000);
        while (this.tasks.busy > 0 && performance.now() < end) await sleep(10);
        if (!this.session) return this.say('warning', `stopped without a connection: ${this.tasks.held.size} leases will expire`);
        try {
            this.say('info', `stopped, ${await this.session.end()} tasks given back`);
        } catch (error) {
            this.say('warning', `stopped without a goodbye: ${(error as Error).message}`);
        }
    }
}
