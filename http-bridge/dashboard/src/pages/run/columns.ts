// A layout without a search: a column a level, each in the middle. It stands until that of elkjs is there, where that takes long.
import type { Graph } from './groups';

export interface Size {
    width: number;
    height: number;
}
export type Positions = Map<string, { x: number; y: number }>;

const betweenColumns = 44;
const betweenNodes = 16;

/** `down`: in rows, each below the one before. */
export function inColumns(graph: Graph, sizes: ReadonlyMap<string, Size>, down = false): Positions {
    if (down) {
        const turned = new Map([...sizes].map(([id, { width, height }]) => [id, { width: height, height: width }]));
        return new Map([...inColumns(graph, turned)].map(([id, { x, y }]) => [id, { x: y, y: x }]));
    }
    const behind = new Set(graph.edges.filter((edge) => edge.after).map((edge) => edge.to));
    const last = graph.nodes.reduce((most, node) => Math.max(most, node.level), 0);
    const columns = new Map<number, Graph['nodes']>();
    for (const node of graph.nodes) {
        const level = behind.has(node.id) ? last + 1 + node.level : node.level;
        const column = columns.get(level);
        if (column) column.push(node);
        else columns.set(level, [node]);
    }
    const at: Positions = new Map();
    let x = 0;
    for (const [, nodes] of [...columns].sort(([a], [b]) => a - b)) {
        const height = nodes.reduce((sum, node) => sum + sizes.get(node.id)!.height + betweenNodes, -betweenNodes);
        let y = -height / 2;
        for (const node of nodes) {
            at.set(node.id, { x, y });
            y += sizes.get(node.id)!.height + betweenNodes;
        }
        x += nodes.reduce((most, node) => Math.max(most, sizes.get(node.id)!.width), 0) + betweenColumns;
    }
    return at;
}
