import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useCallback, useEffect, useMemo, useRef, useState } from 'react';
import { Link, useLocation, useSearchParams } from 'wouter';
import type { Run, Workflow } from '../../api/types';
import { useMay } from '../../app/session';
import { useFeed } from '../../app/useFeed';
import { LoadDemo } from '../../demo/LoadDemo';
import {
    Button,
    Empty,
    Failure,
    FilterInput,
    formatCount,
    formatDuration,
    Icon,
    PageBody,
    PageHead,
    Panel,
    SkeletonRows,
    StateSign,
    Table,
    Time,
    toneOf,
    wordOf,
    type Column,
} from '../../ui';
import { runEventKinds } from '../runEvents';
import { activity, workflowList, workflowPath, type Activity } from './queries';
import { TriggerDialog } from './TriggerDialog';
import { DropZone, UploadDialog } from './Upload';
import css from './workflows.module.css';

interface Row extends Workflow {
    activity: Activity | undefined;
}

type Order = 'name' | 'last';

/** The last runs, the newest at the right: a line each, in the tone of its state, as high as it took long among them. */
export function Recent({ latest }: { latest: readonly Pick<Run, 'run_id' | 'state' | 'created_at' | 'started_at' | 'finished_at'>[] }) {
    const took = latest.map((run) => (run.started_at && run.finished_at ? Date.parse(run.finished_at) - Date.parse(run.started_at) : null));
    const most = Math.max(1, ...took.map((ms) => ms ?? 0));
    return (
        <span className={css.recent}>
            {latest
                .map((run, i) => (
                    <Link
                        key={run.run_id}
                        href={`/runs/${run.run_id}`}
                        tabIndex={-1}
                        aria-label={`Run of ${run.created_at}, ${wordOf(run.state)}`}
                        title={`${wordOf(run.state)}${took[i] === null ? '' : `, ${formatDuration(took[i]! / 1000)}`}`}
                        style={
                            {
                                '--tone': `var(--${toneOf(run.state)})`,
                                '--high': took[i] === null ? 1 : Math.max(0.25, Math.sqrt(took[i]! / most)),
                            } as React.CSSProperties
                        }
                    />
                ))
                .reverse()}
        </span>
    );
}

const shown = [
    ['running', 'Running'],
    ['succeeded', 'Succeeded'],
    ['failed', 'Failed'],
] as const;
const alike: Partial<Record<string, readonly (keyof Activity['states'])[]>> = {
    running: ['running', 'queued', 'scheduled', 'paused', 'cancelling'],
    failed: ['failed', 'timed_out'],
};

function columnsOf(order: Order, onOrder: (order: Order) => void): Column<Row>[] {
    return [
        {
            id: 'workflow',
            title: 'Workflow',
            width: 'minmax(150px, 2.2fr)',
            onSort: () => onOrder('name'),
            sorted: order === 'name' ? 'ascending' : undefined,
            cell: (one) => (
                <span className={css.two}>
                    <span className={css.first}>
                        <span className="truncate">{one.workflow}</span>
                        {one.paused && <span className={css.paused}>paused</span>}
                    </span>
                    <span className={css.second}>{one.name ?? one.description ?? ' '}</span>
                </span>
            ),
        },
        {
            id: 'recent',
            title: 'Last runs',
            width: '148px',
            wide: true,
            cell: (one) => (one.activity ? <Recent latest={one.activity.latest} /> : <span className="faint">none lately</span>),
        },
        ...shown.map(([state, title]): Column<Row> => ({
            id: state,
            title,
            width: '84px',
            align: 'right',
            wide: state !== 'running',
            cell: (one) => {
                const count = (alike[state] ?? [state]).reduce((sum, each) => sum + (one.activity?.states[each] ?? 0), 0);
                return count === 0 ? (
                    <span className="faint">–</span>
                ) : (
                    <Link href={`/runs?workflow=${encodeURIComponent(one.workflow)}&state=${state}`} className={css.count}>
                        <StateSign state={state} size={11} />
                        {formatCount(count)}
                    </Link>
                );
            },
        })),
        {
            id: 'last',
            title: 'Last run',
            width: '96px',
            align: 'right',
            onSort: () => onOrder('last'),
            sorted: order === 'last' ? 'descending' : undefined,
            cell: (one) => (
                <span className="muted">
                    <Time at={one.activity?.latest[0]?.created_at} />
                </span>
            ),
        },
        { id: 'version', title: 'Version', width: '72px', align: 'right', wide: true, cell: (one) => <span className="muted">{one.version}</span> },
        { id: 'owner', title: 'Owner', width: 'minmax(70px, 0.8fr)', wide: true, cell: (one) => <span className="muted">{one.owner}</span> },
    ];
}

/** Whether each word is in its name, label, owner or tags. */
const has = (one: Workflow, words: readonly string[]): boolean => {
    const text = [one.workflow, one.name, one.owner, one.description, JSON.stringify(one.tags ?? '')].join(' ').toLowerCase();
    return words.every((word) => text.includes(word));
};

/** The counts are asked for again once events have come, not more often than each three seconds. */
function useLiveActivity(): void {
    const client = useQueryClient();
    const timer = useRef<ReturnType<typeof setTimeout> | undefined>(undefined);
    const onEvents = useCallback(() => {
        timer.current ??= setTimeout(() => {
            timer.current = undefined;
            void client.invalidateQueries({ queryKey: activity.queryKey });
        }, 3000);
    }, [client]);
    useEffect(() => () => clearTimeout(timer.current), []);
    useFeed({ path: '/events', query: { kind: runEventKinds.join() }, onEvents, onResume: onEvents });
}

export default function Workflows() {
    const [address, setAddress] = useSearchParams();
    const [, navigate] = useLocation();
    const text = address.get('search') ?? '';
    const order: Order = address.get('order') === 'last' ? 'last' : 'name';
    const admin = useMay('admin');
    const operator = useMay('operator');
    const workflows = useQuery(workflowList);
    const counts = useQuery(activity);
    const [files, setFiles] = useState<File[] | null>(null);
    const [triggered, setTriggered] = useState<string | null>(null);
    const [demo, setDemo] = useState(false);
    useLiveActivity();
    const set = useCallback(
        (name: string, value: string) =>
            setAddress(
                (before) => {
                    const next = new URLSearchParams(before);
                    if (value) next.set(name, value);
                    else next.delete(name);
                    return next;
                },
                { replace: true },
            ),
        [setAddress],
    );
    const rows = useMemo<Row[]>(() => {
        const by = new Map((counts.data ?? []).map((one) => [one.workflow, one]));
        const words = text.toLowerCase().split(/\s+/).filter(Boolean);
        const found = (workflows.data ?? []).filter((one) => has(one, words)).map((one) => ({ ...one, activity: by.get(one.workflow) }));
        const last = (one: Row): string => one.activity?.latest[0]?.created_at ?? '';
        return order === 'last' ? found.sort((a, b) => last(b).localeCompare(last(a))) : found;
    }, [workflows.data, counts.data, text, order]);
    const columns = useMemo<Column<Row>[]>(
        () => [
            ...columnsOf(order, (to) => set('order', to === 'name' ? '' : to)),
            ...(operator
                ? [
                      {
                          id: 'trigger',
                          title: <span className="sr-only">Trigger</span>,
                          width: '44px',
                          align: 'right' as const,
                          cell: (one: Row) => (
                              <Button kind="plain" small icon="runs" aria-label={`Trigger ${one.workflow}`} onClick={() => setTriggered(one.workflow)} />
                          ),
                      },
                  ]
                : []),
        ],
        [order, set, operator],
    );
    return (
        <>
            <PageHead
                title="Workflows"
                note={workflows.data && workflows.data.length > 0 ? formatCount(workflows.data.length) : undefined}
                actions={
                    admin && (
                        <>
                            <Button icon="upload" onClick={() => setFiles([])}>
                                Upload
                            </Button>
                            <Button kind="primary" icon="plus" onClick={() => navigate('/new-workflow')}>
                                New workflow
                            </Button>
                        </>
                    )
                }
            />
            <PageBody fill>
                <div className={css.bar}>
                    <div className={css.search}>
                        <Icon name="search" size={14} />
                        <FilterInput label="Name, label, owner or tag" value={text} onChange={(value) => set('search', value)} />
                    </div>
                </div>
                <Panel className={css.fills}>
                    {workflows.isPending ? (
                        <SkeletonRows count={10} />
                    ) : workflows.isError ? (
                        <Failure error={workflows.error} onRetry={() => void workflows.refetch()} />
                    ) : (
                        <Table
                            label="Workflows"
                            rows={rows}
                            columns={columns}
                            rowKey={(one) => one.workflow}
                            rowHeight={48}
                            onOpen={(one) => navigate(workflowPath(one.workflow))}
                            autoFocus
                            empty={
                                text ? (
                                    <Empty
                                        icon="search"
                                        title="No workflow is called so"
                                        actions={<Button onClick={() => set('search', '')}>Show all</Button>}
                                    />
                                ) : (
                                    <Empty
                                        icon="workflows"
                                        title="No workflow yet"
                                        actions={
                                            admin && (
                                                <>
                                                    <Button kind="primary" icon="plus" onClick={() => navigate('/new-workflow')}>
                                                        Write one
                                                    </Button>
                                                    <Button onClick={() => setFiles([])}>Upload files</Button>
                                                    <Button onClick={() => setDemo(true)}>Load the demo</Button>
                                                </>
                                            )
                                        }
                                    >
                                        {admin
                                            ? 'Write a definition here, drop JSON or YAML files anywhere on this page, or look at how it works with the demo.'
                                            : 'An administrator’s token can store one.'}
                                    </Empty>
                                )
                            }
                        />
                    )}
                </Panel>
            </PageBody>
            {admin && <DropZone onFiles={setFiles} />}
            {files && <UploadDialog files={files} onFiles={setFiles} onClose={() => setFiles(null)} />}
            {triggered && <TriggerDialog workflow={triggered} onClose={() => setTriggered(null)} />}
            {demo && <LoadDemo onClose={() => setDemo(false)} />}
        </>
    );
}
