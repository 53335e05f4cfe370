import type pg from 'pg';
import type { HistoryRow, WorkflowDefinition } from './api.js';
import { contextOf } from './context.js';
import { OrchError } from './errors.js';
import { withClient } from './hosts.js';
import { sleep } from './json.js';
import { type CodeEnd, type Entry, type Journal, LostStep, Replay, type RunFacts } from './replay.js';
import type { Attempt, Ended } from './task.js';
import type { Worker } from './worker.js';

const page = 1000;
/** The lease went to another, or its run has ended: whoever has it now knows all that was recorded. */
const stale = /^OR01[0-2]$|^OR020$/;

/** The journal of a leased run, by the engine's functions; each is fenced by the lease. */
function journalOf(worker: Worker, attempt: Attempt): Journal {
    const call = (text: string, ...values: unknown[]): Promise<any[]> => worker.call(attempt, text, [attempt.lease, ...values]);
    const journal: Journal = {
        payloads: worker.payloads,
        async history() {
            const text = 'select no, id, definition, state, output, error, extract(epoch from ended_at)::float8 as ended_at from orch.history($1, $2, $3)';
            const rows: HistoryRow[] = [];
            for (;;) {
                const next = await call(text, rows.at(-1)?.no ?? 0, page);
                rows.push(...next);
                if (next.length < page) return rows;
            }
        },
        async record(entries) {
            for (let at = 0; at < entries.length; at += page) await call('select orch.record($1, $2::jsonb)', JSON.stringify(entries.slice(at, at + page)));
        },
        async suspend({ steps, ...waits }) {
            if (steps.length > page) await journal.record(steps.splice(0, steps.length - page));
            const status = await worker.tasks.suspend(attempt, { steps, ...waits });
            if (status === 'go_on') return status;
            if (status === 'ok' || status === 'lost' || status === 'not_yours') return 'suspended';
            // Refused: by itself it is told why.
            return (await call('select orch.suspend($1, $2::jsonb) as answer', JSON.stringify({ steps, ...waits })))[0].answer;
        },
        outcomes: (ids) => call('select id, state, output, error from orch.outcomes($1, $2)', ids),
        updates: () => call('select id, name, input from orch.updates($1)'),
        async park(error) {
            worker.say('error', `run ${attempt.runId} is parked: ${error.message}`);
            await call('select orch.park($1, $2::jsonb)', JSON.stringify(error));
        },
        continueAsNew: (input) => call('select orch.continue_as_new($1, $2::jsonb)', JSON.stringify(input)),
        /** On a connection of its own: the worker's is in nobody's transaction. */
        async transaction(id, work) {
            let entry: Entry | undefined;
            const commit = async (client: pg.PoolClient) => {
                await client.query('begin');
                entry = await work(client);
                await client.query('select orch.record($1, $2::jsonb)', [attempt.lease, JSON.stringify([entry])]).catch((cause) => {
                    throw stale.test(cause.code) ? new LostStep('', { cause: new OrchError(cause) }) : cause;
                });
                await client.query('commit');
                return entry;
            };
            return withClient(worker.transactions, commit).catch(async (failed) => {
                // Where the answer to the commit was lost, the journal knows.
                const row = entry && new OrchError(failed).poisonsConnection && (await journal.history()).find((one) => one.id === id);
                if (row) return { id, output: row.output };
                throw failed;
            });
        },
        log: (line) => attempt.log(line),
        now: () => new Date(),
        pause: sleep,
    };
    return journal;
}

/** Runs the code of a workflow by its journal, until it ends or waits. */
export function replay(journal: Journal, { name, version, run }: WorkflowDefinition, facts: Omit<RunFacts, 'workflow' | 'version'>): Promise<CodeEnd> {
    const replay = new Replay(journal, { ...facts, workflow: name, version });
    return replay.run(contextOf(replay), run);
}

/** A leased run, until it ends or waits. */
export async function runCode(worker: Worker, attempt: Attempt, workflow: WorkflowDefinition): Promise<Ended> {
    const { payloads } = worker;
    const { runId, signal } = attempt;
    try {
        const input = await payloads.decode(attempt.rawInput);
        const end = await replay(journalOf(worker, attempt), workflow, { runId, attempt: attempt.attempt, input, signal, question: attempt.spec['query'] });
        if (end === null) return { left: true };
        return 'output' in end ? { output: await payloads.encode(end.output, `runs/${runId}`) } : end;
    } catch (error) {
        if (error instanceof OrchError && stale.test(error.code)) return { left: true };
        throw error;
    }
}
