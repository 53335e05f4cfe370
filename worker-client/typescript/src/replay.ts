import { AsyncLocalStorage } from 'node:async_hooks';
import type { Context, HistoryRow, Transaction } from './api.js';
import { errorFields, TaskError, type ErrorFields } from './errors.js';
import { sleep, type Json } from './json.js';
import type { Payloads } from './payloads.js';
import { Requests } from './requests.js';

export type Definition = { [key: string]: any };
export type Entry = { id: string; output?: Json; error?: ErrorFields; tags?: { [key: string]: Json }; seen?: string[]; [field: string]: any };
export type Outcome = Pick<HistoryRow, 'id' | 'state' | 'output' | 'error'>;
export type Waits = { steps: Entry[]; any?: string[]; all?: string[] };
export type Request = { id: string; name: string; input: Json };

/** Where the journal of a run is kept: by the engine, or in the memory of a test. */
export interface Journal {
    readonly payloads: Payloads;
    history(): Promise<HistoryRow[]>;
    record(entries: Entry[]): Promise<void>;
    suspend(waits: Waits): Promise<'go_on' | 'suspended'>;
    outcomes(ids: string[]): Promise<Outcome[]>;
    /** The updates that nobody has accepted or refused. */
    updates(): Promise<Request[]>;
    /** Runs `work` in a transaction, and records the entry that it makes in the same. */
    transaction(id: string, work: (tx: Transaction) => Promise<Entry>): Promise<Entry>;
    park(error: ErrorFields): Promise<void>;
    continueAsNew(input: Json): Promise<unknown>;
    log(line: string): void;
    now(): Date;
    /** A pause before another attempt, too short for a timer. */
    pause(ms: number, signal: AbortSignal): Promise<void>;
    /** What a test has put in the place of a step's function. */
    mocked?(name: string): Function | undefined;
}

/** The journal could not be written: not the step's failure. */
export class LostStep extends Error {}

export interface RunFacts {
    runId: string;
    workflow: string;
    version: string;
    attempt: number;
    input: unknown;
    /**
     * Aborted at a cancel or a timeout, with the error that is then raised in the code; or, with the code `lost` or `draining`, where the run is another
     * worker's matter from now on: nothing is raised then, since code that cleans up would undo what goes on elsewhere.
     */
    signal: AbortSignal;
    /** A query: the code goes no further than its journal, and is asked then. */
    question?: Omit<Request, 'id'>;
}
/** How the code ended; null: it waits, is parked, goes on as another run, or was stopped. */
export type CodeEnd = { output: unknown } | { error: ErrorFields; retry?: false } | null;
/** A step in place that is over, and whether the journal has it already. */
export type Done = { entry: Entry; recorded: boolean };

/** Something that the code has asked for. */
export interface Op {
    id: string;
    promise: Promise<any>;
    resolve(value: unknown): void;
    reject(error: unknown): void;
    settled: boolean;
    /** A step in place: its function. */
    run?(): Promise<Done>;
    /** A signal: null where nothing comes in time. */
    optional?: boolean;
}

const final = new Set(['succeeded', 'failed', 'timed_out', 'cancelled', 'skipped', 'upstream_failed']);
const executors = ['handler', 'command', 'http', 'callable', 'sleep', 'until', 'signal', 'approval', 'workflow'] as const;
const foreignGrace = 2000;

/** Executor and name of what a definition does: what code may not change under a run. */
function target(definition: Definition): string {
    const executor = executors.find((name) => definition[name] !== undefined);
    if (!executor) return 'a step in place';
    const { [executor]: what } = definition;
    const name = { handler: what, callable: what, signal: what?.name, workflow: what?.id }[executor as string];
    return name === undefined ? executor : `${executor} ${name}`;
}
export const isStarted = (definition: Definition): boolean => executors.some((name) => definition[name] !== undefined);

/** The function of the code that is running, where what it asks of the context would not be asked in a replay. */
export const inside = new AsyncLocalStorage<string>();

/**
 * One replay of a run's code, and its way on from there. The code runs until it is blocked, then it is given the next thing that the journal says it was
 * given, and so on; what it asks for and the journal does not have is held back until the journal is at its end.
 */
export class Replay {
    /** The code was given all that the journal has: what it asks for now happens. */
    live = false;
    /** The cancel was raised in the code. */
    raised = false;
    /** Functions in place that run. */
    running = 0;
    readonly due: Op[] = []; // functions in place that are to run
    readonly requests = new Requests(this);
    readonly rows = new Map<string, HistoryRow>();
    readonly ops = new Map<string, Op>();
    private readonly waiting = new Set<Op>(); // started and not over
    private readonly counts = new Map<string, number>();
    readonly gathered = new WeakSet<Promise<unknown>>(); // waited for by ctx.all
    private readonly stepErrors = new WeakSet<object>();
    unissued = 0; // rows that the code has not asked for
    private deliveries: Outcome[] = []; // to be given to the code; the next one is the last
    private given = new Set<string>(); // of which the journal tells when the code was given them
    private buffer: Entry[] = []; // asked for and not recorded
    private seen: string[] = []; // given to the code since the last entry
    private done: Done[] = [];
    private over?: () => CodeEnd | Promise<CodeEnd>; // how to end, once all is recorded
    private divergence?: ErrorFields;
    private broken?: { error: unknown }; // the journal could not be written: the attempt is over
    private loads: Promise<unknown> = Promise.resolve();
    private loading = 0;
    moved = () => {};

    constructor(
        readonly journal: Journal,
        readonly facts: RunFacts,
    ) {}

    async run(ctx: Context, code: (ctx: Context, input: any) => unknown): Promise<CodeEnd> {
        await this.readHistory();
        this.facts.signal.addEventListener('abort', () => this.moved());
        const ended = (end: CodeEnd) => this.end(() => end);
        void (async () => code(ctx, this.facts.input))().then(
            (output) => ended({ output }),
            (thrown) => {
                // A step's failure is the code's to handle, and what it does not handle is its own; only what never was its doing is worth another attempt.
                const error = errorFields(thrown);
                const again = thrown instanceof TaskError && /^(infrastructure|transient)$/.test(error.class) && !this.stepErrors.has(thrown);
                ended(again ? { error } : { error, retry: false });
            },
        );
        for (;;) {
            await this.blocked();
            const end = await this.turn();
            if (end !== undefined) return end;
        }
    }

    end(how: () => CodeEnd | Promise<CodeEnd>): void {
        this.over ??= how;
        this.moved();
    }

    private async readHistory(): Promise<void> {
        const rows = await this.journal.history();
        for (const row of rows) {
            this.rows.set(row.id, row);
            if (row.definition['update']) this.requests.replayed(row);
            for (const id of row.definition['seen'] ?? []) this.deliveries.push(this.rows.get(id) ?? ({ id, state: 'unknown' } as Outcome));
            // A failed step of a run that is tried again is begun anew: nothing is known of it yet.
            if (!isStarted(row.definition) && row.state !== 'pending') this.deliveries.push(row);
        }
        this.given = new Set(this.deliveries.map(({ id }) => id));
        const late = rows.filter((row) => isStarted(row.definition) && final.has(row.state) && !this.given.has(row.id));
        late.sort((a, b) => a.ended_at! - b.ended_at! || a.no - b.no);
        this.deliveries = [...this.deliveries, ...late].reverse();
        this.unissued = rows.length - this.ops.size;
    }

    /** Lets the code run until it waits for something that only we can give. */
    private async blocked(): Promise<void> {
        do {
            await this.loads;
            await new Promise(setImmediate);
        } while (this.loading > 0);
    }

    /** Whether the code goes on by itself, where it waits for something that is not ours. */
    private moves(ms?: number): Promise<boolean> {
        const moved = new Promise<boolean>((resolve) => (this.moved = () => resolve(true)));
        return ms ? Promise.race([moved, sleep(ms).then(() => false)]) : moved;
    }

    private async turn(): Promise<CodeEnd | void> {
        const { signal } = this.facts;
        if (signal.aborted && (signal.reason.code === 'lost' || signal.reason.code === 'draining')) return null;
        if (this.broken) throw this.broken.error;
        if (this.divergence && this.facts.question) return { error: this.divergence, retry: false };
        if (this.divergence) return this.journal.park(this.divergence).then(() => null);
        if (this.requests.resume()) return;
        const next = this.deliveries.at(-1);
        const op = next && this.ops.get(next.id);
        const later = op && this.facts.question && !final.has(next.state); // it ended after it was asked for
        if (op && !later) return this.deliver(op, this.deliveries.pop()!);
        if (!later && (next || this.unissued > 0)) {
            if (!this.over && this.waiting.size === 0 && this.due.length === 0 && (await this.moves(foreignGrace))) return;
            return this.astray(next?.id);
        }
        if (this.facts.question) return this.requests.answer(this.facts.question);
        if (!this.live) this.requests.expected = this.requests.handlers.size > 0;
        this.live = true;
        return this.goOn();
    }

    private async goOn(): Promise<CodeEnd | void> {
        if (this.facts.signal.aborted && !this.raised) {
            this.raised = true;
            for (const op of [...this.waiting, ...this.requests.conditions.keys()]) this.settle(op, 'reject', this.facts.signal.reason);
            return;
        }
        if (this.done.length > 0) return this.recordDone();
        // Not beside a step in a transaction: which of the two the journal has first would be chance.
        if (this.running === 0 && (await this.requests.take())) return;
        if (this.due.length > 0) return this.begin();
        if (this.running > 0) return void (await (this.buffer.some(isStarted) ? this.flush() : this.moves()));
        if (this.over) {
            await this.flush();
            return this.over();
        }
        const { conditions, handlers } = this.requests;
        if (this.waiting.size > 0 || (conditions.size > 0 && handlers.size > 0)) return this.suspend();
        if (await this.moves(conditions.size > 0 ? foreignGrace : undefined)) return;
        return { error: { class: 'handler', code: 'deadlock', message: 'the code waits for conditions that nothing will change' }, retry: false };
    }

    private async suspend(): Promise<CodeEnd | void> {
        const waiting = [...this.waiting];
        const ids = waiting.map(({ id }) => id);
        const all = ids.length > 1 && this.requests.conditions.size === 0 && waiting.every(({ promise }) => this.gathered.has(promise));
        const steps = this.buffer.splice(0);
        const answer = await this.journal.suspend({ steps, [all ? 'all' : 'any']: ids });
        if (answer === 'suspended') return null;
        this.requests.expected = true;
        const outcomes = await this.journal.outcomes(ids);
        if (outcomes.length === 0) await sleep(50);
        this.deliveries = outcomes.reverse();
    }

    private async flush(): Promise<void> {
        const entries = this.buffer.splice(0);
        if (entries.length > 0) await this.journal.record(entries);
    }

    private async begin(): Promise<void> {
        await this.flush();
        for (const { run } of this.due.splice(0)) {
            this.running++;
            const ended = run!().then(
                (done) => void this.done.push(done),
                (error) => (this.broken = { error }),
            );
            void ended.then(() => (this.running--, this.moved()));
        }
    }

    private async recordDone(): Promise<void> {
        const ended = this.done.splice(0);
        const entries = ended.filter(({ recorded }) => !recorded).map(({ entry }) => this.withSeen(entry));
        if (entries.length > 0) await this.journal.record([...this.buffer.splice(0), ...entries]);
        this.requests.expected = this.requests.handlers.size > 0;
        // One after the other, as a replay will give them.
        for (const { entry } of ended) {
            const { id, output = null, error = null } = entry;
            this.deliveries.unshift({ id, state: error ? 'failed' : 'succeeded', output, error });
        }
    }

    private async deliver(op: Op, { id, state, output, error }: Outcome): Promise<void> {
        if (op.settled) return;
        if (this.waiting.has(op) && !this.given.has(id)) this.seen.push(id);
        const { payloads } = this.journal;
        if (state === 'succeeded') return this.settle(op, 'resolve', await payloads.decode(output, (work) => this.whileLoading(work)));
        if (state === 'skipped' || (state === 'timed_out' && op.optional)) return this.settle(op, 'resolve', null);
        const failed = error ?? { class: state === 'timed_out' ? 'timeout' : 'cancelled', message: `${id} is ${state}` };
        const thrown = TaskError.from(await payloads.decodeError(failed as ErrorFields));
        this.stepErrors.add(thrown);
        this.settle(op, 'reject', thrown);
    }

    settle(op: Op, how: 'resolve' | 'reject', value: unknown): void {
        if (op.settled) return;
        op.settled = true;
        this.waiting.delete(op);
        this.requests.conditions.delete(op);
        op[how](value);
    }

    /** Fetches of large values: one after the other, and the code counts as running. */
    whileLoading<T>(work: () => Promise<T>): Promise<T> {
        this.loading++;
        const result = this.loads.then(work).finally(() => this.loading--);
        this.loads = result.catch(() => {});
        return result;
    }

    // Asking

    nextId(name: string): string {
        const count = (this.counts.get(name) ?? 0) + 1;
        this.counts.set(name, count);
        return `${name}#${count}`;
    }

    withSeen(entry: Entry): Entry {
        return this.seen.length > 0 ? { ...entry, seen: this.seen.splice(0) } : entry;
    }

    /** Whether what happens now has not happened before. */
    get anew(): boolean {
        return this.live || (this.deliveries.length === 0 && this.unissued === 0 && !this.facts.question);
    }

    private asked(id: string): Op {
        const step = inside.getStore();
        if (step) {
            const message = `the function of ${step} asks its run for ${id}: a replay does not run it, so ask before the step`;
            throw new TaskError('validation', 'nested_step', message);
        }
        const op = { id, settled: false } as Op;
        op.promise = new Promise<any>((resolve, reject) => Object.assign(op, { resolve, reject }));
        op.promise.catch(() => {}); // it may be that nobody waits for it
        return op;
    }

    /** The operation of an id, compared with the journal's where that has one: code that asks for something else is stopped at its next turn. */
    issue(id: string, definition: Definition): { op: Op; row?: HistoryRow } {
        const op = this.asked(id);
        const row = this.rows.get(id);
        if (row) this.unissued--;
        if (row && target(row.definition) !== target(definition)) this.diverged(row, `the code now asks for ${target(definition)} by that name`);
        this.ops.set(id, op);
        this.moved();
        return { op, row };
    }

    /** Something that the engine does, or waits for. */
    started(id: string, definition: Definition, input?: unknown): Op {
        const { op, row } = this.issue(id, definition);
        if (this.raised && !row) this.settle(op, 'reject', this.facts.signal.reason);
        if (op.settled) return op;
        this.waiting.add(op);
        if (row) return op;
        const entry = this.withSeen({ id, ...definition });
        this.buffer.push(entry);
        if (input !== undefined)
            this.encoded(input).then(
                (kept) => (entry['input'] = kept),
                (error) => this.settle(op, 'reject', error),
            );
        return op;
    }

    /** Goes on when it holds, with nothing in the journal. */
    condition(holds: () => boolean): Promise<void> {
        const op = this.asked('a condition');
        this.requests.conditions.set(op, holds);
        if (this.raised) this.settle(op, 'reject', this.facts.signal.reason);
        this.moved();
        return op.promise;
    }

    /** What is over when it is asked for, and the same in every replay. */
    noted(id: string, make: () => Omit<Entry, 'id'>): Entry | HistoryRow {
        const { op, row } = this.issue(id, {});
        op.settled = true;
        if (row) return row;
        const entry = this.withSeen({ id, ...make() });
        this.buffer.push(entry);
        return entry;
    }

    encoded(value: unknown): Promise<Json> {
        return this.whileLoading(() => this.journal.payloads.encode(value, `runs/${this.facts.runId}`));
    }

    // Code that is not the one that began

    private astray(id = [...this.rows.keys()].find((one) => !this.ops.has(one))!): void {
        const issued = [...this.ops.keys()].filter((one) => !this.rows.has(one));
        const asks = issued.length > 0 ? `the code asks for ${issued.slice(0, 5).join(', ')} instead` : 'the code does not ask for it';
        this.diverged(this.rows.get(id) ?? { id, definition: {} }, this.over ? 'the code has ended without it' : asks);
    }

    diverged({ id, definition }: Pick<HistoryRow, 'id' | 'definition'>, instead: string): void {
        const message = `the history has ${id} (${target(definition)}), and ${instead}`;
        this.divergence ??= { class: 'validation', code: 'non_deterministic', message, detail: { history: { id, ...definition } } };
    }
}
