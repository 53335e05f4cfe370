import { describe, expect, it } from 'vitest';
import { around, buildGraph, stemOf } from '../src/pages/run/groups';
import { inColumns } from '../src/pages/run/columns';

const task = (task_id: string, task_no: number, level: number, dependencies: string[] = [], is_finally = false) => ({
    task_id,
    task_no,
    level,
    dependencies,
    is_finally,
    executor: 'noop',
    handler: null,
});

const wide = (count: number) => [
    task('plan', 0, 0),
    ...Array.from({ length: count }, (_, i) => task(`load_${i}`, i + 1, 1, ['plan'])),
    task(
        'join',
        count + 1,
        2,
        Array.from({ length: count }, (_, i) => `load_${i}`),
    ),
];

describe('the graph', () => {
    it('draws each task where there are few', () => {
        const graph = buildGraph(wide(3));
        expect(graph.grouped).toBe(false);
        expect(graph.nodes.map((node) => node.id)).toEqual(['t:plan', 't:load_0', 't:load_1', 't:load_2', 't:join']);
        expect(graph.edges).toHaveLength(6);
    });

    it('makes one node of those that stand for the same, and one edge of all theirs', () => {
        const graph = buildGraph(wide(10_000));
        expect(graph.nodes).toHaveLength(3);
        const group = graph.nodes.find((node) => node.kind === 'group')!;
        expect(group).toMatchObject({ title: 'load_#', level: 1, lastLevel: 1 });
        expect(graph.edges.map((edge) => [edge.from, edge.to, edge.count])).toEqual([
            ['t:plan', group.id, 10_000],
            [group.id, 't:join', 10_000],
        ]);
    });

    it('draws the tasks of a group that is opened', () => {
        const tasks = [...wide(150), ...Array.from({ length: 20 }, (_, i) => task(`mail_${i}`, 200 + i, 3, ['join']))];
        const folded = buildGraph(tasks);
        const mail = folded.nodes.find((node) => node.kind === 'group' && node.title === 'mail_#')!;
        const opened = buildGraph(tasks, new Set([mail.id]));
        expect(opened.nodes.filter((node) => node.kind === 'task' && node.task.startsWith('mail_'))).toHaveLength(20);
        expect(opened.nodes).toHaveLength(folded.nodes.length + 19);
    });

    it('stays small whatever the names and however long the chain', () => {
        const words = Array.from({ length: 9000 }, (_, i) =>
            task(
                `t${i}`.replace(/\d/g, (d) => 'abcdefghij'[Number(d)]!),
                i,
                i % 30,
            ),
        );
        expect(buildGraph(words).nodes.length).toBeLessThanOrEqual(30);
        const chain = Array.from({ length: 10_000 }, (_, i) => task(`step${i}`, i, i, i > 0 ? [`step${i - 1}`] : []));
        const graph = buildGraph(chain);
        expect(graph.nodes.length).toBeLessThanOrEqual(120);
        expect(graph.edges).toHaveLength(graph.nodes.length - 1);
        expect(graph.nodes.reduce((sum, node) => sum + (node.kind === 'group' ? node.tasks.length : 1), 0)).toBe(10_000);
    });

    it('puts finally tasks behind all others', () => {
        const graph = buildGraph([task('a', 0, 0), task('b', 1, 1, ['a']), task('clean', 2, 0, [], true)]);
        expect(graph.edges).toContainEqual({ id: 't:b>t:clean', from: 't:b', to: 't:clean', count: 0, after: true });
    });

    it('survives a dependency on what is not there yet', () => {
        expect(buildGraph([task('b', 1, 1, ['gone'])]).edges).toEqual([]);
    });
});

it('takes numbers and dates for the same', () => {
    expect([stemOf('shard_0017'), stemOf('load-2026-01-31'), stemOf('each[3]'), stemOf('total')]).toEqual(['shard_#', 'load-#', 'each[#]', 'total']);
});

it('finds the nearest tasks around one, and not more than asked for', () => {
    const tasks = wide(500);
    expect(around(tasks, 'load_7', 80).map((one) => one.task_id)).toEqual(expect.arrayContaining(['plan', 'load_7', 'join']));
    const few = around(tasks, 'join', 80).map((one) => one.task_id);
    expect(few.length).toBeLessThanOrEqual(80);
    expect(few).toEqual(expect.arrayContaining(['plan', 'join', 'load_0']));
    expect(around(tasks, 'nothing')).toEqual([]);
});

it('stands in columns of its levels, finally behind all, none upon another', () => {
    const graph = buildGraph([task('a', 0, 0), task('b', 1, 1, ['a']), task('c', 2, 1, ['a']), task('clean', 3, 0, [], true)]);
    const at = inColumns(graph, new Map(graph.nodes.map((node) => [node.id, { width: 100, height: 30 }])));
    expect(at.get('t:a')!.x).toBeLessThan(at.get('t:b')!.x);
    expect(at.get('t:b')!.x).toBe(at.get('t:c')!.x);
    expect(at.get('t:clean')!.x).toBeGreaterThan(at.get('t:c')!.x);
    expect(Math.abs(at.get('t:b')!.y - at.get('t:c')!.y)).toBeGreaterThanOrEqual(30);
});
