import { randomUUID } from 'node:crypto';
import type { BatchHandler, Handler, HistoryRow, TaskContext, TaskDefinition, Transaction, WorkflowDefinition } from '../api.js';
import { replay } from '../code_run.js';
import { Payloads } from '../payloads.js';
import type { CodeEnd, Definition, Entry, Journal, Outcome, Request, Waits } from '../replay.js';
import { CancelledError, errorFields, isRetried, OrchError, SkipTask, TaskError, type ErrorFields } from '../errors.js';
import { milliseconds, type Duration, type Json } from '../json.js';

const json = <T>(value: T): any => (value === undefined ? null : JSON.parse(JSON.stringify(value)));
const final = /^(succeeded|failed|timed_out|cancelled|skipped)$/;

interface Row extends HistoryRow {
    input: Json;
    dueAt?: number;
    child?: TestRun;
}

/** How the replay of a recorded history ended: where it stands now, or how it differs. */
export type Replayed =
    | { state: 'waiting' }
    | { state: 'succeeded'; output: unknown }
    | { state: 'failed'; error: ErrorFields }
    | { state: 'non_deterministic'; error: ErrorFields };

/**
 * Workflows in code and their handlers without a server. Time stands still but where a run has nothing else to wait for: then it jumps to the next timer.
 */
export class TestEnvironment {
    private readonly tasks = new Map<string, TaskDefinition['run']>();
    private readonly workflows = new Map<string, WorkflowDefinition>();
    private readonly mocks = new Map<string, (...given: any[]) => unknown>();
    private readonly runs: TestRun[] = [];
    readonly batches = new Set<string>();
    private settling: Promise<void> = Promise.resolve();
    time: number;
    /** Given to steps in a transaction, in the place of a connection. */
    transaction: Transaction = { query: async () => ({ rows: [], rowCount: 0 }) };

    constructor({ now = new Date('2026-01-01T00:00:00Z') }: { now?: Date } = {}) {
        this.time = now.getTime();
    }

    serve(...definitions: (TaskDefinition | WorkflowDefinition)[]): this {
        for (const definition of definitions) {
            if (definition.kind === 'workflow') this.workflows.set(definition.name, definition);
            else this.tasks.set(definition.name, definition.run);
            if (definition.kind === 'task' && definition.options.batch) this.batches.add(definition.name);
        }
        return this;
    }

    handler(name: string, run: Handler): this {
        this.tasks.set(name, run);
        return this;
    }

    /** In the place of a step of this name, by a handler or in place: gets what that would have got. */
    mock(step: string, run: (...given: any[]) => unknown): this {
        this.mocks.set(step, run);
        return this;
    }

    mocked(step: string): ((...given: any[]) => unknown) | undefined {
        return this.mocks.get(step);
    }

    async run<I, O>(workflow: WorkflowDefinition<I, O>, input?: I): Promise<O> {
        return this.start(workflow, input).result();
    }

    start<I, O>(workflow: WorkflowDefinition<I, O> | string, input?: I): TestRun<O> {
        const definition = typeof workflow === 'string' ? this.workflows.get(workflow) : workflow;
        if (!definition) throw new TaskError('validation', 'unknown_workflow', `the test environment does not serve workflow "${workflow}"`);
        const run = new TestRun<O>(this, definition, json(input ?? {}));
        this.runs.push(run);
        return run;
    }

    query<T = any>(run: TestRun, name: string, input?: unknown): Promise<T> {
        return run.query(name, input);
    }

    update<T = any>(run: TestRun, name: string, input?: unknown, id?: string): Promise<T> {
        return run.update(name, input, id);
    }

    /** Moves the time, and lets everything happen that comes with it. */
    async advance(duration: Duration): Promise<void> {
        const end = this.time + milliseconds(duration);
        await this.settle();
        for (let next = this.nextDue(); next <= end; next = this.nextDue()) {
            this.time = Math.max(this.time, next);
            await this.settle();
        }
        this.time = end;
    }

    /** When the next timer is due; Infinity where there is none. */
    nextDue(): number {
        return Math.min(...this.runs.map((run) => run.nextDue()), Infinity);
    }

    /** Until everything waits. */
    settle(): Promise<void> {
        return (this.settling = this.settling.then(async () => {
            for (let moved = true; moved;) {
                moved = false;
                for (const run of [...this.runs]) moved = (await run.move()) || moved;
            }
        }));
    }

    task(name: string): TaskDefinition['run'] | undefined {
        return this.tasks.get(name);
    }

    /** The code against a history that was recorded before, here (`TestRun.history`) or by the engine: is it still the same way? */
    async replay(workflow: WorkflowDefinition, history: HistoryRow[], input: unknown = {}): Promise<Replayed> {
        let parked: ErrorFields | undefined;
        const given = json(history) as HistoryRow[];
        const journal: Journal = {
            ...plainJournal(this),
            history: async () => given,
            record: async () => {},
            suspend: async () => 'suspended',
            outcomes: async () => [],
            updates: async () => [],
            transaction: async (_, work) => work(this.transaction),
            park: async (error) => void (parked = error),
            continueAsNew: async () => {},
        };
        const end = await replay(journal, workflow, { runId: randomUUID(), attempt: 1, input: json(input), signal: new AbortController().signal });
        if (parked) return { state: 'non_deterministic', error: parked };
        if (end === null) return { state: 'waiting' };
        return 'output' in end ? { state: 'succeeded', output: json(end.output) } : { state: 'failed', error: end.error };
    }
}

function plainJournal(environment: TestEnvironment): Pick<Journal, 'payloads' | 'log' | 'now' | 'pause' | 'mocked'> {
    return {
        payloads: new Payloads(),
        log: () => {},
        now: () => new Date(environment.time),
        pause: async () => {},
        mocked: (name) => environment.mocked(name),
    };
}

/** One run in a TestEnvironment. */
export class TestRun<O = any> {
    readonly id = randomUUID();
    state: 'ready' | 'running' | 'waiting' | 'parked' | 'succeeded' | 'failed' | 'cancelled' = 'ready';
    output?: O;
    error?: ErrorFields;
    readonly logs: string[] = [];
    readonly tags: { [key: string]: Json } = {};
    /** The run that this one went on as. */
    continuedAs?: TestRun<O>;
    private readonly rows: Row[] = [];
    private readonly signals: { name: string; payload: Json }[] = [];
    private readonly updates: Request[] = [];
    private waits?: Omit<Waits, 'steps'>;
    private endings = 0;
    private readonly controller = new AbortController();

    constructor(
        private readonly environment: TestEnvironment,
        private readonly workflow: WorkflowDefinition,
        private readonly input: Json,
    ) {}

    /** What the engine would have kept; may be written to a file and replayed later. */
    get history(): HistoryRow[] {
        return json(this.rows.map(({ no, id, definition, state, output, error, ended_at }) => ({ no, id, definition, state, output, error, ended_at })));
    }

    signal(name: string, payload?: Json): void {
        this.signals.push({ name, payload: payload ?? null });
        this.take();
    }

    /** Decides the oldest approval of this name that waits. */
    approve(
        name = 'approval',
        approved = true,
        { by = 'test', comment = null, form = null }: { by?: string; comment?: string | null; form?: Json } = {},
    ): void {
        const row = this.open().find(({ id, definition }) => definition['approval'] && id.startsWith(`${name}#`));
        if (!row) throw new OrchError({ code: 'OR020', message: `no approval "${name}" waits` });
        this.close(row, 'succeeded', { approved, by, comment, form });
    }

    /** What the code answers from what it knows now; throws what its function throws. */
    async query<T = any>(name: string, input: unknown = null): Promise<T> {
        await this.environment.settle();
        const end = await replay(this.journal(), this.workflow, { ...this.facts(), question: { name, input: json(input) } });
        if (end && 'output' in end) return json(end.output);
        throw TaskError.from(end!.error);
    }

    /** Has the code do something, and lets the time go on until it has answered; the same id again gives the same answer. */
    async update<T = any>(name: string, input: unknown = null, id: string = randomUUID()): Promise<T> {
        const answer = () => this.rows.find((row) => row.id === `answer:${id}` || (row.id === `update:${id}` && row.error));
        if (!this.updates.some((update) => update.id === id) && !final.test(this.state)) this.updates.push({ id, name, input: json(input) });
        await this.environment.settle();
        while (!answer() && !final.test(this.state) && this.environment.nextDue() < Infinity)
            await this.environment.advance(Math.max(0, this.environment.nextDue() - this.environment.time));
        const row = answer();
        if (!row) throw new OrchError({ code: final.test(this.state) ? 'OR020' : 'OR040', message: `run ${this.id} has not answered update ${id}` });
        if (row.error) throw TaskError.from(row.error);
        return row.output as T;
    }

    private untaken(): Request[] {
        return this.updates.filter(({ id }) => !this.rows.some((row) => row.id === `update:${id}`));
    }

    private facts() {
        return { runId: this.id, attempt: 1, input: this.input, signal: this.controller.signal };
    }

    cancel(): void {
        if (this.state === 'waiting' || this.state === 'ready' || this.state === 'parked') this.end('cancelled');
        else this.controller.abort(new CancelledError('cancelled', 'cancelled', 'the task is cancelled'));
    }

    /** Lets it go on, time included, up to its end; throws what it failed with. */
    async result(): Promise<O> {
        await this.environment.settle();
        while (!final.test(this.state) && this.state !== 'parked') {
            const next = this.environment.nextDue();
            if (next === Infinity)
                throw new Error(
                    `the run waits for ${
                        this.open()
                            .map((row) => row.id)
                            .join(', ') || 'an update'
                    }, and nothing of it will come by itself`,
                );
            await this.environment.advance(Math.max(0, next - this.environment.time));
        }
        if (this.continuedAs) return this.continuedAs.result();
        if (this.state === 'succeeded') return this.output as O;
        throw TaskError.from(this.error!);
    }

    nextDue(): number {
        return final.test(this.state) ? Infinity : Math.min(...this.open().map((row) => row.dueAt ?? Infinity), Infinity);
    }

    private open(): Row[] {
        return this.rows.filter((row) => !final.test(row.state));
    }

    /** One turn: what is due, what can run; whether anything happened. */
    async move(): Promise<boolean> {
        if (final.test(this.state)) return false;
        let moved = false;
        for (const row of this.open()) moved = (await this.moveRow(row)) || moved;
        if (this.state === 'waiting' && (this.holds() || this.untaken().length > 0)) this.state = 'ready';
        if (this.state !== 'ready') return moved;
        this.state = 'running';
        const ended: CodeEnd = await replay(this.journal(), this.workflow, this.facts()).catch((error) => ({ error: errorFields(error) }));
        if (ended && 'output' in ended) this.end('succeeded', json(ended.output) as O);
        else if (ended) this.end(ended.error.class === 'cancelled' ? 'cancelled' : 'failed', undefined, ended.error);
        return true;
    }

    private end(state: 'succeeded' | 'failed' | 'cancelled', output?: O, error?: ErrorFields): void {
        this.state = state;
        this.output = output;
        this.error = error ?? (state === 'cancelled' ? { class: 'cancelled', message: 'the run was cancelled' } : undefined);
        for (const row of this.open()) {
            if (row.child && row.definition['workflow'].parent_close !== 'abandon') row.child.cancel();
            this.close(row, 'cancelled');
        }
    }

    private close(row: Row, state: string, output: Json = null, error: ErrorFields | null = null): true {
        // Times that never are the same: the order of ends is the order of deliveries.
        Object.assign(row, { state, output, error, ended_at: this.environment.time / 1000 + this.endings++ / 1e6 });
        return true;
    }

    private async moveRow(row: Row): Promise<boolean> {
        const { definition } = row;
        const waits = definition['signal'] ?? definition['approval'];
        if (row.dueAt !== undefined && row.dueAt <= this.environment.time) return this.close(row, waits ? 'timed_out' : 'succeeded', waits ? null : {});
        if (row.child && final.test(row.child.state)) {
            const { state, output, error } = row.child;
            return this.close(row, state, json(output), error ?? null);
        }
        if (row.child || row.state !== 'ready') return false;
        if (definition['workflow']) {
            row.state = 'waiting';
            row.child = this.environment.start(definition['workflow'].id, row.input);
            return definition['workflow'].wait === false ? this.close(row, 'succeeded', { run_id: row.child.id }) : true;
        }
        return this.perform(row);
    }

    private async perform(row: Row): Promise<true> {
        const { definition, input, id } = row;
        const [step] = id.split('#') as [string];
        const mock = this.environment.mocked(step) ?? this.environment.mocked(definition['handler']);
        const handler = this.environment.task(definition['handler']);
        for (let attempt = 1; ; attempt++) {
            try {
                if (mock) return this.close(row, 'succeeded', json(await mock(json(input))));
                if (typeof handler !== 'function')
                    throw new TaskError('validation', 'unknown_handler', `the test environment does not serve handler "${definition['handler']}"`);
                const task: TaskContext = {
                    runId: this.id,
                    taskId: id,
                    attempt,
                    idempotencyKey: `${this.id}:${id}`,
                    spec: definition,
                    signal: this.controller.signal,
                    log: (line) => void this.logs.push(line),
                    progress: () => {},
                };
                const given = json(input);
                // A batch handler gets a batch of one.
                const output = this.environment.batches.has(definition['handler'])
                    ? (await (handler as BatchHandler)([{ task, input: given }]))[0]
                    : await (handler as Handler)(task, given);
                if (output instanceof Error) throw output;
                return this.close(row, 'succeeded', json(output));
            } catch (thrown) {
                if (thrown instanceof SkipTask) return this.close(row, 'skipped');
                const error = errorFields(thrown);
                if (attempt > (definition['retries'] ?? 2) || !isRetried(error.class)) return this.close(row, 'failed', null, error);
            }
        }
    }

    private add({ id, output, error, tags, ...definition }: Entry): void {
        const inPlace = !['handler', 'command', 'http', 'callable', 'sleep', 'until', 'signal', 'approval', 'workflow'].some(
            (executor) => executor in definition,
        );
        const { input = null, ...rest } = definition as Definition;
        const known = this.rows.find((row) => row.id === id);
        if (known) return;
        const row: Row = { no: this.rows.length + 1, id, definition: { id, ...rest }, state: 'ready', output: null, error: null, ended_at: null, input };
        if (inPlace) {
            row.definition['step'] = true;
            this.close(row, error ? 'failed' : 'succeeded', output ?? null, error ?? null);
        }
        Object.assign(this.tags, tags);
        const timeout = (rest['signal'] && rest['timeout_seconds']) || rest['approval']?.timeout_seconds;
        if (typeof rest['sleep'] === 'number') row.dueAt = this.environment.time + rest['sleep'] * 1000;
        if (rest['until']) row.dueAt = new Date(rest['until']).getTime();
        if (timeout) row.dueAt = this.environment.time + timeout * 1000;
        if (rest['signal'] || rest['approval'] || row.dueAt !== undefined) row.state = 'waiting';
        this.rows.push(row);
        this.take();
    }

    private take(): void {
        for (const row of this.open()) {
            const at = row.definition['signal'] ? this.signals.findIndex(({ name }) => name === row.definition['signal'].name) : -1;
            if (at >= 0) this.close(row, 'succeeded', this.signals.splice(at, 1)[0]!.payload);
        }
    }

    private holds(): boolean {
        const over = (id: string) => final.test(this.rows.find((row) => row.id === id)!.state);
        return this.waits?.all ? this.waits.all.every(over) : (this.waits?.any ?? []).some(over);
    }

    private journal(): Journal {
        return {
            ...plainJournal(this.environment),
            log: (line) => void this.logs.push(line),
            history: async () => this.history,
            record: async (entries) => entries.forEach((entry) => this.add(json(entry))),
            suspend: async ({ steps, ...waits }) => {
                for (const entry of steps) this.add(json(entry));
                this.waits = waits;
                if (this.holds() || this.untaken().length > 0) return 'go_on';
                this.state = 'waiting';
                return 'suspended';
            },
            outcomes: async (ids): Promise<Outcome[]> => {
                const over = this.rows.filter((row) => ids.includes(row.id) && final.test(row.state));
                return json(over.sort((a, b) => a.ended_at! - b.ended_at!));
            },
            updates: async () => json(this.untaken()),
            transaction: async (_, work) => {
                const entry = await work(this.environment.transaction);
                this.add(json(entry));
                return entry;
            },
            park: async (error) => {
                this.state = 'parked';
                this.error = error;
            },
            continueAsNew: async (input) => {
                this.continuedAs = this.environment.start(this.workflow, input);
                for (const { name, payload } of this.signals.splice(0)) this.continuedAs.signal(name, payload);
                this.end('succeeded');
            },
        };
    }
}
