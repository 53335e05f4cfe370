// What a definition says, as far as it is drawn and told: tasks, what each is done by, and what it waits for. A draft may say anything.
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

type Map = { [name: string]: Json };
const isMap = (value: Json | undefined): value is Map => typeof value === 'object' && value !== null && !Array.isArray(value);
const text = (value: Json | undefined): string => (typeof value === 'string' ? value : value === undefined || value === null ? '' : JSON.stringify(value));

function whatOf(executor: string | null, value: Json | undefined): string {
    if (executor === null || executor === 'noop' || executor === 'approval') return '';
    if (executor === 'decision' && isMap(value)) return [value['left'], value['op'], value['right']].map(text).join(' ');
    if (executor === 'http' && isMap(value)) return isMap(value['llm']) ? text(value['llm']['model']) : `${text(value['method']) || 'GET'} ${text(value['url'])}`;
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

/** Those that are there, each once; a finally task that waits for none comes behind the last of the others. */
export function edgesOf(tasks: readonly DefinedTask[]): { from: string; to: string }[] {
    const known = new Set(tasks.map((task) => task.id));
    const edges = tasks.flatMap((task) => [...new Set(task.dependencies)].filter((from) => known.has(from) && from !== task.id).map((from) => ({ from, to: task.id })));
    const before = new Set(edges.map((edge) => edge.from));
    const last = tasks.filter((task) => !task.isFinally && !before.has(task.id));
    // With very many ends a line from each would hide more than it shows.
    const ends = last.length <= 12 ? last : [];
    const behind = tasks.filter((task) => task.isFinally && task.dependencies.length === 0);
    return [...edges, ...behind.flatMap((task) => ends.map((end) => ({ from: end.id, to: task.id })))];
}
