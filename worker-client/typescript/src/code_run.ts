import type { Transaction, WorkflowDefinition } from './api.js';
import { CodeContext } from './context.js';
import { OrchError, type ErrorFields } from './errors.js';
import { LostStep, type Entry, type HistoryRow, type Journal, type Outcome, type Request, type Waits } from './journal.js';
import { sleep, type Json } from './json.js';
import type { Payloads } from './payloads.js';
import { Replay, type CodeEnd, type RunFacts } from './replay.js';
import type { Attempt, Ended } from './task.js';
import type { Worker } from './worker.js';

const page = 1000;
/** The lease went to another, or its run has ended: whoever has it now knows all that was recorded. */
const stale = /^OR01[0-2]$|^OR020$/;

/** The journal of a leased run, by the engine's functions; each is fenced by the lease. */
class EngineJournal implements Journal {
    readonly payloads: Payloads;
    constructor(
        private readonly worker: Worker,
        private readonly attempt: Attempt,
    ) {
        this.payloads = worker.payloads;
    }

    private call(text: string, ...values: unknown[]): Promise<any[]> {
        return this.worker.call(this.attempt, text, [this.attempt.lease, ...values]);
    }
    async history(): Promise<HistoryRow[]> {
        const text = 'select no, id, definition, state, output, error, extract(epoch from ended_at)::float8 as ended_at from orch.history($1, $2, $3)';
        const rows: HistoryRow[] = [];
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
        const status = await this.worker.tasks.suspend(this.attempt, { steps, ...waits });
        if (status === 'go_on') return status;
        if (status === 'ok' || status === 'lost' || status === 'not_yours') return 'suspended';
        // Refused: by itself it is told why.
        return (await this.call('select orch.suspend($1, $2::jsonb) as answer', JSON.stringify({ steps, ...waits })))[0].answer;
    }
    outcomes(ids: string[]): Promise<Outcome[]> {
        return this.call('select id, state, output, error from orch.outcomes($1, $2)', ids);
    }
    updates(): Promise<Request[]> {
        return this.call('select id, name, input from orch.updates($1)');
    }
    async park(error: ErrorFields): Promise<void> {
        this.worker.say('error', `run ${this.attempt.runId} is parked: ${error.message}`);
        await this.call('select orch.park($1, $2::jsonb)', JSON.stringify(error));
    }
    async continueAsNew(input: Json): Promise<void> {
        await this.call('select orch.continue_as_new($1, $2::jsonb)', JSON.stringify(input));
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
                throw stale.test(cause.code) ? new LostStep('', { cause: new OrchError(cause) }) : cause;
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
        const row = entry && new OrchError(failed).poisonsConnection && (await this.history()).find((one) => one.id === id);
        if (row) return { id, output: row.output };
        throw failed;
    }
    log(line: string): void {
        this.attempt.log(line);
    }
    now = (): Date => new Date();
    pause = sleep;
}

/** Runs the code of a workflow by its journal, until it ends or waits. */
export function replay(journal: Journal, { name, version, run }: WorkflowDefinition, facts: Omit<RunFacts, 'workflow' | 'version'>): Promise<CodeEnd> {
    const replay = new Replay(journal, { ...facts, workflow: name, version });
    return replay.run(new CodeContext(replay), run);
}

/** A leased run, until it ends or waits. */
export async function runCode(worker: Worker, attempt: Attempt, workflow: WorkflowDefinition): Promise<Ended> {
    const { payloads } = worker;
    const { runId, signal } = attempt;
    try {
        const input = await payloads.decode(attempt.rawInput);
        const question = attempt.spec['query'];
        const end = await replay(new EngineJournal(worker, attempt), workflow, { runId, attempt: attempt.attempt, input, signal, question });
        if (end === null) return { left: true };
        return 'output' in end ? { output: await payloads.encode(end.output, `runs/${runId}`) } : end;
    } catch (error) {
        if (error instanceof OrchError && stale.test(error.code)) return { left: true };
        throw error;
    }
}
