// What goes on now: from the metrics, which cost the same however many runs there have been.
import { useQuery } from '@tanstack/react-query';
import { lazy, Suspense, useCallback, useEffect, useMemo, useState } from 'react';
import { Link, useLocation } from 'wouter';
import { get } from '../api/client';
import { quantile, type Metrics } from '../api/metrics';
import type { Check, Event, Page, Queue, Run, Worker } from '../api/types';
import { useMay } from '../app/session';
import { useMetricsHistory } from '../app/metricsHistory';
import { useFeed, useFeedStatus } from '../app/useFeed';
import { Chart, type Series } from '../charts/Chart';
import { rates } from '../charts/rates';
import {
    Button,
    Duration,
    Empty,
    Failure,
    formatCount,
    formatDuration,
    Icon,
    PageBody,
    PageHead,
    Panel,
    Skeleton,
    SkeletonRows,
    StateBadge,
    StateSign,
    Time,
} from '../ui';
import { applyRunEvents } from './runEvents';
import { useQueryClient } from '@tanstack/react-query';
import css from './overview.module.css';

const LoadDemo = lazy(async () => ({ default: (await import('../demo/LoadDemo')).LoadDemo }));

const shown = 15 * 60_000;
const perSecond = (value: number): string =>
    value >= 100 ? formatCount(Math.round(value)) : value >= 10 ? value.toFixed(1) : value === 0 ? '0' : value.toFixed(2);

function Tile({
    label,
    state,
    value,
    sub,
    href,
    bad,
}: {
    label: string;
    state?: string;
    value: number | undefined;
    sub?: React.ReactNode;
    href?: string;
    bad?: boolean;
}) {
    const content = (
        <>
            <span className={css.label}>
                {state && <StateSign state={state} size={12} />}
                {label}
            </span>
            <span className={`${css.number} ${bad ? css.bad : ''}`}>{value === undefined ? <Skeleton width="3ch" height={18} /> : formatCount(value)}</span>
            <span className={css.sub}>{sub ?? ' '}</span>
        </>
    );
    return href ? (
        <Link href={href} className={css.tile}>
            {content}
        </Link>
    ) : (
        <div className={css.tile}>{content}</div>
    );
}

function Tiles({ now, minute }: { now: Metrics | undefined; minute: Metrics | undefined }) {
    const grown = (name: string, labels?: Record<string, string>): number | undefined =>
        now && minute && Math.max(0, now.sum(name, labels) - minute.sum(name, labels));
    const waiting = now && now.sum('orch_runs', { state: 'queued' }) + now.sum('orch_runs', { state: 'scheduled' });
    const ended = grown('orch_runs_finished_total');
    const failed =
        now && minute && (grown('orch_runs_finished_total', { state: 'failed' }) ?? 0) + (grown('orch_runs_finished_total', { state: 'timed_out' }) ?? 0);
    const letters = now?.sum('orch_dead_letters_open');
    const alive = now?.sum('orch_workers', { state: 'alive' });
    const lost = now?.sum('orch_workers', { state: 'lost' }) ?? 0;
    return (
        <div className={css.tiles}>
            <Tile
                label="Running runs"
                state="running"
                value={now?.sum('orch_runs', { state: 'running' })}
                sub={waiting === undefined ? null : `${formatCount(waiting)} queued or scheduled`}
                href="/runs?state=running"
            />
            <Tile
                label="Running tasks"
                state="running"
                value={now?.sum('orch_tasks', { state: 'running' })}
                sub={now && `${formatCount(now.sum('orch_tasks', { state: 'waiting' }))} wait for a word`}
            />
            <Tile
                label="Ready tasks"
                state="ready"
                value={now?.sum('orch_tasks', { state: 'ready' })}
                sub={now && `${formatCount(now.sum('orch_tasks', { state: 'scheduled' }))} will be tried again`}
                href="/queues"
            />
            <Tile
                label="Runs a minute"
                state="succeeded"
                value={ended}
                sub={failed === undefined ? null : failed > 0 ? `${formatCount(failed)} of them failed` : 'none of them failed'}
                href="/runs"
            />
            <Tile
                label="Dead letters"
                state={letters ? 'failed' : 'ok'}
                value={letters}
                bad={!!letters}
                sub={letters ? 'nobody has seen to' : 'none is open'}
                href="/dead-letters"
            />
            <Tile
                label="Workers"
                state={alive ? 'alive' : 'lost'}
                value={alive}
                bad={alive === 0}
                sub={now && (lost > 0 ? `${lost} lost` : `${formatCount(now.sum('orch_workers_waiting'))} wait for work`)}
                href="/workers"
            />
        </div>
    );
}

function Charts({ history }: { history: readonly Metrics[] }) {
    const end = history.at(-1)?.at ?? Date.now();
    // No wider than what is known, so that a tab that was just opened shows something.
    const known = end - (history.find((one) => one.at >= end - shown)?.at ?? end);
    const begin = end - Math.min(shown, Math.max(90_000, known));
    const recent = useMemo(() => history.filter((one) => one.at >= begin - 60_000), [history, begin]);
    const times = useMemo(() => recent.map((one) => one.at), [recent]);
    const throughput = useMemo<Series[]>(
        () => [
            { label: 'Tasks ended', tone: 'blue', area: true, values: rates(recent, (m) => m.sum('orch_tasks_finished_total')) },
            { label: 'Runs ended', tone: 'green', values: rates(recent, (m) => m.sum('orch_runs_finished_total')) },
        ],
        [recent],
    );
    const failures = useMemo<Series[]>(
        () => [
            {
                label: 'Failed runs',
                tone: 'red',
                area: true,
                values: rates(
                    recent,
                    (m) => m.sum('orch_runs_finished_total', { state: 'failed' }) + m.sum('orch_runs_finished_total', { state: 'timed_out' }),
                ),
            },
            { label: 'Retries', tone: 'amber', values: rates(recent, (m) => m.sum('orch_task_retries_total')) },
            { label: 'Lost leases', tone: 'violet', values: rates(recent, (m) => m.sum('orch_lease_expiries_total')) },
        ],
        [recent],
    );
    return (
        <div className={css.two}>
            <Panel title="Throughput" note="a second">
                <Chart label="Tasks and runs that ended, a second" times={times} series={throughput} range={[begin, end]} format={perSecond} />
            </Panel>
            <Panel title="Failures" note="a second">
                <Chart label="Failed runs, retries and lost leases, a second" times={times} series={failures} range={[begin, end]} format={perSecond} />
            </Panel>
        </div>
    );
}

function Queues() {
    const queues = useQuery({ queryKey: ['queues'], queryFn: ({ signal }) => get<Page<Queue>>('/queues', undefined, signal), refetchInterval: 5000 });
    if (queues.isPending) return <SkeletonRows count={3} />;
    if (queues.isError) return <Failure error={queues.error} onRetry={() => void queues.refetch()} />;
    if (queues.data.items.length === 0)
        return <Empty title="No queue has been used yet">A queue is there once a workflow names it or a worker serves it.</Empty>;
    const deepest = Math.max(1, ...queues.data.items.map((one) => one.ready));
    const sorted = [...queues.data.items].sort((a, b) => b.ready - a.ready || b.running - a.running).slice(0, 8);
    return (
        <div className={css.scrolls} tabIndex={0} role="group" aria-label="Queues">
            <table className={css.table}>
                <thead>
                    <tr>
                        <th className={css.grow}>Queue</th>
                        <th className={css.right}>Ready</th>
                        <th className={css.right}>Running</th>
                        <th className={css.right}>Oldest</th>
                        <th className={css.right}>Workers</th>
                    </tr>
                </thead>
                <tbody>
                    {sorted.map((one) => (
                        <tr key={`${one.tenant ?? ''}/${one.queue}`}>
                            <td className={css.grow}>{one.queue}</td>
                            <td className={css.right}>
                                {formatCount(one.ready)}
                                <span className={css.depth}>
                                    <i style={{ width: `${(100 * one.ready) / deepest}%` }} />
                                </span>
                            </td>
                            <td className={css.right}>{formatCount(one.running)}</td>
                            <td className={css.right}>{one.oldest_ready_at ? <Duration from={one.oldest_ready_at} /> : <span className="faint">–</span>}</td>
                            <td className={`${css.right} ${one.workers === 0 && one.ready > 0 ? css.bad : ''}`}>{one.workers}</td>
                        </tr>
                    ))}
                </tbody>
            </table>
        </div>
    );
}

function Workers() {
    const workers = useQuery({
        queryKey: ['workers', 'alive'],
        queryFn: ({ signal }) => get<Page<Worker>>('/workers', { state: 'alive', limit: 8 }, signal),
        refetchInterval: 5000,
    });
    if (workers.isPending) return <SkeletonRows count={3} />;
    if (workers.isError) return <Failure error={workers.error} onRetry={() => void workers.refetch()} />;
    if (workers.data.items.length === 0)
        return (
            <Empty icon="workers" title="No worker is alive">
                Start one with <code>orch worker</code>. Tasks in SQL, timers and waits need none.
            </Empty>
        );
    return (
        <table className={css.table}>
            <thead>
                <tr>
                    <th className={css.grow}>Worker</th>
                    <th className={css.right}>Running</th>
                    <th className={css.right}>Seen</th>
                </tr>
            </thead>
            <tbody>
                {workers.data.items.map((one) => (
                    <tr key={one.worker}>
                        <td className={css.grow}>
                            <span className="row">
                                <StateSign state={one.state} size={12} />
                                <span className="truncate" title={one.worker}>
                                    {one.worker}
                                </span>
                            </span>
                        </td>
                        <td className={css.right}>{one.running}</td>
                        <td className={css.right}>
                            <Time at={one.last_seen_at} />
                        </td>
                    </tr>
                ))}
            </tbody>
        </table>
    );
}

function Latencies({ history }: { history: readonly Metrics[] }) {
    const now = history.at(-1);
    const before = now && (history.find((one) => one.at >= now.at - 5 * 60_000) ?? history[0]);
    const rows = [
        ['Ready to leased', 'orch_task_queueing_seconds'],
        ['Attempt of a task', 'orch_task_duration_seconds'],
        ['Whole run', 'orch_run_duration_seconds'],
    ] as const;
    return (
        <table className={css.table}>
            <thead>
                <tr>
                    <th className={css.grow}>In the last five minutes</th>
                    <th className={css.right}>p50</th>
                    <th className={css.right}>p95</th>
                    <th className={css.right}>p99</th>
                </tr>
            </thead>
            <tbody>
                {rows.map(([title, name]) => (
                    <tr key={name}>
                        <td className={css.grow}>{title}</td>
                        {[0.5, 0.95, 0.99].map((q) => (
                            <td key={q} className={css.right}>
                                {now && before && before !== now ? formatDuration(quantile(q, before, now, name)) : '–'}
                            </td>
                        ))}
                    </tr>
                ))}
            </tbody>
        </table>
    );
}

function LatestRuns() {
    const client = useQueryClient();
    const [, navigate] = useLocation();
    const admin = useMay('admin');
    const [demo, setDemo] = useState(false);
    const key = ['runs', 'latest'];
    const runs = useQuery({ queryKey: key, queryFn: ({ signal }) => get<Page<Run>>('/runs', { limit: 12 }, signal), staleTime: 30_000 });
    const onEvents = useCallback(
        (batch: Event[]) => {
            const before = client.getQueryData<Page<Run>>(['runs', 'latest']);
            if (!before) return;
            const { runs: patched, unknown } = applyRunEvents(before.items, batch);
            if (patched !== before.items) client.setQueryData<Page<Run>>(['runs', 'latest'], { ...before, items: patched });
            if (unknown) void client.invalidateQueries({ queryKey: ['runs', 'latest'] }, { cancelRefetch: false });
        },
        [client],
    );
    useFeed({
        path: '/events',
        query: { kind: 'run_triggered,run_started,run_queued,run_cancel_requested,run_succeeded,run_failed,run_timed_out,run_cancelled,run_reopened' },
        onEvents,
    });
    // What happened before the stream began, or while it was cut off and had no position to go on from.
    const live = useFeedStatus() === 'live';
    useEffect(() => {
        if (live) void client.invalidateQueries({ queryKey: ['runs', 'latest'] }, { cancelRefetch: false });
    }, [live, client]);
    if (runs.isPending) return <SkeletonRows count={8} />;
    if (runs.isError) return <Failure error={runs.error} onRetry={() => void runs.refetch()} />;
    if (runs.data.items.length === 0)
        return (
            <>
                <Empty icon="runs" title="Nothing has run yet" actions={admin && <Button onClick={() => setDemo(true)}>Load the demo</Button>}>
                    Trigger a workflow and it is here at once.
                </Empty>
                {demo && (
                    <Suspense>
                        <LoadDemo onClose={() => setDemo(false)} />
                    </Suspense>
                )}
            </>
        );
    return (
        <table className={css.table}>
            <thead>
                <tr>
                    <th>State</th>
                    <th className={css.grow}>Workflow</th>
                    <th className={css.right}>Took</th>
                    <th className={css.right}>Began</th>
                </tr>
            </thead>
            <tbody>
                {runs.data.items.map((run) => (
                    <tr key={run.run_id} onClick={() => navigate(`/runs/${run.run_id}`)} style={{ cursor: 'pointer' }}>
                        <td>
                            <StateBadge state={run.state} />
                        </td>
                        <td className={css.grow}>
                            <Link href={`/runs/${run.run_id}`}>
                                {run.workflow} <span className="faint mono">{run.run_id.slice(-6)}</span>
                            </Link>
                        </td>
                        <td className={css.right}>
                            {run.started_at ? <Duration from={run.started_at} to={run.finished_at} /> : <span className="faint">–</span>}
                        </td>
                        <td className={css.right}>
                            <Time at={run.started_at ?? run.created_at} />
                        </td>
                    </tr>
                ))}
            </tbody>
        </table>
    );
}

function Alerts() {
    const checks = useQuery({ queryKey: ['checks'], queryFn: ({ signal }) => get<Page<Check>>('/checks', undefined, signal), refetchInterval: 30_000 });
    const bad = checks.data?.items.filter((one) => one.status !== 'ok') ?? [];
    if (bad.length === 0) return null;
    return (
        <div className={css.alerts}>
            {bad.map((one) => (
                <div key={one.check} className={css.alert} data-status={one.status}>
                    <StateSign state={one.status} />
                    <div>
                        {one.detail} {one.hint && <span className="muted">{one.hint}</span>}
                    </div>
                </div>
            ))}
        </div>
    );
}

export default function Overview() {
    const metrics = useMetricsHistory(3000);
    const history = metrics.data ?? [];
    const now = history.at(-1);
    const minute = now && (history.find((one) => one.at >= now.at - 60_000) ?? history[0]);
    return (
        <>
            <PageHead
                title="Overview"
                actions={
                    metrics.isError ? (
                        <span className="row faint">
                            <Icon name="warning" /> the figures are old
                        </span>
                    ) : undefined
                }
            />
            <PageBody>
                <Alerts />
                <Tiles now={now} minute={minute} />
                <Charts history={history} />
                <div className={css.wide}>
                    <Panel
                        title="Latest runs"
                        actions={
                            <Link href="/runs" className="link">
                                All runs
                            </Link>
                        }
                    >
                        <LatestRuns />
                    </Panel>
                    <div style={{ display: 'grid', gap: 12 }}>
                        <Panel title="Queues">
                            <Queues />
                        </Panel>
                        <Panel title="Workers">
                            <Workers />
                        </Panel>
                        <Panel title="Latency">
                            <Latencies history={history} />
                        </Panel>
                    </div>
                </div>
            </PageBody>
        </>
    );
}
