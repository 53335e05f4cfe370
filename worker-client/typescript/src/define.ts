import type { BatchHandler, Context, Handler, HandlerOptions, TaskDefinition, WorkflowDefinition, WorkflowOptions } from './api.js';
import { snakeCased } from './json.js';

export function defineTask<I = any, O = any>(name: string, run: BatchHandler<I, O>, options: HandlerOptions & { batch: number }): TaskDefinition<I, O>;
export function defineTask<I = any, O = any>(name: string, run: Handler<I, O> | URL, options?: HandlerOptions): TaskDefinition<I, O>;
export function defineTask(name: string, run: TaskDefinition['run'], options: TaskDefinition['options'] = {}): TaskDefinition {
    return { kind: 'task', name, run, options };
}

/** A workflow in code: a function that is run again from its beginning each time, and is told what its steps gave before. */
export function defineWorkflow<I = any, O = any>(
    name: string,
    run: (ctx: Context<I>, input: I) => O | Promise<O>,
    options: WorkflowOptions = {},
): WorkflowDefinition<I, O> {
    const { version = '1', ...others } = options;
    return { kind: 'workflow', name, version, options: snakeCased(others), run };
}
