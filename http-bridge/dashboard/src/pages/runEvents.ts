// What events of runs change in a list of runs, without asking again.
import type { Event, Run, RunState } from '../api/types';

/** The state that an event leads to; as in the engine's table of transitions. */
export const stateAfter: Readonly<Record<string, RunState>> = {
    run_started: 'running',
    run_queued: 'queued',
    run_cancel_requested: 'cancelling',
    run_succeeded: 'succeeded',
    run_failed: 'failed',
    run_timed_out: 'timed_out',
    run_cancelled: 'cancelled',
    run_reopened: 'running',
};

export const runEventKinds = ['run_triggered', ...Object.keys(stateAfter)];

export function patchRun<R extends Run>(run: R, event: Event): R {
    const state = stateAfter[event.kind];
    if (!state) return run;
    const over = state === 'succeeded' || state === 'failed' || state === 'timed_out' || state === 'cancelled';
    return {
        ...run,
        state,
        started_at: event.kind === 'run_started' ? (run.started_at ?? event.at) : run.started_at,
        finished_at: over ? event.at : event.kind === 'run_reopened' ? null : run.finished_at,
    };
}

/** The list with the events applied, the same list where none concerned it; `unknown`: there are new runs, which the list has to be asked for. */
export function applyRunEvents(runs: readonly Run[], batch: readonly Event[]): { runs: Run[]; unknown: boolean } {
    const at = new Map(runs.map((run, i) => [run.run_id, i]));
    let changed: Run[] | null = null;
    let unknown = false;
    for (const event of batch) {
        const i = at.get(event.run_id);
        if (i === undefined) {
            unknown ||= event.kind === 'run_triggered';
            continue;
        }
        changed ??= [...runs];
        changed[i] = patchRun(changed[i]!, event);
    }
    return { runs: changed ?? (runs as Run[]), unknown };
}
