import { setMaxListeners } from 'node:events';
import type { BatchHandler, Handler, HandlerOptions, TaskContext, TaskDefinition } from './api.js';
import { CancelledError, TaskError, type ErrorFields } from './errors.js';
import type { Json } from './json.js';
import type { Row } from './link.js';

export function defineTask<I = any, O = any>(name: string, run: BatchHandler<I, O>, options: HandlerOptions & { batch: number }): TaskDefinition<I, O>;
export function defineTask<I = any, O = any>(name: string, run: Handler<I, O> | URL, options?: HandlerOptions): TaskDefinition<I, O>;
export function defineTask(name: string, run: TaskDefinition['run'], options: TaskDefinition['options'] = {}): TaskDefinition {
    return { kind: 'task', name, run, options };
}

/** How an attempt ended; `left` is durable code that waits: there is nothing to settle. */
export type Ended = { output: unknown } | { error: ErrorFields; retry?: boolean } | { skip: string } | { left: true };
export type Interruption = 'lost' | 'cancelled' | 'timed_out' | 'draining';

/** The worker's side of a TaskContext. */
export class Attempt implements TaskContext {
    readonly lease: string;
    readonly runId: string;
    readonly taskId: string;
    readonly attempt: number;
    readonly executor: string;
    readonly handler: string;
    readonly spec: { [key: string]: any };
    readonly rawInput: Json;
    readonly traceparent?: string;
    readonly idempotencyKey: string;
    readonly deadline?: Date;
    readonly previousProgress?: Json;
    readonly deadlineAt: number;
    readonly leasedAt = performance.now();
    absences = 0;
    interrupted?: Interruption;
    private readonly controller = new AbortController();
    private lines: { stream: string; line: string; at: string }[] = [];
    private told?: Json;
    private toldAt = 0;

    constructor(row: Row) {
        setMaxListeners(0, this.controller.signal); // one for each step that runs
        ({
            lease: this.lease,
            run_id: this.runId,
            task_id: this.taskId,
            attempt: this.attempt,
            executor: this.executor,
            spec: this.spec,
            input: this.rawInput,
        } = row as any);
        this.spec ??= {};
        // Executors are handlers by their own name: `:http`.
        this.handler =
            row['executor'] === 'handler'
                ? row['handler']
                : row['executor'] === 'code'
                  ? `:code/${row['spec'].code.workflow}@${row['spec'].code.version}`
                  : `:${row['executor']}`;
        this.traceparent = row['traceparent'] ?? undefined;
        this.idempotencyKey = row['idempotency_key'];
        this.previousProgress = this.spec['progress'];
        const left: number | null = row['seconds_left'];
        this.deadlineAt = left === null ? Infinity : this.leasedAt + 1000 * left;
        if (left !== null) this.deadline = new Date(Date.now() + 1000 * left);
    }

    get signal(): AbortSignal {
        return this.controller.signal;
    }

    interrupt(why: Interruption): void {
        if (this.interrupted) return;
        this.interrupted = why;
        this.controller.abort(
            why === 'timed_out' ? new TaskError('timeout', 'timeout', this.timeoutMessage()) : new CancelledError('cancelled', why, `the task is ${why}`),
        );
    }

    timeoutMessage(): string {
        return `the attempt was not over after its ${this.spec['timeout_seconds'] ?? ''} seconds`.replace('  ', ' ');
    }

    log(line: string, stream = 'log'): void {
        for (const one of String(line).replaceAll('\0', '\uFFFD').split('\n')) this.lines.push({ stream, line: one, at: new Date().toISOString() });
    }

    progress(details: Json): void {
        if (Buffer.byteLength(JSON.stringify(details)) > 4096) throw new RangeError('more than 4 KiB of progress');
        this.told = details;
    }

    takeLines(): string | undefined {
        if (this.lines.length === 0) return undefined;
        return JSON.stringify(this.lines.splice(0, 5000));
    }

    /** At most one a second: the engine leaves out what comes sooner. */
    takeProgress(now: number): Json | undefined {
        if (this.told === undefined || now - this.toldAt < 1000) return undefined;
        this.toldAt = now;
        const told = this.told;
        this.told = undefined;
        return told;
    }
}
