// Where nodes stand: elkjs in a worker of its own, so that the page never waits for it.
import ELK, { type ElkNode } from 'elkjs/lib/elk-api.js';
import workerUrl from 'elkjs/lib/elk-worker.min.js?url';
import type { Positions, Size } from './columns';
import type { Graph } from './groups';

// Its script is large: the worker reads it while the rows of the run are on their way.
const elk = new ELK({ workerFactory: () => new Worker(workerUrl) });

const options = {
    'elk.algorithm': 'layered',
    'elk.direction': 'RIGHT',
    'elk.layered.spacing.nodeNodeBetweenLayers': '44',
    'elk.spacing.nodeNode': '16',
    'elk.layered.spacing.edgeNodeBetweenLayers': '16',
    'elk.layered.nodePlacement.strategy': 'BRANDES_KOEPF',
    'elk.layered.nodePlacement.bk.fixedAlignment': 'BALANCED',
    'elk.layered.considerModelOrder.strategy': 'NODES_AND_EDGES',
    'elk.separateConnectedComponents': 'true',
    'elk.spacing.componentComponent': '40',
};

/** From left to right, or `down`. */
export async function layOut(graph: Graph, sizes: ReadonlyMap<string, Size>, down = false): Promise<Positions> {
    const known = new Set(graph.nodes.map((node) => node.id));
    const laid = await elk.layout({
        id: 'root',
        layoutOptions: down ? { ...options, 'elk.direction': 'DOWN' } : options,
        children: graph.nodes.map((node): ElkNode => ({ id: node.id, ...sizes.get(node.id)! })),
        edges: graph.edges
            .filter((edge) => known.has(edge.from) && known.has(edge.to))
            .map((edge) => ({ id: edge.id, sources: [edge.from], targets: [edge.to] })),
    });
    return new Map((laid.children ?? []).map((node) => [node.id, { x: node.x ?? 0, y: node.y ?? 0 }]));
}
