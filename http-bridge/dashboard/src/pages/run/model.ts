// A run as the page holds it: its row, all its tasks, and how many are in each state. Rows come page by page and are then followed by events. Each row is replaced
// and never changed, so that whoever shows one sees by its identity whether it has.
import type { Event, Run, Task, TaskState } from '../../api/types';
import { patchRun } from '../runEvents';
import { asksForRows, patchTask } from './transitions';

export type Counts = Partial<Record<TaskState, number>>;

export class RunModel {
    run: Run | null = null;
    /** By their number, which may leave gaps while pages are still coming. */
    tasks: readonly Task[] = [];
    counts: Counts = {};
    /** All pages are here. */
    complete = false;
    /** Grows with each change; `shape` with those that add or take tasks. */
    version = 0;
    shape = 0;

    private readonly at = new Map<string, number>();
    private readonly listeners = new Set<() => void>();
    private early: Event[] = [];
    private holding = true;

    /** Rows are about to be read: until they are here, events wait. */
    beginLoading(): void {
        this.holding = true;
    }

    subscribe = (listener: () => void): (() => void) => {
        this.listeners.add(listener);
        return () => this.listeners.delete(listener);
    };

    task(id: string): Task | undefined {
        const at = this.at.get(id);
        return at === undefined ? undefined : this.tasks[at];
    }

    setRun(run: Run): void {
        this.run = run;
        this.changed();
    }

    /** A page of tasks, new ones or such that were here before. */
    addTasks(rows: readonly Task[]): void {
        const tasks = [...this.tasks];
        let grown = false;
        for (const row of rows) {
            const at = this.at.get(row.task_id);
            if (at === undefined) {
                this.at.set(row.task_id, tasks.push(row) - 1);
                this.count(row.state, 1);
                grown = true;
            } else {
                this.count(tasks[at]!.state, -1);
                this.count(row.state, 1);
                tasks[at] = row;
            }
        }
        this.tasks = tasks;
        if (grown) this.shape++;
        this.changed();
    }

    /** After the last page: what came meanwhile is applied, since a page may be older than it. */
    finishLoading(): void {
        this.complete = true;
        this.holding = false;
        const early = this.early;
        this.early = [];
        this.shape++;
        if (early.length === 0 || !this.apply(early)) this.changed();
    }

    /** Tasks that are ready although no event says so: those of a page that asked for them. */
    markReady(rows: readonly Task[]): void {
        const waiting = rows.filter((row) => this.task(row.task_id)?.state === 'pending');
        if (waiting.length > 0) this.addTasks(waiting);
    }

    /** Applies a batch with one change; true where rows have to be asked for because of it. */
    apply(batch: readonly Event[]): boolean {
        if (this.holding) {
            for (const event of batch) this.early.push(event);
            return false;
        }
        let tasks: Task[] | null = null;
        let run = this.run;
        let asks = false;
        for (const event of batch) {
            if (asksForRows.has(event.kind)) asks = true;
            if (event.task_id === null) {
                if (run) run = patchRun(run, event);
                continue;
            }
            const at = this.at.get(event.task_id);
            if (at === undefined) continue;
            const before = (tasks ?? this.tasks)[at]!;
            const after = patchTask(before, event);
            if (after === before) continue;
            tasks ??= [...this.tasks];
            tasks[at] = after;
            this.count(before.state, -1);
            this.count(after.state, 1);
        }
        if (tasks) this.tasks = tasks;
        if (tasks || run !== this.run) {
            this.run = run;
            this.changed();
        }
        return asks;
    }

    private count(state: TaskState, by: number): void {
        this.counts = { ...this.counts, [state]: (this.counts[state] ?? 0) + by };
    }

    private changed(): void {
        this.version++;
        for (const one of this.listeners) one();
    }
}
