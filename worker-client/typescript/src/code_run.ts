import type { Context, WorkflowDefinition, WorkflowOptions } from './api.js';
import { CodeContext } from './context.js';
import { OrchError } from './errors.js';
import { EngineJournal, stale, type Journal } from './journal.js';
import { snakeCased } from './json.js';
import { Replay, type CodeEnd, type RunFacts } from './replay.js';
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
