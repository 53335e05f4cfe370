import { Handle, Position, ReactFlow, ReactFlowProvider, useReactFlow, type Edge, type Node, type NodeProps } from '@xyflow/react';
import '@xyflow/react/dist/style.css';
import { createContext, memo, useContext, useEffect, useMemo, useRef, useState, useSyncExternalStore } from 'react';
import { useColours } from '../../app/theme';
import { Button, formatCount, Skeleton, StateSign, toneOf, wordOf } from '../../ui';
import css from './GraphView.module.css';
import { around, buildGraph, nodesDrawn, type Graph, type GraphNode } from './groups';
import { inColumns, type Positions, type Size } from './columns';
import { layOut } from './layout';
import type { RunModel } from './model';
import { loudest, mosaicWidth, packMosaic, taskAt } from './mosaic';
import { useTask, useVersion } from './useRun';

interface Shared {
    model: RunModel;
    chosen: string | null;
    onChoose: (task: string) => void;
    onToggle: (group: string) => void;
    onList: (group: GraphNode & { kind: 'group' }) => void;
    defined: boolean;
    down: boolean;
}
const Context = createContext<Shared | null>(null);

/** As wide as the longest name wants, within reason, and the same for all: columns of equal boxes read best. */
const widthOf = (graph: Graph, room: number): number =>
    Math.max(116, Math.min(220 + room, 62 + room + 7 * graph.nodes.reduce((most, node) => Math.max(most, node.kind === 'task' ? node.task.length : 0), 0)));
const sizeOf = (node: GraphNode, width: number): Size =>
    node.kind === 'task' ? { width, height: 34 } : { width: mosaicWidth + 18, height: 32 + packMosaic(node.tasks.length).height + 10 };

function Ports() {
    const { down } = useContext(Context)!;
    return (
        <>
            <Handle type="target" position={down ? Position.Top : Position.Left} isConnectable={false} />
            <Handle type="source" position={down ? Position.Bottom : Position.Right} isConnectable={false} />
        </>
    );
}

const TaskBox = memo(function TaskBox({ data }: NodeProps<Node<{ node: GraphNode & { kind: 'task' } }>>) {
    const { model, chosen, onChoose, defined } = useContext(Context)!;
    const task = useTask(model, data.node.task);
    const state = task?.state ?? 'pending';
    return (
        <>
            <button
                type="button"
                className={css.node}
                data-state={defined ? undefined : state}
                data-chosen={chosen === data.node.task}
                data-task={data.node.task}
                title={defined ? (task?.name ?? data.node.task) : `${data.node.task}: ${wordOf(state)}`}
                onClick={() => onChoose(data.node.task)}
            >
                {!defined && <StateSign state={state} />}
                <span className={`${css.name} truncate`}>{data.node.task}</span>
                {defined && <span className={css.tries}>{task?.executor}</span>}
                {task && task.attempt > 1 && <span className={css.tries}>×{task.attempt}</span>}
            </button>
            <Ports />
        </>
    );
});

const GroupBox = memo(function GroupBox({ data }: NodeProps<Node<{ node: GraphNode & { kind: 'group' } }>>) {
    const { model, chosen, onChoose, onToggle, onList, defined } = useContext(Context)!;
    const { node } = data;
    const canvas = useRef<HTMLCanvasElement>(null);
    const mosaic = useMemo(() => packMosaic(node.tasks.length), [node]);
    const version = useVersion(model);
    const theme = useColours();
    const whole = useMemo(() => loudest(node.tasks.map((id) => model.task(id)?.state ?? 'pending')), [model, node, version]);
    useEffect(() => {
        const element = canvas.current!;
        const ratio = Math.min(3, window.devicePixelRatio || 1);
        element.width = mosaicWidth * ratio;
        element.height = mosaic.height * ratio;
        const context = element.getContext('2d')!;
        context.scale(ratio, ratio);
        const style = getComputedStyle(document.documentElement);
        const colours = new Map<string, string>();
        const colourOf = (state: string): string => {
            let found = colours.get(state);
            // What has not begun and what was left out is ground.
            if (!found)
                colours.set(
                    state,
                    (found = style.getPropertyValue(
                        state === 'pending' || state === 'skipped' || state === 'cancelled' ? '--line-strong' : `--${toneOf(state)}`,
                    )),
                );
            return found;
        };
        const cells = Math.ceil(node.tasks.length / mosaic.perCell);
        for (let i = 0; i < cells; i++) {
            const states = node.tasks.slice(i * mosaic.perCell, (i + 1) * mosaic.perCell).map((id) => model.task(id)?.state ?? 'pending');
            const state = states.length === 1 ? states[0]! : loudest(states);
            context.fillStyle = colourOf(state);
            context.globalAlpha = state === 'succeeded' ? 0.75 : 1;
            context.fillRect(
                (i % mosaic.columns) * mosaic.pitch,
                Math.floor(i / mosaic.columns) * mosaic.pitch,
                mosaic.pitch - mosaic.gap,
                mosaic.pitch - mosaic.gap,
            );
        }
    }, [model, node, mosaic, version, theme]);
    const opens = node.tasks.length <= nodesDrawn;
    return (
        <>
            <div className={css.group} data-chosen={chosen !== null && node.tasks.includes(chosen)}>
                <button
                    type="button"
                    className={css.groupHead}
                    title={opens ? 'Show its tasks one by one' : 'Show its tasks in the list'}
                    onClick={() => (opens ? onToggle(node.id) : onList(node))}
                >
                    {!defined && <StateSign state={whole} />}
                    <span className="truncate">{node.title}</span>
                    <span className="spacer" />
                    <span className={css.groupCount}>{formatCount(node.tasks.length)}</span>
                </button>
                <canvas
                    ref={canvas}
                    className={css.mosaic}
                    style={{ width: mosaicWidth, height: mosaic.height }}
                    role="img"
                    aria-label={`${node.tasks.length} tasks, ${wordOf(whole)}`}
                    onClick={(event) => {
                        const box = event.currentTarget.getBoundingClientRect();
                        const scale = mosaicWidth / box.width;
                        const at = taskAt(mosaic, node.tasks.length, (event.clientX - box.left) * scale, (event.clientY - box.top) * scale);
                        if (at >= 0) onChoose(node.tasks[at]!);
                    }}
                />
            </div>
            <Ports />
        </>
    );
});

// Not by their own names: the library has styles of its own for some.
const nodeTypes = { taskBox: TaskBox, groupBox: GroupBox };

interface GraphViewProps {
    model: RunModel;
    chosen: string | null;
    onChoose: (task: string | null) => void;
    /** A group that is too large to be drawn task by task. */
    onList: (search: string) => void;
    /** Of a definition: nothing has a state, and what a task is done by stands in the place of its sign. */
    defined?: boolean;
    /** From top to bottom, for where it is higher than wide. */
    down?: boolean;
}

function Inner({ model, chosen, onChoose, onList, defined = false, down = false }: GraphViewProps) {
    const shape = useSyncExternalStore(model.subscribe, () => model.shape);
    const complete = useSyncExternalStore(model.subscribe, () => model.complete);
    const [open, setOpen] = useState<ReadonlySet<string>>(new Set());
    const [near, setNear] = useState(false);
    const [laid, setLaid] = useState<{ graph: Graph; at: Positions; what: string } | null>(null);
    const flow = useReactFlow();
    const room = defined ? 40 : 0;
    const focus = near ? chosen : null;
    const graph = useMemo(() => {
        if (!complete || model.tasks.length === 0) return null;
        return focus === null ? buildGraph(model.tasks, open) : buildGraph(around(model.tasks, focus));
    }, [model, shape, complete, open, focus]);

    useEffect(() => {
        if (!graph) return;
        let stale = false;
        const width = widthOf(graph, room);
        const sizes = new Map(graph.nodes.map((node) => [node.id, sizeOf(node, width)]));
        const stand = (at: Positions, quick: boolean): void => void (stale || setLaid({ graph, at, what: `${what}/${quick}` }));
        const what = `${focus ?? ''}/${[...open].join()}`;
        const instead = setTimeout(() => stand(inColumns(graph, sizes, down), true), 400);
        layOut(graph, sizes, down)
            .then(
                (at) => stand(at, false),
                () => stand(inColumns(graph, sizes, down), true),
            )
            .finally(() => clearTimeout(instead));
        return () => {
            stale = true;
            clearTimeout(instead);
        };
    }, [graph, down]);

    const fit = (): void => void flow.fitView({ padding: 0.08, maxZoom: 1, duration: 0 });
    const whatIsShown = laid?.what ?? null;
    useEffect(() => {
        if (whatIsShown === null) return;
        // Behind the frame in which the nodes get their places.
        let frame = requestAnimationFrame(() => (frame = requestAnimationFrame(fit)));
        return () => cancelAnimationFrame(frame);
        // Only when something else is shown: a graph that grows stays where it was moved to.
    }, [whatIsShown]);

    // A definition stands still: it is shown whole in whatever room there is.
    const box = useRef<HTMLDivElement>(null);
    useEffect(() => {
        if (!defined) return;
        const observer = new ResizeObserver(() => requestAnimationFrame(fit));
        observer.observe(box.current!);
        return () => observer.disconnect();
    }, [defined]);

    const nodes = useMemo<Node[]>(
        () =>
            (laid?.graph.nodes ?? []).map((node) => {
                const size = sizeOf(node, widthOf(laid!.graph, room));
                return {
                    id: node.id,
                    type: `${node.kind}Box`,
                    position: laid!.at.get(node.id) ?? { x: 0, y: 0 },
                    data: { node },
                    // What can be neither moved nor selected gets no clicks otherwise.
                    style: { pointerEvents: 'all' },
                    ...size,
                    initialWidth: size.width,
                    initialHeight: size.height,
                };
            }),
        [laid],
    );
    const chosenNode = useMemo(
        () => (chosen === null ? undefined : laid?.graph.nodes.find((node) => (node.kind === 'task' ? node.task === chosen : node.tasks.includes(chosen)))?.id),
        [laid, chosen],
    );
    const edges = useMemo<Edge[]>(
        () =>
            (laid?.graph.edges ?? []).map((edge) => ({
                id: edge.id,
                source: edge.from,
                target: edge.to,
                className: edge.from === chosenNode || edge.to === chosenNode ? 'near' : edge.after ? 'after' : undefined,
                focusable: false,
            })),
        [laid, chosenNode],
    );
    const shared = useMemo<Shared>(
        () => ({
            model,
            chosen,
            onChoose,
            onToggle: (group) => setOpen((before) => new Set([...before, group])),
            onList: (group) => onList(group.title.includes('#') ? group.title.split('#')[0]! : ''),
            defined,
            down,
        }),
        [model, chosen, onChoose, onList, defined, down],
    );

    return (
        <div ref={box} className={css.graph} role="region" aria-label="Graph of the tasks; the list of tasks tells the same">
            {laid ? (
                <Context value={shared}>
                    <ReactFlow
                        nodes={nodes}
                        edges={edges}
                        nodeTypes={nodeTypes}
                        onlyRenderVisibleElements
                        nodesDraggable={false}
                        nodesConnectable={false}
                        nodesFocusable={false}
                        edgesFocusable={false}
                        elementsSelectable={false}
                        deleteKeyCode={null}
                        selectionKeyCode={null}
                        multiSelectionKeyCode={null}
                        disableKeyboardA11y
                        minZoom={0.04}
                        maxZoom={2}
                        fitView
                        fitViewOptions={{ padding: 0.08, maxZoom: 1 }}
                        proOptions={{ hideAttribution: true }}
                        onPaneClick={() => onChoose(null)}
                    />
                </Context>
            ) : (
                <div style={{ padding: 16 }}>
                    <Skeleton width="40%" height={14} />
                </div>
            )}
            <div className={css.tools}>
                {laid && (laid.graph.grouped || near) && chosen !== null && (
                    <Button small aria-pressed={near} onClick={() => setNear(!near)}>
                        {near ? 'Whole graph' : 'Around the chosen task'}
                    </Button>
                )}
                {open.size > 0 && !near && (
                    <Button small onClick={() => setOpen(new Set())}>
                        Fold groups
                    </Button>
                )}
                <Button small icon="fit" aria-label="Show all of it" onClick={fit} />
            </div>
            {laid?.graph.grouped && !near && (
                <p className={css.about}>
                    {formatCount(model.tasks.length)} tasks in {formatCount(laid.graph.nodes.length)} groups. A square is a task.
                </p>
            )}
        </div>
    );
}

export function GraphView(props: GraphViewProps) {
    return (
        <ReactFlowProvider>
            <Inner {...props} />
        </ReactFlowProvider>
    );
}
