// A graph of any size made small enough to be drawn: tasks that stand for the same thing in the same place become one group, whose edges stand for all theirs.
import type { Task } from '../../api/types';

export interface TaskNode {
    kind: 'task';
    id: string;
    task: string;
    level: number;
}
export interface GroupNode {
    kind: 'group';
    id: string;
    title: string;
    level: number;
    lastLevel: number;
    /** Ids of its tasks, in their order. */
    tasks: string[];
}
export type GraphNode = TaskNode | GroupNode;

export interface GraphEdge {
    id: string;
    from: string;
    to: string;
    /** How many dependencies it stands for. */
    count: number;
    /** No dependency: what is under finally begins when all else is over. */
    after?: boolean;
}

export interface Graph {
    nodes: GraphNode[];
    edges: GraphEdge[];
    grouped: boolean;
}

type Shape = Pick<Task, 'task_id' | 'task_no' | 'dependencies' | 'level' | 'executor' | 'handler' | 'is_finally'>;

/** `shard_0017` and `shard_0018` are the same thing; so are `load-2026-01-31` and `load-2026-02-01`, and the elements of a map, `each[3]`. */
export const stemOf = (id: string): string => id.replace(/\d+/g, '#').replace(/#(?:[-_.:]#)+/g, '#');

/** Up to so many nodes each task is drawn by itself. */
export const nodesDrawn = 160;
const groupsDrawn = 120;

export function buildGraph(tasks: readonly Shape[], open: ReadonlySet<string> = new Set(), most = nodesDrawn): Graph {
    if (tasks.length <= most) {
        const nodes = tasks.map((one): TaskNode => ({ kind: 'task', id: `t:${one.task_id}`, task: one.task_id, level: one.level ?? 0 }));
        return { nodes, edges: edgesOf(tasks, new Map(nodes.map((node) => [node.task, node.id]))), grouped: false };
    }
    let keyOf = (one: Shape): string => `${one.is_finally ? 'f' : ''}${one.level ?? 0}/${stemOf(one.task_id)}`;
    const distinct = (): number => new Set(tasks.map(keyOf)).size;
    if (distinct() > groupsDrawn) {
        keyOf = (one) => `${one.is_finally ? 'f' : ''}${one.level ?? 0}`;
        if (distinct() > groupsDrawn) {
            // Long and thin: bands of levels.
            const levels = Math.max(...tasks.map((one) => one.level ?? 0)) + 1;
            const band = Math.ceil(levels / groupsDrawn);
            keyOf = (one) => `${one.is_finally ? 'f' : ''}band ${Math.floor((one.level ?? 0) / band)}`;
        }
    }
    const groups = new Map<string, Shape[]>();
    for (const one of tasks) {
        const key = keyOf(one);
        const members = groups.get(key);
        if (members) members.push(one);
        else groups.set(key, [one]);
    }
    const nodes: GraphNode[] = [];
    const nodeOf = new Map<string, string>();
    for (const [key, members] of groups) {
        const alone = members.length === 1 || (open.has(`g:${key}`) && members.length <= most);
        if (alone) {
            for (const one of members) {
                nodes.push({ kind: 'task', id: `t:${one.task_id}`, task: one.task_id, level: one.level ?? 0 });
                nodeOf.set(one.task_id, `t:${one.task_id}`);
            }
            continue;
        }
        const levels = members.map((one) => one.level ?? 0);
        const first = levels.reduce((a, b) => Math.min(a, b));
        const last = levels.reduce((a, b) => Math.max(a, b));
        const stems = new Set(members.map((one) => stemOf(one.task_id)));
        const title = stems.size === 1 ? [...stems][0]! : first === last ? `level ${first}` : `levels ${first} to ${last}`;
        nodes.push({ kind: 'group', id: `g:${key}`, title, level: first, lastLevel: last, tasks: members.map((one) => one.task_id) });
        for (const one of members) nodeOf.set(one.task_id, `g:${key}`);
    }
    return { nodes, edges: edgesOf(tasks, nodeOf), grouped: true };
}

function edgesOf(tasks: readonly Shape[], nodeOf: ReadonlyMap<string, string>): GraphEdge[] {
    const edges = new Map<string, GraphEdge>();
    for (const one of tasks) {
        const to = nodeOf.get(one.task_id)!;
        for (const dependency of one.dependencies) {
            const from = nodeOf.get(dependency);
            if (from === undefined || from === to) continue;
            const id = `${from}>${to}`;
            const known = edges.get(id);
            if (known) known.count++;
            else edges.set(id, { id, from, to, count: 1 });
        }
    }
    addFinally(tasks, nodeOf, edges);
    return [...edges.values()];
}

function addFinally(tasks: readonly Shape[], nodeOf: ReadonlyMap<string, string>, edges: Map<string, GraphEdge>): void {
    const finals = new Set(tasks.filter((one) => one.is_finally).map((one) => nodeOf.get(one.task_id)!));
    if (finals.size === 0) return;
    const from = new Set<string>();
    const to = new Set<string>();
    for (const edge of edges.values()) {
        from.add(edge.from);
        to.add(edge.to);
    }
    const lasts = new Set([...nodeOf.values()].filter((node) => !finals.has(node) && !from.has(node)));
    const firsts = [...finals].filter((node) => !to.has(node));
    if (lasts.size * firsts.length > 40) return;
    for (const last of lasts)
        for (const first of firsts) edges.set(`${last}>${first}`, { id: `${last}>${first}`, from: last, to: first, count: 0, after: true });
}

/** The tasks around one: what it hangs on and what hangs on it, the nearest first, at most so many. */
export function around<T extends Shape>(tasks: readonly T[], id: string, most = 32): T[] {
    const byId = new Map(tasks.map((one) => [one.task_id, one]));
    const after = new Map<string, T[]>();
    for (const one of tasks)
        for (const dependency of one.dependencies) {
            const all = after.get(dependency);
            if (all) all.push(one);
            else after.set(dependency, [one]);
        }
    const middle = byId.get(id);
    if (!middle) return [];
    const found = new Set<T>([middle]);
    let upper: T[] = [middle];
    let lower: T[] = [middle];
    while ((upper.length > 0 || lower.length > 0) && found.size < most) {
        const step = (from: readonly T[], next: (one: T) => readonly (T | undefined)[]): T[] => {
            const made: T[] = [];
            for (const one of from)
                for (const other of next(one)) {
                    if (!other || found.has(other) || found.size >= most || made.length >= most / 2) continue;
                    found.add(other);
                    made.push(other);
                }
            return made;
        };
        upper = step(upper, (one) => one.dependencies.map((dependency) => byId.get(dependency)));
        lower = step(lower, (one) => after.get(one.task_id) ?? []);
    }
    return [...found].sort((a, b) => a.task_no - b.task_no);
}
