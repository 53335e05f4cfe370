// What a definition says, as far as it is drawn and told: tasks, what each is done by, and what it waits for. A draft may say anything.
import type { Task } from '../../api/types';
import type { Json } from '../../source/text';

export interface DefinedTask {
    id: string;
    name: string | null;
    executor: string | null;
    /** In a word, what it does: the handler, the signal, the workflow. */
    what: string;
    dependencies: string[];
    when: string | null;
    isFinally: boolean;
    spec: { [name: string]: Json };
}

export const executors = ['handler', 'command', 'sql', 'sleep', 'until', 'signal', 'approval', 'workflow', 'decision', 'noop', 'http', 'callable'] as const;

type Members = { [name: string]: Json };
const isMap = (value: Json | undefined): value is Members => typeof value === 'object' && value !== null && !Array.isArray(value);
const text = (value: Json | undefined): string => (typeof value === 'string' ? value : value === undefined || value === null ? '' : JSON.stringify(value));

function whatOf(executor: string | null, value: Json | undefined): string {
    if (executor === null || executor === 'noop' || executor === 'approval') return '';
    if (executor === 'decision' && isMap(value)) return [value['left'], value['op'], value['right']].map(text).join(' ');
    if (executor === 'http' && isMap(value))
        return isMap(value['llm']) ? text(value['llm']['model']) : `${text(value['method']) || 'GET'} ${text(value['url'])}`;
    if (isMap(value)) return text(value['name'] ?? value['id']);
    if (executor === 'command' && Array.isArray(value)) return value.map(text).join(' ');
    if (executor === 'sleep' && typeof value === 'number') return `${value} s`;
    return text(value).trim().replace(/\s+/g, ' ');
}

function tasksIn(given: Json | undefined, isFinally: boolean): DefinedTask[] {
    const entries: [string, Json][] = Array.isArray(given)
        ? given.map((one, i) => [isMap(one) && typeof one['id'] === 'string' ? one['id'] : String(i), one])
        : isMap(given)
          ? Object.entries(given)
          : [];
    return entries.map(([id, value]) => {
        const spec = isMap(value) ? value : {};
        const executor = executors.find((name) => spec[name] !== undefined) ?? null;
        const needs = spec['dependencies'];
        return {
            id,
            name: typeof spec['name'] === 'string' ? spec['name'] : null,
            executor,
            what: whatOf(executor, executor === null ? undefined : spec[executor]),
            dependencies: Array.isArray(needs) ? needs.filter((one): one is string => typeof one === 'string') : [],
            when: typeof spec['when'] === 'string' ? spec['when'] : null,
            isFinally,
            spec,
        };
    });
}

export const tasksOf = (spec: Json): DefinedTask[] => (isMap(spec) ? [...tasksIn(spec['tasks'], false), ...tasksIn(spec['finally'], true)] : []);

/** The level of each: behind all that it waits for. One in a ring, which only a draft has, stays where it was reached. */
function levelsOf(tasks: readonly DefinedTask[]): Map<string, number> {
    const levels = new Map<string, number>();
    const byId = new Map(tasks.map((task) => [task.id, task]));
    const walk = (task: DefinedTask): void => {
        // Without recursion: a chain may have thousands.
        const path: { task: DefinedTask; next: number }[] = [{ task, next: 0 }];
        levels.set(task.id, 0);
        while (path.length > 0) {
            const top = path.at(-1)!;
            const before = byId.get(top.task.dependencies[top.next++] ?? '');
            if (before && !levels.has(before.id)) {
                levels.set(before.id, 0);
                path.push({ task: before, next: 0 });
            } else if (top.next > top.task.dependencies.length) {
                const below = top.task.dependencies.map((id) => (byId.has(id) && id !== top.task.id ? levels.get(id)! + 1 : 0));
                levels.set(
                    top.task.id,
                    below.reduce((a, b) => Math.max(a, b), 0),
                );
                path.pop();
            }
        }
    };
    for (const task of tasks) if (!levels.has(task.id)) walk(task);
    return levels;
}

/** As rows of a run that has not begun, for the graph that draws runs. */
export function rowsOf(tasks: readonly DefinedTask[]): Task[] {
    const levels = levelsOf(tasks);
    const known = new Map(tasks.map((task) => [task.id, task]));
    return [...known.values()].map((task, task_no) => ({
        run_id: '',
        task_id: task.id,
        task_no,
        name: task.name,
        state: 'pending',
        executor: task.executor ?? '?',
        handler: null,
        queue: null,
        attempt: 0,
        max_attempts: 0,
        dependencies: [...new Set(task.dependencies)].filter((id) => known.has(id) && id !== task.id),
        error: null,
        worker: null,
        ready_at: null,
        started_at: null,
        finished_at: null,
        level: levels.get(task.id) ?? 0,
        is_finally: task.isFinally,
    }));
}
