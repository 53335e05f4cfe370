import type pg from 'pg';
import { OrchError, TaskError, type ErrorFields } from './errors.js';
import { milliseconds, sleep, type Duration, type Json } from './json.js';
import { pause, pooledOf, poolOf, withClient, type Database } from './hosts.js';
import { load, Payloads, type PayloadOptions } from './payloads.js';
import { parseYaml } from './yaml.js';

/** Anything that runs a statement: a Client or a PoolClient inside your transaction, or a Pool. */
export interface Queryable {
    query(text: string, values?: any[]): Promise<{ rows: any[] }>;
}
export type WorkflowName<I, O> = string | { readonly name: string; readonly run?: (ctx: any, input: I) => O | Promise<O> };

export interface TriggerOptions {
    idempotencyKey?: string;
    priority?: number;
    runAt?: Date;
    tags?: { [key: string]: Json };
    timeout?: Duration;
    traceparent?: string;
    source?: string;
    version?: number;
}
export interface RunStatus {
    runId: string;
    workflow: string;
    state: string;
    input: Json;
    output: Json;
    error: ErrorFields | null;
    tags: { [key: string]: Json };
    createdAt: Date;
    startedAt: Date | null;
    finishedAt: Date | null;
}
export interface RunEvent {
    pos: number;
    runId: string;
    taskId: string | null;
    no: number;
    kind: string;
    at: Date;
    actor: string;
    data: any;
}

const final = /^(succeeded|failed|timed_out|cancelled)$/;
const interval = (duration?: Duration): string | null => (duration === undefined ? null : `${milliseconds(duration)} ms`);

/** What an application does with workflows. Given a connection that is inside a transaction, all of it happens with that, or not at all. */
export class Client {
    private readonly db: Queryable;
    private readonly own?: pg.Pool;
    private readonly payloads: Payloads;
    private readonly pooled: boolean;

    /** `pooled`: behind a pooler that gives connections away between transactions, as `pooled=1` in the URL says: looks again and again for what it waits for. */
    constructor(database?: Database | Queryable, options: { payloads?: PayloadOptions; pooled?: boolean } = {}) {
        if (typeof database === 'object' && 'query' in database && typeof database.query === 'function') this.db = database as Queryable;
        else this.db = this.own = poolOf(database as Database);
        this.pooled = options.pooled ?? (!!this.own && !!pooledOf(database as Database));
        this.payloads = new Payloads(options.payloads);
    }

    private async sql(text: string, values: unknown[] = [], on = this.db): Promise<any[]> {
        try {
            return (await on.query(text, values)).rows;
        } catch (cause) {
            throw new OrchError(cause);
        }
    }

    /** Stores a definition: an object, or JSON or YAML text. */
    async register(definition: object | string, ifExists: 'version' | 'error' = 'version'): Promise<{ workflow: string; version: number; created: boolean }> {
        const json =
            typeof definition === 'object' ? JSON.stringify(definition) : /^\s*\{/.test(definition) ? definition : JSON.stringify(parseYaml(definition));
        return (await this.sql('select workflow, version, created from orch.register($1::text, if_exists => $2)', [json, ifExists]))[0];
    }

    async trigger<I, O = any>(workflow: WorkflowName<I, O>, input?: I, options: TriggerOptions = {}): Promise<Run<O>> {
        const { idempotencyKey: key, priority, runAt, tags, timeout, traceparent, source, version } = options;
        const name = typeof workflow === 'string' ? workflow : workflow.name;
        const values = [
            name,
            await this.encode(input ?? {}),
            key,
            priority,
            runAt?.toISOString(),
            tags && JSON.stringify(tags),
            interval(timeout),
            traceparent,
            source,
            version,
        ];
        const named = ['idempotency_key', 'priority', 'run_at', 'tags', 'timeout', 'traceparent', 'source', 'version'];
        const types = ['text', 'int', 'timestamptz', 'jsonb', 'interval', 'text', 'text', 'int'];
        const given = named.map((parameter, i) => [parameter, types[i], values[i + 2]] as const).filter(([, , value]) => value !== undefined && value !== null);
        const list = given.map(([parameter, type], i) => `, ${parameter} => $${i + 3}::${type}`).join('');
        const rows = await this.sql(`select orch.trigger($1, $2::jsonb${list}) as run`, [...values.slice(0, 2), ...given.map(([, , value]) => value)]);
        return this.run(rows[0].run);
    }

    /** One statement, however many inputs; runs in their order. */
    async triggerMany<I, O = any>(workflow: WorkflowName<I, O>, inputs: I[], { idempotencyKeys }: { idempotencyKeys?: string[] } = {}): Promise<Run<O>[]> {
        const name = typeof workflow === 'string' ? workflow : workflow.name;
        const encoded = await Promise.all(inputs.map((input) => this.encode(input)));
        const keys = idempotencyKeys ? ', idempotency_keys => $3' : '';
        const rows = await this.sql(`select run_id from orch.trigger_many($1, $2::jsonb[]${keys}) order by position`, [
            name,
            encoded,
            ...(idempotencyKeys ? [idempotencyKeys] : []),
        ]);
        return rows.map((row) => this.run(row.run_id));
    }

    /** Delivers a signal to a run of the workflow that the key names, and starts it where there is none. */
    async signalWithStart<I, O = any>(workflow: WorkflowName<I, O>, signal: string, payload: unknown, input: I, idempotencyKey: string): Promise<Run<O>> {
        const name = typeof workflow === 'string' ? workflow : workflow.name;
        const values = [name, signal, await this.encode(payload), await this.encode(input), idempotencyKey];
        return this.run((await this.sql('select orch.signal_with_start($1, $2, $3::jsonb, $4::jsonb, $5) as run', values))[0].run);
    }

    run<O = any>(runId: string): Run<O> {
        return new Run(this, runId);
    }

    async status(run: string): Promise<RunStatus> {
        const [row] = await this.sql(
            'select run_id, workflow, state, input, output, error, tags, created_at, started_at, finished_at from orch.runs where run_id = $1',
            [run],
        );
        if (!row) throw new OrchError({ code: 'OR003', message: `there is no run ${run}` });
        const { run_id: runId, created_at: createdAt, started_at: startedAt, finished_at: finishedAt, ...same } = row;
        return { ...same, runId, createdAt, startedAt, finishedAt };
    }

    /** Waits for the end. Throws a TaskError where the run did not succeed, or with code `timeout` where it is not over by then. */
    async result<O = any>(run: string, timeout: Duration = '10 minutes'): Promise<O> {
        if (!this.pooled) await this.onOne((on) => this.sql('call orch.await_run($1, $2::interval)', [run, interval(timeout)], on));
        let { state, error } = await this.status(run);
        const end = performance.now() + milliseconds(timeout);
        for (let vain = 0; this.pooled && !final.test(state) && performance.now() < end; vain++) {
            await sleep(pause(vain));
            ({ state, error } = await this.status(run));
        }
        if (!final.test(state)) throw new TaskError('timeout', 'timeout', `run ${run} is ${state} still`);
        if (state !== 'succeeded') {
            const fields = await this.payloads.decodeError(
                error ?? { class: state === 'timed_out' ? 'timeout' : state === 'cancelled' ? 'cancelled' : 'unknown', message: `run ${run} is ${state}` },
            );
            throw TaskError.from(fields);
        }
        const [row] = await this.sql('select orch.result($1) as output', [run]);
        return (await load(await this.payloads.decode(row.output))) as O;
    }

    /** The history as it grows, of one run up to its end or of all for ever; `after` is the pos of the last one seen. */
    async *events(run?: string, { after = 0 }: { after?: number } = {}): AsyncGenerator<RunEvent> {
        for (let pos = after, vain = 0; ; vain++) {
            const rows = await this.sql('select pos::float8, run_id, task_id, no, kind, at, actor, data from orch.events_after($1, 1000, $2)', [
                pos,
                run ?? null,
            ]);
            for (const { run_id: runId, task_id: taskId, ...row } of rows) {
                yield { ...row, runId, taskId };
                pos = row.pos;
                vain = -1;
                if (run && taskId === null && final.test(row.kind.replace(/^run_/, ''))) return;
            }
            if (rows.length > 0) continue;
            if (run && final.test((await this.status(run)).state)) {
                const [more] = await this.sql('select from orch.events_after($1, 1, $2)', [pos, run]);
                if (!more) return;
            } else if (this.pooled) await sleep(pause(vain));
            else await this.onOne((on) => this.sql("call orch.await_events($1, '1 minute')", [pos], on));
        }
    }

    async signal(run: string, name: string, payload?: unknown): Promise<void> {
        await this.sql('select orch.signal($1, $2, $3::jsonb)', [run, name, await this.encode(payload)]);
    }

    async approve(run: string, task: string, { approved = true, comment, form }: { approved?: boolean; comment?: string; form?: Json } = {}): Promise<void> {
        await this.sql('select orch.approve($1, $2, $3, $4, $5::jsonb)', [
            run,
            task,
            approved,
            comment ?? null,
            form === undefined ? null : JSON.stringify(form),
        ]);
    }

    /** Asks the code of a run for something that it knows. Throws an OrchError: OR040 where no worker answers in time, OR041 with what the code threw in `error`. */
    async query<O = any>(run: string, name: string, input?: unknown, { timeout = '10 s' }: { timeout?: Duration } = {}): Promise<O> {
        return this.answer('call orch.query($1, $2, $3::jsonb, $4::interval)', [run, name, await this.encode(input), interval(timeout)]);
    }

    /** Has the code of a run do something, once for an id, and waits for its answer. Throws as `query` does. */
    async update<O = any>(run: string, name: string, input?: unknown, { id, timeout = '10 minutes' }: { id?: string; timeout?: Duration } = {}): Promise<O> {
        const [sent] = await this.sql('select orch.update($1, $2, $3::jsonb, $4) as id', [run, name, await this.encode(input), id]);
        const look = (time: Duration) => this.answer('call orch.await_update($1, $2, $3::interval)', [run, sent.id, interval(time)]);
        const end = performance.now() + milliseconds(timeout);
        for (let vain = 0; this.pooled && performance.now() < end; vain++) {
            try {
                return await look(0);
            } catch (error) {
                if ((error as OrchError).code !== 'OR040') throw error;
            }
            await sleep(pause(vain));
        }
        return look(this.pooled ? 0 : timeout);
    }

    private async answer(text: string, values: unknown[]): Promise<any> {
        try {
            const [{ answer }] = (await this.onOne((on) => this.sql(text, values, on))) as [{ answer: Json }];
            return await load(await this.payloads.decode(answer));
        } catch (error) {
            if (error instanceof OrchError && error.error) error.error = await this.payloads.decodeError(error.error);
            throw error;
        }
    }

    /** Returns the state that the run is in now. */
    async cancel(run: string): Promise<string> {
        return (await this.sql('select orch.cancel($1) as state', [run]))[0].state;
    }

    async close(): Promise<void> {
        await this.own?.end();
    }

    /** The content has to be the same for the same input, so that an idempotency key still means it. */
    private async encode(value: unknown): Promise<string> {
        return JSON.stringify(await this.payloads.encode(value, 'inputs'));
    }

    /** For procedures that sleep: not on a connection that others wait for. */
    private onOne<T>(work: (on: Queryable) => Promise<T>): Promise<T> {
        return this.own ? withClient(this.own, work) : work(this.db);
    }
}

/** One run, by its id. */
export class Run<O = any> {
    constructor(
        private readonly client: Client,
        readonly id: string,
    ) {}
    status = (): Promise<RunStatus> => this.client.status(this.id);
    result = (timeout?: Duration): Promise<O> => this.client.result<O>(this.id, timeout);
    events = (options?: { after?: number }): AsyncGenerator<RunEvent> => this.client.events(this.id, options);
    query = <T = any>(name: string, input?: unknown, options?: { timeout?: Duration }): Promise<T> => this.client.query<T>(this.id, name, input, options);
    update = <T = any>(name: string, input?: unknown, options?: { id?: string; timeout?: Duration }): Promise<T> =>
        this.client.update<T>(this.id, name, input, options);
    signal = (name: string, payload?: unknown): Promise<void> => this.client.signal(this.id, name, payload);
    cancel = (): Promise<string> => this.client.cancel(this.id);
}
