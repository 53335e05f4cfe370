import { describe, expect, it, vi } from 'vitest';
import type { Event, Run, Task } from '../src/api/types';
import { RunModel } from '../src/pages/run/model';
import { patchTask } from '../src/pages/run/transitions';
import { applyRunEvents } from '../src/pages/runEvents';

const row = (task_id: string, state: Task['state'] = 'pending', more: Partial<Task> = {}): Task =>
    ({
        task_id,
        task_no: Number(task_id.slice(1)),
        state,
        attempt: 0,
        max_attempts: 3,
        dependencies: [],
        error: null,
        worker: null,
        ready_at: null,
        started_at: null,
        finished_at: null,
        ...more,
    }) as Task;
let pos = 0;
const event = (kind: string, task_id: string | null, data: Record<string, unknown> = {}, at = '2026-01-01T00:00:00Z'): Event =>
    ({ pos: ++pos, run_id: 'r', task_id, no: pos, kind, at, actor: 'worker:w', data }) as Event;
const run = (state: string): Run => ({ run_id: 'r', workflow: 'w', state, started_at: null, finished_at: null, output: null }) as unknown as Run;

function loaded(tasks: Task[]): RunModel {
    const model = new RunModel();
    model.beginLoading();
    model.setRun(run('running'));
    model.addTasks(tasks);
    model.finishLoading();
    return model;
}

describe('a run that is followed', () => {
    it('goes with its events', () => {
        const model = loaded([row('t0', 'ready'), row('t1')]);
        model.apply([
            event('task_started', 't0', { attempt: 1 }, '2026-01-01T00:00:01Z'),
            event('task_succeeded', 't0', { attempt: 1 }, '2026-01-01T00:00:03Z'),
        ]);
        expect(model.task('t0')).toMatchObject({
            state: 'succeeded',
            worker: 'w',
            attempt: 1,
            started_at: '2026-01-01T00:00:01Z',
            finished_at: '2026-01-01T00:00:03Z',
        });
        expect(model.counts).toMatchObject({ succeeded: 1, pending: 1, ready: 0 });
        model.apply([event('run_succeeded', null, { output: { n: 1 } })]);
        expect(model.run).toMatchObject({ state: 'succeeded', finished_at: '2026-01-01T00:00:00Z' });
    });

    it('keeps what came while it was loading, and lets what is older than a row go', () => {
        const model = new RunModel();
        model.beginLoading();
        model.setRun(run('running'));
        model.apply([event('task_started', 't0', { attempt: 1 }), event('task_started', 't1', { attempt: 1 })]);
        model.addTasks([row('t0', 'succeeded', { attempt: 1 })]);
        model.addTasks([row('t1', 'ready')]);
        model.finishLoading();
        expect(model.task('t0')!.state).toBe('succeeded');
        expect(model.task('t1')!.state).toBe('running');
    });

    it('tells once of a batch, and not at all of one without a change', () => {
        const model = loaded(Array.from({ length: 1000 }, (_, i) => row(`t${i}`, 'ready')));
        const told = vi.fn();
        model.subscribe(told);
        model.apply(Array.from({ length: 1000 }, (_, i) => event('task_started', `t${i}`, { attempt: 1 })));
        expect(told).toHaveBeenCalledTimes(1);
        model.apply([event('lease_expired', 't3'), event('task_started', 'unknown')]);
        expect(told).toHaveBeenCalledTimes(1);
        expect(model.counts.running).toBe(1000);
    });

    it('leaves the rows alone that a batch does not concern', () => {
        const model = loaded([row('t0', 'ready'), row('t1', 'ready')]);
        const other = model.task('t1');
        model.apply([event('task_started', 't0', { attempt: 1 })]);
        expect(model.task('t1')).toBe(other);
    });

    it('asks for rows where events cannot tell', () => {
        const model = loaded([row('t0', 'failed')]);
        expect(model.apply([event('task_started', 't0')])).toBe(false);
        expect(model.apply([event('run_reopened', null)])).toBe(true);
        expect(model.apply([event('task_added', 'x#1')])).toBe(true);
    });
});

describe('a task', () => {
    it('waits for its next attempt with the error of the last one', () => {
        const task = patchTask(
            row('t0', 'running', { attempt: 1 }),
            event('task_retry_scheduled', 't0', { attempt: 1, error: { message: 'no' }, due_at: '2026-01-01T00:01:00Z' }),
        );
        expect(task).toMatchObject({ state: 'scheduled', error: { message: 'no' }, due_at: '2026-01-01T00:01:00Z', finished_at: null });
        expect(patchTask(task, event('timer_fired', 't0'))).toMatchObject({ state: 'ready' });
    });

    it('does not go back to an earlier attempt', () => {
        const task = row('t0', 'running', { attempt: 2 });
        expect(patchTask(task, event('task_failed', 't0', { attempt: 1 }))).toBe(task);
    });
});

describe('a list of runs', () => {
    it('is patched where it has the run, and asked for anew where it has not', () => {
        const runs = [run('running')];
        const { runs: after, unknown } = applyRunEvents(runs, [event('run_failed', null)]);
        expect(after[0]!.state).toBe('failed');
        expect(unknown).toBe(false);
        expect(applyRunEvents(runs, [{ ...event('run_triggered', null), run_id: 'other' }])).toEqual({ runs, unknown: true });
        expect(applyRunEvents(runs, [{ ...event('run_started', null), run_id: 'other' }]).runs).toBe(runs);
    });
});
