// Names for what the API sends. The schemas are made of openapi.yaml by `build`; lists whose rows have no schema of their own there are told here.
import type { components } from './schema';

type Schemas = components['schemas'];

export type Run = Schemas['Run'];
export type RunDetail = Schemas['RunDetail'];
export type RunState = Schemas['RunState'];
export type Task = Schemas['Task'];
export type TaskDetail = Schemas['TaskDetail'];
export type TaskState = Schemas['TaskState'];
export type Attempt = Schemas['Attempt'];
export type Log = Schemas['Log'];
export type Event = Schemas['Event'] & { workflow?: string };
export type Workflow = Schemas['Workflow'];
export type WorkflowDetail = Schemas['WorkflowDetail'];
export type Version = Schemas['Version'];
export type DeadLetter = Schemas['DeadLetter'];
export type DeadLetterDetail = Schemas['DeadLetterDetail'];
export type Worker = Schemas['Worker'];
export type Me = Schemas['Me'];
export type Role = Schemas['Role'];
export type Triggered = Schemas['Triggered'];
export type Problem = Schemas['Problem'];

export interface Page<T> {
    items: T[];
    next_cursor: string | null;
}

export interface EventPage {
    items: Event[];
    next_after: number;
}

export interface Queue {
    queue: string;
    ready: number;
    running: number;
    waiting: number;
    oldest_ready_at: string | null;
    workers: number;
    paused: boolean;
    tenant?: string;
}

export interface Timer {
    run_id: string;
    task_id: string | null;
    kind: string;
    due_at: string;
}

export interface Circuit {
    circuit: string;
    tenant?: string;
    state: 'closed' | 'open' | 'half_open';
    failures_in_row: number;
    opened_at: string | null;
    half_open_at: string | null;
    waiting: number;
    probing?: boolean;
}

export interface Signal {
    run_id: string;
    no: number;
    name: string;
    payload: unknown;
    sender: string;
    sent_at: string;
    taken_by: string | null;
}

export interface Approval {
    run_id: string;
    task_id: string;
    workflow: string;
    roles: string[] | null;
    form: unknown;
    since: string | null;
    due_at: string | null;
    tenant?: string;
}

export interface Check {
    check: string;
    status: 'ok' | 'warning' | 'critical';
    detail: string;
    hint: string | null;
}

export interface Reason {
    task_id: string | null;
    state: string;
    reason: string;
    detail: string | null;
    hint: string | null;
}

export interface Explanation {
    task_id: string | null;
    level: number | null;
    on_critical_path: boolean | null;
    state: string;
    attempts: number | null;
    queued: string | null;
    running: string | null;
    waiting: string | null;
    started_after: string | null;
    finished_after: string | null;
    detail: Record<string, unknown> | null;
}

export interface PlanStep {
    task_no: number;
    task_id: string;
    level: number;
    dependencies: string[];
    on_critical_path: boolean;
}

/** Every state that a run or a task can be in, and of attempts, workers and circuits those that are coloured. */
export type State = RunState | TaskState | Attempt['state'] | Circuit['state'] | Worker['state'];

const over: ReadonlySet<string> = new Set(['succeeded', 'failed', 'timed_out', 'cancelled', 'skipped', 'upstream_failed']);

/** Whether a run or a task in this state changes no more by itself. */
export const isOver = (state: string): boolean => over.has(state);
