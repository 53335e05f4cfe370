import { AsyncLocalStorage } from 'node:async_hooks';
import { randomUUID } from 'node:crypto';
import { errorFields, isRetried, TaskError, type ErrorFields } from './errors.js';
import { milliseconds, sleep, snakeCased, type Duration, type Json } from './json.js';
import type { ChildOptions, Context, InPlaceOptions, StepContext, StepOptions, Transaction } from './api.js';

export type Definition = { [key: string]: any };
/** A row of what the code has done; the words are those of orch.history. */
export interface HistoryRow {
    no: number;
    id: string;
    definition: Definition;
    state: string;
    output: Json;
    error: ErrorFields | null;
    /** Seconds since 1970. */
    ended_at: number | null;
}
export type Entry = { id: string; output?: Json; error?: ErrorFields; tags?: { [key: string]: Json }; seen?: string[]; [field: string]: any };
export type Outcome = Pick<HistoryRow, 'id' | 'state' | 'output' | 'error'>;
export type Waits = { steps?: Entry[]; any?: string[]; all?: string[] };

/** Where the journal of a run is kept: by the engine, or in the memory of a test. */
export interface Journal {
    history(): Promise<HistoryRow[]>;
    record(entries: Entry[]): Promise<void>;
    suspend(waits: Waits): Promise<'go_on' | 'suspended'>;
    outcomes(ids: string[]): Promise<Outcome[]>;
    /** Runs `work` in a transaction, and records the entry that it makes in the same. */
    transaction(id: string, work: (tx: Transaction) => Promise<Entry>): Promise<Entry>;
    park(error: ErrorFields): Promise<void>;
    continueAsNew(input: unknown): Promise<void>;
    encode(value: unknown): Promise<Json>;
    decode(value: Json, through: <T>(work: () => Promise<T>) => Promise<T>): Promise<unknown>;
    encodeError(error: ErrorFields): Promise<ErrorFields>;
    decodeError(error: ErrorFields): Promise<ErrorFields>;
    log(line: string): void;
    now(): Date;
    /** A pause before another attempt, too short for a timer. */
    pause(ms: number, signal: AbortSignal): Promise<void>;
    /** What a test has put in the place of a step's function. */
    mocked?(name: string): Function | undefined;
}
export interface RunFacts {
    runId: string;
    workflow: string;
    version: string;
    attempt: number;
    input: unknown;
    /** Aborted at a cancel or a timeout, with the error that is then raised in the code. */
    signal: AbortSignal;
    /** Aborted then as well, and where the run is another worker's matter from now on: nothing is raised in the code, it just stops. */
    stop: AbortSignal;
}
/** How the code ended; null: it waits, is parked, goes on as another run, or was stopped. */
export type CodeEnd = { output: unknown } | { error: ErrorFields; retry?: false } | null;

interface Op {
    id: string;
    kind: 'value' | 'in place' | 'started';
    promise: Promise<any>;
    resolve(value: unknown): void;
    reject(error: unknown): void;
    settled: boolean;
    run?: () => Promise<{ entry: Entry; recorded: boolean }>;
}
type Delivery = { id: string; outcome?: Outcome; late: boolean };

const final = new Set(['succeeded', 'failed', 'timed_out', 'cancelled', 'skipped', 'upstream_failed']);
const executors = ['handler', 'command', 'http', 'callable', 'sleep', 'until', 'signal', 'workflow'] as const;
const longDelay = 5000,
    foreignGrace = 2000;

/** Executor and name of what a definition does: what code may not change under a run. */
function target(definition: Definition): string {
    const executor = executors.find((name) => definition[name] !== undefined);
    if (!executor) return 'a step in place';
    const { [executor]: what } = definition;
    const name = { handler: what, callable: what, signal: what?.name, workflow: what?.id }[executor as string];
    return name === undefined ? executor : `${executor} ${name}`;
}

class Diverged extends Error {}

/** The step whose function is running: what it asked of the context would not be asked in a replay. */
const inside = new AsyncLocalStorage<string>();

/**
 * One replay of a run's code, and its way on from there. The code runs until it is blocked, then it is given the next thing that the journal says it was
 * given, and so on; what it asks for and the journal does not have is held back until the journal is at its end.
 */
export class Execution implements Context {
    readonly runId: string;
    readonly workflow: string;
    readonly version: string;
    readonly attempt: number;
    readonly input: any;
    private rows = new Map<string, HistoryRow>();
    private unissued = 0;
    private deliveries: Delivery[] = [];
    private ops = new Map<string, Op>();
    private waiting = new Set<Op>(); // started and not over
    private counts = new Map<string, number>();
    private buffer: Entry[] = []; // asked for and not recorded
    private seen: string[] = []; // given to the code since the last entry
    private due: Op[] = []; // functions in place that are to run
    private running = 0;
    private done: { entry: Entry; recorded: boolean }[] = [];
    private live = false;
    private raised = false;
    private divergence?: ErrorFields;
    private continuation?: { input: unknown };
    private result?: CodeEnd;
    private broken?: { error: unknown }; // the journal could not be written: the attempt is over
    private notPatched = new Set<string>();
    private wasStep = new WeakSet<object>();
    private signals = new WeakSet<Op>();
    private loads: Promise<unknown> = Promise.resolve();
    private loading = 0;
    private groups = new WeakMap<Promise<unknown>, Op>();
    private together = new Set<Op>(); // waited for by ctx.all
    private moved = () => {};

    constructor(
        private readonly journal: Journal,
        private readonly facts: RunFacts,
    ) {
        ({ runId: this.runId, workflow: this.workflow, version: this.version, attempt: this.attempt, input: this.input } = facts);
    }

    async run(code: (ctx: Context, input: any) => unknown): Promise<CodeEnd> {
        await this.readHistory();
        const moved = () => this.moved();
        this.facts.stop.addEventListener('abort', moved);
        void (async () => code(this, this.input))().then(
            (output) => ((this.result = { output }), this.moved()),
            (thrown) => ((this.result = { error: errorFields(thrown), ...(this.mayRetry(thrown) ? {} : { retry: false as const }) }), this.moved()),
        );
        try {
            for (;;) {
                await this.blocked();
                const end = await this.turn();
                if (end !== undefined) return end;
            }
        } finally {
            this.facts.stop.removeEventListener('abort', moved);
        }
    }

    /** A step's failure is the code's to handle, and what it does not handle is its own; only what never was its doing is worth another attempt. */
    private mayRetry(thrown: unknown): boolean {
        return thrown instanceof TaskError && (thrown.errorClass === 'infrastructure' || thrown.errorClass === 'transient') && !this.wasStep.has(thrown);
    }
    private async readHistory(): Promise<void> {
        const rows = await this.journal.history();
        const seen = new Set<string>();
        for (const row of rows) {
            this.rows.set(row.id, row);
            for (const id of (row.definition['seen'] as string[] | undefined) ?? []) {
                seen.add(id);
                this.deliveries.push({ id, late: false });
            }
            // A failed step of a run that is tried again is begun anew: nothing is known of it yet.
            if (isInPlace(row) && row.state !== 'pending') this.deliveries.push({ id: row.id, late: false });
        }
        const late = rows.filter((row) => !isInPlace(row) && final.has(row.state) && !seen.has(row.id));
        late.sort((a, b) => a.ended_at! - b.ended_at! || a.no - b.no);
        for (const row of late) this.deliveries.push({ id: row.id, late: true });
        this.deliveries.reverse();
        this.unissued = rows.length;
    }

    /** Lets the code run until it waits for something that only we can give. */
    private async blocked(): Promise<void> {
        do {
            await this.loads;
            await new Promise(setImmediate);
        } while (this.loading > 0);
    }

    /** Whether the code goes on by itself, where it waits for something that is not ours. */
    private async moves(ms: number): Promise<boolean> {
        let timer: NodeJS.Timeout | undefined;
        const moved = await new Promise<boolean>((resolve) => {
            this.moved = () => resolve(true);
            if (ms < Infinity) timer = setTimeout(() => resolve(false), ms);
        });
        clearTimeout(timer);
        this.moved = () => {};
        return moved;
    }

    private async turn(): Promise<CodeEnd | void> {
        if (this.facts.stop.aborted && !this.facts.signal.aborted) return null;
        if (this.broken) throw this.broken.error;
        if (this.divergence) return this.park();
        const next = this.deliveries.at(-1);
        if (next) {
            const op = this.ops.get(next.id);
            if (op) return void (await this.deliver(op, this.deliveries.pop()!));
            if (!this.result && this.waiting.size === 0 && this.due.length === 0 && (await this.moves(foreignGrace))) return;
            return this.diverge(this.rows.get(next.id) ?? { id: next.id, definition: {} });
        }
        if (!this.live && this.unissued > 0) {
            if (!this.result && this.waiting.size === 0 && this.due.length === 0 && (await this.moves(foreignGrace))) return;
            return this.diverge([...this.rows.values()].find((row) => !this.ops.has(row.id))!);
        }
        this.live = true;
        return this.goOn();
    }

    private async goOn(): Promise<CodeEnd | void> {
        if (this.facts.signal.aborted && !this.raised) {
            this.raised = true;
            for (const op of this.waiting) this.settle(op, () => op.reject(this.facts.signal.reason));
            return;
        }
        if (this.done.length > 0) return this.recordDone();
        if (this.due.length > 0) {
            await this.flush();
            for (const op of this.due.splice(0)) this.start(op);
            return;
        }
        if (this.running > 0) {
            const begun = this.buffer.some((entry) => executors.some((name) => name in entry));
            return void (await (begun ? this.flush() : this.moves(Infinity)));
        }
        if (this.result) {
            await this.flush();
            return this.result;
        }
        if (this.continuation) {
            await this.flush();
            await this.journal.continueAsNew(this.continuation.input);
            return null;
        }
        if (this.waiting.size === 0) return void (await this.moves(Infinity));
        const ids = [...this.waiting].map((op) => op.id);
        const all = ids.length > 1 && [...this.waiting].every((op) => this.together.has(op));
        const steps = this.buffer.splice(0);
        const answer = await this.journal.suspend({ ...(steps.length > 0 ? { steps } : {}), [all ? 'all' : 'any']: ids });
        if (answer === 'suspended') return null;
        const outcomes = await this.journal.outcomes(ids);
        if (outcomes.length === 0) await sleep(50);
        this.deliveries = outcomes.map((outcome) => ({ id: outcome.id, outcome, late: true })).reverse();
    }

    private async flush(): Promise<void> {
        const entries = this.buffer.splice(0);
        if (entries.length > 0) await this.journal.record(entries);
    }

    private start(op: Op): void {
        this.running++;
        const ended = op.run!().then(
            (done) => void this.done.push(done),
            (error) => (this.broken = { error }),
        );
        void ended.then(() => (this.running--, this.moved()));
    }

    private async recordDone(): Promise<void> {
        const ended = this.done.splice(0);
        const entries = ended.filter(({ recorded }) => !recorded).map(({ entry }) => this.withSeen(entry));
        if (entries.length > 0) await this.journal.record([...this.buffer.splice(0), ...entries]);
        // One after the other, as a replay will give them.
        for (const { entry } of ended) this.deliveries.unshift({ id: entry.id, outcome: outcomeOf(entry), late: false });
    }

    private async deliver(op: Op, { id, outcome = this.rows.get(id), late }: Delivery): Promise<void> {
        if (op.settled) return;
        if (!outcome) throw new Error(`nothing is known of ${id}`);
        if (late) this.seen.push(id);
        const value = outcome.state === 'succeeded' ? await this.journal.decode(outcome.output, (work) => this.whileLoading(work)) : undefined;
        const fields =
            outcome.error ?? ({ class: outcome.state === 'timed_out' ? 'timeout' : 'cancelled', message: `${id} is ${outcome.state}` } as ErrorFields);
        if (outcome.state === 'succeeded') this.settle(op, () => op.resolve(value));
        else if (outcome.state === 'skipped' || (outcome.state === 'timed_out' && this.signals.has(op))) this.settle(op, () => op.resolve(null));
        else {
            const error = TaskError.from(await this.journal.decodeError(fields));
            this.wasStep.add(error);
            this.settle(op, () => op.reject(error));
        }
    }

    private settle(op: Op, how: () => void): void {
        if (op.settled) return;
        op.settled = true;
        this.waiting.delete(op);
        how();
    }

    /** Fetches of large values: one after the other, and the code counts as running. */
    private whileLoading<T>(work: () => Promise<T>): Promise<T> {
        this.loading++;
        const result = this.loads.then(work).finally(() => this.loading--);
        this.loads = result.catch(() => {});
        return result;
    }

    // Asking

    private nextId(name: string): string {
        const count = (this.counts.get(name) ?? 0) + 1;
        this.counts.set(name, count);
        return `${name}#${count}`;
    }

    private withSeen<E extends Entry>(entry: E): E {
        return this.seen.length > 0 ? { ...entry, seen: this.seen.splice(0) } : entry;
    }

    /** The operation of an id, compared with the journal's where that has one. */
    private issue(id: string, kind: Op['kind'], definition: Definition): { op: Op; row?: HistoryRow } {
        const step = inside.getStore();
        if (step)
            throw new TaskError(
                'validation',
                'nested_step',
                `the function of ${step} asks its run for ${id}: a replay does not run it, so ask before the step`,
            );
        let resolve!: (value: unknown) => void, reject!: (error: unknown) => void;
        const promise = new Promise<any>((yes, no) => ((resolve = yes), (reject = no)));
        promise.catch(() => {}); // it may be that nobody waits for it
        const op: Op = { id, kind, promise, resolve, reject, settled: false };
        this.groups.set(promise, op);
        const row = this.rows.get(id);
        if (row) {
            this.unissued--;
            if (target(row.definition) !== target(definition)) {
                this.divergence ??= nonDeterminism(row, `the code now asks for ${target(definition)} by that name`);
                throw new Diverged(this.divergence.message);
            }
        }
        this.ops.set(id, op);
        this.moved();
        return { op, row };
    }

    private started(id: string, definition: Definition, input?: unknown): Op {
        const { op, row } = this.issue(id, 'started', definition);
        if (this.facts.signal.aborted && this.raised && !row) {
            this.settle(op, () => op.reject(this.facts.signal.reason));
            return op;
        }
        this.waiting.add(op);
        if (!row) {
            const entry = this.withSeen({ id, ...definition } as Entry);
            this.buffer.push(entry);
            const encoded = input === undefined ? undefined : this.whileLoading(async () => void (entry['input'] = await this.journal.encode(input)));
            encoded?.catch((error) => this.settle(op, () => op.reject(error)));
        }
        return op;
    }

    private value<T extends Json>(name: string, make: () => T): T {
        const id = this.nextId(name);
        const { op, row } = this.issue(id, 'value', {});
        op.settled = true;
        if (row) return row.output as T;
        const output = make();
        this.buffer.push(this.withSeen({ id, output }));
        return output;
    }

    step(what: any, ...rest: any[]): Promise<any> {
        const name: string = typeof what === 'string' ? what : what.name;
        const run = rest.at(-1);
        if (typeof run === 'function') return this.inPlace(name, rest.length > 1 ? rest[0] : {}, run);
        const [input, { handler = name, command, http, callable, ...options } = {} as StepOptions] = rest;
        const executor = snakeCased({ command, http, callable });
        const definition = { ...(Object.keys(executor).length > 0 ? executor : { handler }), ...snakeCased(options) };
        return this.ask(() => this.started(this.nextId(name), definition, input));
    }

    wait(duration: Duration): Promise<void> {
        return this.ask(() => this.started(this.nextId('wait'), { sleep: milliseconds(duration) / 1000 }));
    }
    waitUntil(time: Date | string): Promise<void> {
        return this.ask(() => this.started(this.nextId('wait'), { until: new Date(time).toISOString() }));
    }

    signal(name: string, { timeout }: { timeout?: Duration } = {}): Promise<any> {
        return this.ask(() => {
            const op = this.started(this.nextId(`signal:${name}`), {
                signal: { name },
                ...(timeout === undefined ? {} : { timeout_seconds: milliseconds(timeout) / 1000 }),
            });
            this.signals.add(op);
            return op;
        });
    }

    child(workflow: string | { name: string }, input?: unknown, { parentClose = 'cancel', wait = true }: ChildOptions = {}): Promise<any> {
        const id = typeof workflow === 'string' ? workflow : workflow.name;
        return this.ask(() => this.started(this.nextId(`child:${id}`), { workflow: { id, wait, parent_close: parentClose } }, input));
    }

    all(promises: readonly Promise<any>[]): Promise<any> {
        for (const promise of promises) {
            const op = this.groups.get(promise);
            if (op) this.together.add(op);
        }
        const all = Promise.all(promises);
        all.catch(() => {});
        return all;
    }

    patched(id: string): boolean {
        const name = `patched:${id}`,
            first = `${name}#1`;
        if (this.ops.has(first)) return true;
        // Once no, always no: an answer that changed on the way would be another one in the next replay.
        if (!this.rows.has(first) && this.unissued > 0) this.notPatched.add(id);
        if (this.notPatched.has(id)) return false;
        return this.value(name, () => true);
    }
    now(): Date {
        return new Date(this.value('now', () => this.journal.now().toISOString()));
    }
    random(): number {
        return this.value('random', () => Math.random());
    }
    uuid(): string {
        return this.value('uuid', () => randomUUID());
    }
    log(line: string): void {
        if (this.live || (this.deliveries.length === 0 && this.unissued === 0)) this.journal.log(line);
    }
    setTag(name: string, value: Json): void {
        const id = this.nextId('set_tag');
        const { op, row } = this.issue(id, 'value', {});
        op.settled = true;
        if (!row) this.buffer.push(this.withSeen({ id, tags: { [name]: value } }));
    }
    continueAsNew(input: unknown): Promise<never> {
        this.continuation ??= { input };
        this.moved();
        return new Promise(() => {});
    }

    /** Code that asks for something else than it did is stopped where it stands: what it asked for never comes. */
    private ask(make: () => Op): Promise<any> {
        try {
            return make().promise;
        } catch (error) {
            if (error instanceof Diverged) return new Promise(() => {});
            throw error;
        }
    }

    // Steps in place

    private inPlace(name: string, options: InPlaceOptions & { transaction?: true }, run: Function): Promise<any> {
        return this.ask(() => {
            const { op, row } = this.issue(this.nextId(name), 'in place', {});
            // Pauses before an attempt that were long enough to be timers.
            let attempt = 0,
                pause: Op | undefined;
            while (this.rows.has(`${op.id}:retry#${attempt + 1}`)) pause = this.started(`${op.id}:retry#${++attempt}`, { sleep: 0 });
            if (row && row.state !== 'pending') return op;
            op.run = () => this.perform(op, options, this.journal.mocked?.(name) ?? run, attempt);
            if (pause && !pause.settled)
                void pause.promise.then(
                    () => (this.due.push(op), this.moved()),
                    (error) => this.settle(op, () => op.reject(error)),
                );
            else this.due.push(op);
            return op;
        });
    }

    private async perform(
        op: Op,
        options: InPlaceOptions & { transaction?: true },
        run: Function,
        tried: number,
    ): Promise<{ entry: Entry; recorded: boolean }> {
        const { retries = 2, retryDelaySeconds = 1, retryBackoff = 'exponential', retryMaxDelaySeconds = 30, retryJitter = 0.5 } = options;
        for (let attempt = tried + 1; ; attempt++) {
            try {
                // As it will be after a replay: JSON.
                const make = async (tx?: Transaction) => ({
                    id: op.id,
                    output: asJson(await this.journal.encode(await this.once(op, options, run, attempt, tx))),
                });
                if (!options.transaction) return { entry: await make(), recorded: false };
                return { entry: await this.journal.transaction(op.id, async (tx) => this.withSeen(await make(tx))), recorded: true };
            } catch (thrown) {
                if (thrown instanceof LostStep) throw thrown.cause;
                const error = errorFields(thrown);
                const failed = { entry: { id: op.id, error: await this.journal.encodeError(error) }, recorded: false };
                if (attempt > retries || !isRetried(error.class) || this.facts.signal.aborted) return failed;
                const growth = retryBackoff === 'fixed' ? 1 : 2 ** (attempt - 1);
                const delay = 1000 * Math.min(retryDelaySeconds * growth, retryMaxDelaySeconds) * (1 + Math.random() * retryJitter);
                if (delay < longDelay) await this.journal.pause(delay, this.facts.stop);
                else {
                    this.running--;
                    const timer = this.started(`${op.id}:retry#${attempt}`, { sleep: delay / 1000 });
                    this.moved();
                    await timer.promise.catch(() => {}); // rejected by a cancel
                    this.running++;
                }
                if (this.facts.signal.aborted) return failed;
            }
        }
    }

    private async once(op: Op, { timeoutSeconds }: InPlaceOptions, run: Function, attempt: number, tx?: Transaction): Promise<unknown> {
        // Not AbortSignal.any, whose signals Node 20 may collect while somebody listens.
        const { stop } = this.facts,
            aborted = new AbortController();
        const abort = () => aborted.abort(stop.reason);
        stop.addEventListener('abort', abort);
        if (stop.aborted && !this.raised) abort();
        const context: StepContext = { attempt, idempotencyKey: `${this.runId}:${op.id}`, signal: aborted.signal };
        const work = inside.run(op.id, async () => (tx ? run(tx, context) : run(context)));
        let timer: NodeJS.Timeout | undefined;
        const over = () => (clearTimeout(timer), stop.removeEventListener('abort', abort));
        if (!timeoutSeconds) return work.finally(over);
        const late = new Promise<never>((_, reject) => {
            timer = setTimeout(() => {
                const error = new TaskError('timeout', 'timeout', `${op.id} was not over after ${timeoutSeconds} seconds`);
                aborted.abort(error);
                reject(error);
            }, timeoutSeconds * 1000);
        });
        return Promise.race([work, late]).finally(over);
    }

    // Code that is not the one that began

    private async diverge(row: Pick<HistoryRow, 'id' | 'definition'>): Promise<null> {
        const issued = [...this.ops.values()].filter((op) => !this.rows.has(op.id)).map((op) => op.id);
        const asks = this.result
            ? 'the code has ended without it'
            : issued.length > 0
              ? `the code asks for ${issued.slice(0, 5).join(', ')} instead`
              : 'the code does not ask for it';
        this.divergence = nonDeterminism(row, asks);
        return this.park();
    }

    private async park(): Promise<null> {
        await this.journal.park(this.divergence!);
        return null;
    }
}

/** The journal could not be written: not the step's failure. */
export class LostStep extends Error {
    constructor(override readonly cause: unknown) {
        super('the step could not be recorded');
    }
}

function isInPlace({ definition }: HistoryRow): boolean {
    return !executors.some((name) => definition[name] !== undefined);
}

const asJson = (value: Json): Json => (value === null || typeof value !== 'object' ? (value ?? null) : JSON.parse(JSON.stringify(value)));

function outcomeOf({ id, output = null, error }: Entry): Outcome {
    return { id, state: error ? 'failed' : 'succeeded', output, error: error ?? null };
}

function nonDeterminism({ id, definition }: Pick<HistoryRow, 'id' | 'definition'>, instead: string): ErrorFields {
    const message = `the history has ${id} (${target(definition)}), and ${instead}`;
    return { class: 'validation', code: 'non_deterministic', message, detail: { history: { id, ...definition } } };
}
