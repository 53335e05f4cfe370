import { setMaxListeners } from 'node:events';
import type { TaskContext } from './api.js';
import { CancelledError, TaskError, type ErrorFields } from './errors.js';
import type { Json } from './json.js';
import type { Row } from './link.js';

/** How an attempt ended; `left` is durable code that waits or went elsewhere: there is nothing to settle. */
export type Ended = { output: unknown } | { error: ErrorFields; retry?: boolean } | { skip: string } | { left: true };
export type Interruption = 'lost' | 'cancelled' | 'timed_out' | 'draining';

/** Of orch.exchange, by the names that an Attempt has for them. */
export const columns = `lease, run_id as "runId", task_id as "taskId", attempt, executor, handler, spec, input as "rawInput", traceparent,
    idempotency_key as "idempotencyKey", extract(epoch from deadline_at - clock_timestamp())::float8 as "secondsLeft"`;

/** The worker's side of a TaskContext. */
export class Attempt implements TaskContext {
    readonly lease!: string;
    readonly runId!: string;
    readonly taskId!: string;
    readonly attempt!: number;
    readonly executor!: string;
    readonly handler!: string;
    readonly rawInput!: Json;
    readonly idempotencyKey!: string;
    readonly spec: { [key: string]: any };
    readonly traceparent?: string;
    readonly deadline?: Date;
    readonly previousProgress?: Json;
    absences = 0;
    interrupted?: Interruption;
    private readonly controller = new AbortController();
    readonly signal = this.controller.signal;
    private lines: { stream: string; line: string; at: string }[] = [];
    readonly timer?: NodeJS.Timeout;
    private told?: Json;
    private toldAt = 0;

    constructor(row: Row) {
        setMaxListeners(0, this.signal); // one for each step that runs
        Object.assign(this, row);
        this.spec = row['spec'] ?? {};
        // Executors are handlers by their own name: `:http`. A question to durable code is one for whoever serves that.
        const { code } = this.spec;
        if (code) this.handler = `:code/${code.workflow}@${code.version}`;
        else if (this.executor !== 'handler') this.handler = `:${this.executor}`;
        this.traceparent = row['traceparent'] ?? undefined;
        this.previousProgress = this.spec['progress'];
        const left: number | null = row['secondsLeft'];
        if (left === null) return;
        this.deadline = new Date(Date.now() + 1000 * left);
        // Further away than a timer reaches, the engine's word is enough.
        if (left < 2e6) this.timer = setTimeout(() => this.interrupt('timed_out'), 1000 * left).unref();
    }

    interrupt(why: Interruption): void {
        if (this.interrupted) return;
        this.interrupted = why;
        const late = `the attempt was not over after its ${this.spec['timeout_seconds'] ?? 'last'} seconds`;
        this.controller.abort(why === 'timed_out' ? new TaskError('timeout', 'timeout', late) : new CancelledError('cancelled', why, `the task is ${why}`));
    }

    log(line: string, stream = 'log'): void {
        for (const one of String(line).replaceAll('\0', '\uFFFD').split('\n')) this.lines.push({ stream, line: one, at: new Date().toISOString() });
    }

    progress(details: Json): void {
        if (Buffer.byteLength(JSON.stringify(details)) > 4096) throw new RangeError('more than 4 KiB of progress');
        this.told = details;
    }

    takeLines(): string | undefined {
        return this.lines.length > 0 ? JSON.stringify(this.lines.splice(0, 5000)) : undefined;
    }

    /** At most one a second: the engine leaves out what comes sooner. */
    takeProgress(now: number): Json | undefined {
        const { told } = this;
        if (told === undefined || now - this.toldAt < 1000) return undefined;
        this.toldAt = now;
        this.told = undefined;
        return told;
    }
}
