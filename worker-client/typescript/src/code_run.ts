import pg from 'pg';
import type { Context, Transaction, WorkflowDefinition, WorkflowOptions } from './api.js';
import { Execution, LostStep, type Entry, type HistoryRow, type Journal, type Outcome, type Waits } from './code.js';
import { OrchError, type ErrorFields } from './errors.js';
import { sleep, snakeCased, type Json } from './json.js';
import { configOf, type Database } from './link.js';
import type { Attempt, Ended } from './task.js';
import type { Worker } from './worker.js';

/** A workflow in code: a function that is run again from its beginning each time, and is told what its steps gave before. */
export function defineWorkflow<I = any, O = any>(
    name: string,
    run: (ctx: Context<I>, input: I) => O | Promise<O>,
    options: WorkflowOptions = {},
): WorkflowDefinition<I, O> {
    const { version = '1', ...others } = options;
    return { kind: 'workflow', name, version, options: snakeCased(others), run };
}

const page = 1000;
const stale = /^OR01[0-2]$|^OR020$/;

/** The journal of a leased run, by the engine's functions; each is fenced by the lease. */
class EngineJournal implements Journal {
    constructor(
        private readonly worker: Worker,
        private readonly attempt: Attempt,
    ) {}

    private call(text: string, ...values: unknown[]): Promise<any[]> {
        return this.worker.call(this.attempt, text, [this.attempt.lease, ...values]);
    }
    async history(): Promise<HistoryRow[]> {
        const rows: HistoryRow[] = [];
        const text = 'select no, id, definition, state, output, error, extract(epoch from ended_at)::float8 as ended_at from orch.history($1, $2, $3)';
        for (let got = page; got === page;) {
            const next = await this.call(text, rows.at(-1)?.no ?? 0, page);
            for (const row of next) rows.push(row);
            got = next.length;
        }
        return rows;
    }
    async record(entries: Entry[]): Promise<void> {
        for (let at = 0; at < entries.length; at += page) await this.call('select orch.record($1, $2::jsonb)', JSON.stringify(entries.slice(at, at + page)));
    }
    async suspend({ steps = [], ...waits }: Waits): Promise<'go_on' | 'suspended'> {
        if (steps.length > page) await this.record(steps.splice(0, steps.length - page));
        return (await this.call('select orch.suspend($1, $2::jsonb) as answer', JSON.stringify({ steps, ...waits })))[0].answer;
    }
    outcomes(ids: string[]): Promise<Outcome[]> {
        return this.call('select id, state, output, error from orch.outcomes($1, $2)', ids);
    }
    async park(error: ErrorFields): Promise<void> {
        this.worker.say('error', `run ${this.attempt.runId} is parked: ${error.message}`);
        await this.call('select orch.park($1, $2::jsonb)', JSON.stringify(error));
    }
    async continueAsNew(input: unknown): Promise<void> {
        await this.call('select orch.continue_as_new($1, $2::jsonb)', JSON.stringify(await this.encode(input)));
    }
    /** On a connection of its own: the worker's is in nobody's transaction. */
    async transaction(id: string, work: (tx: Transaction) => Promise<Entry>): Promise<Entry> {
        const client = await this.worker.transactions.connect();
        const broken = () => {}; // the statement that is under way fails too
        client.on('error', broken);
        let entry: Entry | undefined, failed: unknown;
        try {
            await client.query('begin');
            entry = await work(client);
            await client.query('select orch.record($1, $2::jsonb)', [this.attempt.lease, JSON.stringify([entry])]).catch((cause) => {
                throw stale.test(cause.code) ? new LostStep(new OrchError(cause)) : cause;
            });
            await client.query('commit');
            return entry;
        } catch (error) {
            failed = error;
            await client.query('rollback').catch(() => {});
        } finally {
            client.off('error', broken);
            client.release(failed instanceof Error && new OrchError(failed).poisonsConnection ? failed : undefined);
        }
        // Where the answer to the commit was lost, the journal knows.
        if (entry && new OrchError(failed).poisonsConnection) {
            const row = (await this.history()).find((one) => one.id === id);
            if (row) return { id, output: row.output };
        }
        throw failed;
    }
    encode(value: unknown): Promise<Json> {
        return this.worker.payloads.encode(value, `runs/${this.attempt.runId}`);
    }
    decode(value: Json, through: <T>(work: () => Promise<T>) => Promise<T>): Promise<unknown> {
        return this.worker.payloads.decode(value, through);
    }
    encodeError(error: ErrorFields): Promise<ErrorFields> {
        return this.worker.payloads.encodeError(error);
    }
    decodeError(error: ErrorFields): Promise<ErrorFields> {
        return this.worker.payloads.decodeError(error);
    }
    log(line: string): void {
        this.attempt.log(line);
    }
    now = (): Date => new Date();
    pause = sleep;
}

export const transactionPool = (database: Database, max: number): pg.Pool => {
    const pool = new pg.Pool({ ...configOf(database), max });
    return pool.on('error', () => {}); // of an idle connection: the next one is asked for anyway
};

export async function runCode(worker: Worker, attempt: Attempt, { name, version, run }: WorkflowDefinition): Promise<Ended> {
    const journal = new EngineJournal(worker, attempt);
    const { runId, signal: stop } = attempt;
    // A drain or a lost lease is no cancel: the run goes on elsewhere, and code that cleans up would undo it.
    const raised = new AbortController();
    const raise = () => (attempt.interrupted === 'cancelled' || attempt.interrupted === 'timed_out') && raised.abort(stop.reason);
    stop.addEventListener('abort', raise);
    raise();
    try {
        const input = await journal.decode(attempt.rawInput, (work) => work());
        const facts = { runId, workflow: name, version, attempt: attempt.attempt, input, signal: raised.signal, stop };
        const end = await new Execution(journal, facts).run(run);
        if (end === null) return { left: true };
        return 'output' in end ? { output: await journal.encode(end.output) } : end;
    } catch (error) {
        // The lease went to another, or its run has ended: whoever has it now knows all that was recorded.
        if (error instanceof OrchError && stale.test(error.code)) return { left: true };
        throw error;
    }
}
