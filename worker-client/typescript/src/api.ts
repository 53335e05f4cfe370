// What a program that uses the client sees: declarations only.
import type { ErrorFields } from './errors.js';
import type { Duration, Json } from './json.js';
import type { Database } from './hosts.js';
import type { PayloadOptions } from './payloads.js';

/** One attempt of one task, as its handler sees it. */
export interface TaskContext {
    readonly runId: string;
    readonly taskId: string;
    /** From 1. */
    readonly attempt: number;
    /** The same in every attempt: hand it to systems that can tell repeats by it. */
    readonly idempotencyKey: string;
    /** W3C trace context, where the run was triggered with one. */
    readonly traceparent?: string;
    /** The executor's definition with templates resolved; for handlers of executors. */
    readonly spec: { [key: string]: any };
    /** When this attempt times out. */
    readonly deadline?: Date;
    /** What an attempt before this one told last, to go on from. */
    readonly previousProgress?: Json;
    /** Aborted at a cancel, a timeout, a lost lease or the end of a drain: stop soon, what is returned then may not count. */
    readonly signal: AbortSignal;
    /** Adds a line to orch.logs. */
    log(line: string, stream?: string): void;
    /** Goes with the next heartbeat; up to 4 KiB of JSON. */
    progress(details: Json): void;
}

export type Handler<I = any, O = unknown> = (task: TaskContext, input: I) => O | Promise<O>;
/** Gets several tasks at once; returns an output, or an Error, for each of them in their order. */
export type BatchHandler<I = any, O = unknown> = (batch: { task: TaskContext; input: I }[]) => (O | Error)[] | Promise<(O | Error)[]>;

export interface HandlerOptions {
    /** Tasks of this handler at once in one worker [as many as the worker runs]. */
    concurrency?: number;
}

/** A handler by its name; typed, so that a step by it is. */
export interface TaskDefinition<I = any, O = any> {
    readonly kind: 'task';
    readonly name: string;
    readonly options: HandlerOptions & { batch?: number };
    /** A function, or the module whose default export is one: that runs in a process of its own, which is killed at its timeout. */
    readonly run: Handler<I, O> | BatchHandler<I, O> | URL;
}

/** How a step by a handler is tried; the fields of docs/definition.md. */
export interface StepOptions {
    retries?: number;
    retryDelaySeconds?: number;
    retryBackoff?: 'exponential' | 'fixed';
    retryMaxDelaySeconds?: number;
    retryJitter?: number;
    retryOn?: string[];
    noRetryOn?: string[];
    timeoutSeconds?: number;
    queue?: string;
    priority?: number;
    /** Where the handler's name is not the step's. */
    handler?: string;
    /** Another executor than a handler. */
    command?: Json;
    http?: Json;
    callable?: string;
}
export type InPlaceOptions = Pick<StepOptions, 'retries' | 'retryDelaySeconds' | 'retryBackoff' | 'retryMaxDelaySeconds' | 'retryJitter' | 'timeoutSeconds'>;
/** What a function in place is given. */
export interface StepContext {
    readonly attempt: number;
    /** The same in every attempt. */
    readonly idempotencyKey: string;
    /** Aborted at a cancel, at the step's timeout, or when the lease is lost. */
    readonly signal: AbortSignal;
}
/** A connection inside the transaction that the step commits with. */
export interface Transaction {
    query(text: string, values?: unknown[]): Promise<{ rows: any[]; rowCount: number | null }>;
}
export interface ChildOptions {
    /** What a child does when this run ends first ['cancel']. */
    parentClose?: 'cancel' | 'abandon';
    /** false: the step is over when the child has begun; it returns nothing. */
    wait?: boolean;
}

/** What somebody outside may have running code do, and what they get for it. */
export interface UpdateHandler<I = any, O = any> {
    /** Throws what is to be refused: such an update leaves its refusal only. Not run again in a replay. */
    validate?(input: I): void | Promise<void>;
    /** A branch of the workflow: steps and waits are as ever. What it throws is its answer. */
    handle(input: I): O | Promise<O>;
}
export interface ApprovalOptions {
    /** Database roles whose members may decide [orch_operator]. */
    roles?: string[];
    /** What they are shown, and asked to fill in. */
    form?: Json;
    timeout?: Duration;
}
export interface Approval {
    approved: boolean;
    by: string;
    comment: string | null;
    form: any;
}

/** What durable code sees of the world. Whatever else it awaits has to give the same each time. */
export interface Context<I = any> {
    readonly runId: string;
    readonly workflow: string;
    readonly version: string;
    readonly attempt: number;
    readonly input: I;
    /** A step by a registered handler, on any worker; also `step(name, input, options)`. */
    step<In, Out>(task: TaskDefinition<In, Out>, input: In, options?: StepOptions): Promise<Out>;
    /** A step in place: its result is recorded, so that it is not run again. */
    step<T>(name: string, run: (step: StepContext) => T | Promise<T>): Promise<T>;
    step<T>(name: string, options: InPlaceOptions & { transaction: true }, run: (tx: Transaction, step: StepContext) => T | Promise<T>): Promise<T>;
    step<T>(name: string, options: InPlaceOptions, run: (step: StepContext) => T | Promise<T>): Promise<T>;
    step<T = any>(name: string, input?: unknown, options?: StepOptions): Promise<T>;
    wait(duration: Duration): Promise<void>;
    waitUntil(time: Date | string): Promise<void>;
    /** The payload of the next signal of this name; null where none comes in time. */
    signal<T = any>(name: string, options?: { timeout?: Duration }): Promise<T | null>;
    /** What a person decides, by `orch.approve`; throws a TaskError of class timeout where nobody does in time. */
    approval(name?: string, options?: ApprovalOptions): Promise<Approval>;
    child<T = any>(workflow: string | { name: string }, input?: unknown, options?: ChildOptions): Promise<T>;
    /** Answers `orch.query`, from what the code knows: at once, asking nothing of the context. No trace of it stays. */
    query<In = any>(name: string, answer: (input: In) => unknown): void;
    /** Serves `orch.update`; to be called before the first await. */
    update<In = any, Out = any>(name: string, handler: UpdateHandler<In, Out>): void;
    /** Goes on when it holds; it is asked again whenever something has happened. */
    condition(holds: () => boolean): Promise<void>;
    /** As Promise.all, and a run that waits for nothing else is not woken before all of them are over. */
    all<T extends readonly unknown[]>(promises: readonly [...{ [K in keyof T]: Promise<T[K]> }]): Promise<T>;
    /** true for runs that get here for the first time with the new code: `if (ctx.patched('id')) new way; else old way`. */
    patched(id: string): boolean;
    now(): Date;
    random(): number;
    uuid(): string;
    /** A line for orch.logs, said once. */
    log(line: string): void;
    setTag(name: string, value: Json): void;
    /** Ends this run and goes on as a new one, with an empty history. */
    continueAsNew(input: unknown): Promise<never>;
}

/** Options of all runs of a workflow in code; the fields of docs/definition.md. */
export interface WorkflowOptions {
    /** Runs are pinned to it: a worker serves the versions that it was given. ['1'] */
    version?: string;
    queue?: string;
    timeoutSeconds?: number;
    maxActiveRuns?: number;
    whenFull?: 'queue' | 'reject';
    priority?: number;
    tags?: { [key: string]: Json };
    description?: string;
    owner?: string;
}
export interface WorkflowDefinition<I = any, O = any> {
    readonly kind: 'workflow';
    readonly name: string;
    readonly version: string;
    readonly options: { [key: string]: Json };
    readonly run: (ctx: Context<I>, input: I) => O | Promise<O>;
}

/** What the code of a run has done, a row each; the words are those of orch.history. */
export interface HistoryRow {
    no: number;
    id: string;
    definition: { [key: string]: any };
    state: string;
    output: Json;
    error: ErrorFields | null;
    /** Seconds since 1970. */
    ended_at: number | null;
}

export type LogLevel = 'debug' | 'info' | 'warning' | 'error';

export interface WorkerOptions {
    /** A URL or node-postgres' settings [ORCH_DATABASE_URL, else the PG* environment]. */
    database?: Database;
    /** Unique among living workers [made from host, process and chance]. */
    id?: string;
    queues?: string[];
    /** Tasks at once [10]. */
    concurrency?: number;
    /** A PostgreSQL interval [the server's orch.default_lease_time]. */
    leaseTime?: string;
    /** How long running tasks may go on after the first stop, in ms [30,000]. */
    drain?: number;
    /** From the abort of a task's signal until it is given up, or its process killed, in ms [5,000]; less at a timeout. */
    grace?: number;
    /** Behind a pooler that gives connections away between transactions: looks for work again and again, and does not wait in the database [`pooled=1` of the URL]. */
    pooled?: boolean;
    /** Where values above the inline limit go, and what hides values. */
    payloads?: PayloadOptions;
    metadata?: { [key: string]: Json };
    log?: (level: LogLevel, text: string) => void;
}
