// Which state an event leads a task to, as in extension/core/state_changes.hpp: an event that cannot happen in a state is older than the row, and is left out.
import type { Event, Task, TaskState } from '../../api/types';

const changes: readonly (readonly [kind: string, from: readonly TaskState[], to: TaskState | null])[] = [
    ['task_started', ['pending', 'ready'], 'running'],
    ['task_retry_scheduled', ['running', 'waiting'], 'scheduled'],
    ['task_released', ['running'], 'ready'],
    ['task_succeeded', ['running', 'waiting', 'pending', 'ready'], 'succeeded'],
    ['task_failed', ['running', 'pending', 'ready', 'waiting'], 'failed'],
    ['task_timed_out', ['running', 'waiting'], 'timed_out'],
    ['task_skipped', ['pending', 'running'], 'skipped'],
    ['task_upstream_failed', ['pending'], 'upstream_failed'],
    ['task_cancelled', ['pending', 'ready', 'running', 'scheduled', 'waiting'], 'cancelled'],
    ['task_waiting', ['running'], 'waiting'],
    ['timer_created', ['running'], 'waiting'],
    ['timer_fired', ['scheduled'], 'ready'],
    ['task_suspended', ['running'], 'waiting'],
    ['task_woken', ['waiting'], 'ready'],
    ['child_started', ['running'], 'waiting'],
];
const byKind = new Map(changes.map(([kind, from, to]) => [kind, { from: new Set<string>(from), to }]));

/** Events after which rows have to be asked for: they tell of tasks that nobody knew, or change many at once. */
export const asksForRows: ReadonlySet<string> = new Set(['run_reopened', 'task_added', 'task_reopened', 'step_recorded']);

const final: ReadonlySet<string> = new Set(['succeeded', 'failed', 'timed_out', 'skipped', 'upstream_failed', 'cancelled']);

/** The row after the event; the same row where the event does not concern it or is older than it. */
export function patchTask(task: Task, event: Event): Task {
    const change = byKind.get(event.kind);
    if (!change || !change.from.has(task.state) || change.to === null) return task;
    const data = event.data as { attempt?: number; error?: Record<string, unknown>; due_at?: string };
    if (typeof data.attempt === 'number' && data.attempt < task.attempt) return task;
    const to = change.to;
    const started = event.kind === 'task_started';
    return {
        ...task,
        state: to,
        attempt: data.attempt ?? task.attempt,
        worker: started ? (event.actor.startsWith('worker:') ? event.actor.slice(7) : null) : task.worker,
        ready_at: to === 'ready' ? event.at : task.ready_at,
        started_at: started ? event.at : task.started_at,
        finished_at: final.has(to) ? event.at : null,
        due_at: to === 'scheduled' || to === 'waiting' ? (data.due_at ?? null) : null,
        error: data.error ?? (final.has(to) && to !== 'succeeded' ? task.error : null),
    };
}
