import type { BatchHandler, Handler, TaskDefinition, WorkflowDefinition } from './api.js';
import { runCode } from './code_run.js';
import { errorFields, SkipTask, type ErrorFields } from './errors.js';
import { Isolate } from './isolate.js';
import type { Waits } from './replay.js';
import type { Row } from './link.js';
import { Attempt, type Ended } from './task.js';
import type { Worker } from './worker.js';

/** What is to be sent of a task that has ended, or of durable code that waits. */
export interface Finished {
    attempt: Attempt;
    ended: Ended | { suspend: Waits };
    /** For code that waits: what the engine said to that. */
    answer?(status: string): void;
    stored?: boolean;
}
type Served = { definition: TaskDefinition | WorkflowDefinition; isolate?: Isolate; running: number };

const places = ({ definition: { options }, running }: Served): number => Number(options['concurrency'] ?? Infinity) - running;

/** What a worker serves, and the tasks that it runs, from their lease until their results are known to be settled. */
export class Tasks {
    readonly held = new Map<string, Attempt>(); // by lease: not known to be settled
    readonly finished: Finished[] = [];
    busy = 0;
    /** Ask for more at the next turn: at first, after await_work, as long as every place that was offered got a task, and where one is free without a result. */
    hungry = true;
    private readonly served = new Map<string, Served>();

    constructor(private readonly worker: Worker) {}

    serve(definition: TaskDefinition | WorkflowDefinition): void {
        const { kind, name, run } = definition;
        const handler = kind === 'workflow' ? `:code/${name}@${definition.version}` : name;
        this.served.set(handler, { definition, isolate: run instanceof URL ? new Isolate(run) : undefined, running: 0 });
    }

    get workflows(): WorkflowDefinition[] {
        return [...this.served.values()].map(({ definition }) => definition).filter(({ kind }) => kind === 'workflow') as WorkflowDefinition[];
    }

    /** The handlers that are not full. */
    get open(): string[] {
        return [...this.served].filter(([, one]) => places(one) > 0).map(([name]) => name);
    }

    /** How many tasks may come, of any handler that is open: the one with the least room bounds them all. */
    get room(): number {
        const left = [...this.served.values()].map(places).filter((one) => one > 0);
        return Math.min(this.worker.options.concurrency - this.busy, ...left);
    }

    start(rows: Row[]): void {
        const groups = new Map<string, Attempt[]>();
        for (const row of rows) {
            const attempt = new Attempt(row);
            this.held.set(attempt.lease, attempt);
            this.count(attempt, 1);
            const group = groups.get(attempt.handler);
            if (group) group.push(attempt);
            else groups.set(attempt.handler, [attempt]);
        }
        for (const [handler, group] of groups)
            while (group.length > 0) this.run(group.splice(0, Number(this.served.get(handler)?.definition.options['batch'] ?? 1)));
    }

    /** Code that waits is told to the engine with the next exchange; its place is free from now on. */
    suspend(attempt: Attempt, waits: Waits): Promise<string> {
        this.count(attempt, -1);
        return new Promise((resolve) => {
            const answer = (status: string) => {
                this.count(attempt, 1);
                if (status !== 'ok' && status !== 'lost') this.held.set(attempt.lease, attempt);
                resolve(status);
            };
            this.finish({ attempt, ended: { suspend: waits }, answer });
        });
    }

    /** A result that the engine does not take. The lease is still ours: the value may go to the store, or else the attempt is failed in its place. */
    refused({ attempt, ended, stored }: Finished, code: string, message: string): void {
        const fail = () => this.finish({ attempt, ended: { error: { class: 'validation', code, message } } });
        this.held.set(attempt.lease, attempt);
        if (code !== 'too_large' || stored || !('output' in ended)) return fail();
        const put = this.worker.payloads.store(ended.output, `runs/${attempt.runId}`);
        void put.then((output) => this.finish({ attempt, ended: { output }, stored: true }), fail);
    }

    kill(): void {
        for (const { isolate } of this.served.values()) isolate?.close();
    }

    private count(attempt: Attempt, by: number): void {
        this.busy += by;
        const served = this.served.get(attempt.handler);
        if (served) served.running += by;
    }

    private finish(finished: Finished): void {
        this.finished.push(finished);
        this.worker.wake();
    }

    private run(batch: Attempt[]): void {
        const work = this.execute(batch).catch((thrown) => batch.map(() => endedBy(thrown)));
        for (const [i, attempt] of batch.entries()) {
            // Nothing can stop a function that does not listen: after the grace its attempt is over without it.
            const givenUp = new Promise<Ended>((resolve) => {
                const give = () => setTimeout(() => resolve(endedBy(attempt.signal.reason)), this.graceOf(attempt) + 100).unref();
                attempt.signal.addEventListener('abort', give);
            });
            void Promise.race([work.then((ended) => ended[i]!), givenUp]).then((ended) => this.end(attempt, ended));
        }
    }

    /** The engine itself ends an attempt orch.timeout_grace after its timeout. Code that is cancelled has its steps to clean up. */
    private graceOf({ interrupted, executor }: Attempt): number {
        const { grace } = this.worker.options;
        if (interrupted === 'timed_out') return Math.min(grace, 300);
        return interrupted === 'cancelled' && executor === 'code' ? Math.max(grace, 20_000) : grace;
    }

    private async execute(batch: Attempt[]): Promise<Ended[]> {
        const [attempt] = batch as [Attempt];
        const served = this.served.get(attempt.handler);
        const { payloads } = this.worker;
        if (!served) return [{ error: { class: 'infrastructure', code: 'not_served', message: `this worker does not serve ${attempt.handler}` } }];
        const { definition, isolate } = served;
        if (definition.kind === 'workflow') return [await runCode(this.worker, attempt, definition)];
        const inputs = await Promise.all(batch.map(({ rawInput }) => payloads.decode(rawInput)));
        const encoded = async (output: unknown, { runId }: Attempt): Promise<Ended> => ({ output: await payloads.encode(output, `runs/${runId}`) });
        if (isolate) {
            const ended = await isolate.run(attempt, inputs[0], () => this.graceOf(attempt));
            return ['output' in ended ? await encoded(ended.output, attempt) : ended];
        }
        if (!definition.options.batch) return [await encoded(await (definition.run as Handler)(attempt, inputs[0]), attempt)];
        const outputs = await (definition.run as BatchHandler)(batch.map((task, i) => ({ task, input: inputs[i] })));
        return Promise.all(batch.map((one, i) => (outputs[i] instanceof Error ? endedBy(outputs[i]) : encoded(outputs[i], one).catch(endedBy))));
    }

    private async end(attempt: Attempt, ended: Ended): Promise<void> {
        const { interrupted, lease } = attempt;
        clearTimeout(attempt.timer);
        // What comes after an abort does not count, but a success at the end of a drain does.
        if (interrupted === 'timed_out' && !('left' in ended)) ended = endedBy(attempt.signal.reason);
        if (interrupted === 'cancelled' && !('left' in ended))
            ended = { error: { ...('error' in ended ? ended.error : errorFields(attempt.signal.reason)), class: 'cancelled' } };
        if ('error' in ended) ended = { ...ended, error: await this.worker.payloads.encodeError(ended.error) };
        this.count(attempt, -1);
        if (interrupted === 'draining' && !('output' in ended || 'skip' in ended)) return; // given back in the end
        if (!('left' in ended || interrupted === 'lost')) return this.finish({ attempt, ended });
        if (this.held.delete(lease)) this.hungry = true; // no result will ask for the next one
        this.worker.wake();
    }
}

function endedBy(thrown: unknown): { skip: string } | { error: ErrorFields } {
    return thrown instanceof SkipTask ? { skip: thrown.message || 'skipped by its handler' } : { error: errorFields(thrown) };
}
