// How much waits in each queue, for how long, and who serves it.
import { useQuery } from '@tanstack/react-query';
import { useMemo } from 'react';
import { Link } from 'wouter';
import { get } from '../api/client';
import type { Page, Queue } from '../api/types';
import { Duration, Empty, Failure, formatCount, PageBody, PageHead, Panel, SkeletonRows, Table, type Column } from '../ui';
import { listCss as css } from './lists/List';

export default function Queues() {
    const queues = useQuery({ queryKey: ['queues'], queryFn: ({ signal }) => get<Page<Queue>>('/queues', undefined, signal), refetchInterval: 5000 });
    const rows = useMemo(
        () => [...(queues.data?.items ?? [])].sort((a, b) => b.ready - a.ready || b.running - a.running || a.queue.localeCompare(b.queue)),
        [queues.data],
    );
    const deepest = Math.max(1, ...rows.map((one) => one.ready));
    const count = (n: number): React.ReactNode => (n === 0 ? <span className="faint">0</span> : formatCount(n));
    const columns: Column<Queue>[] = [
        { id: 'queue', title: 'Queue', width: 'minmax(90px, 1fr)', cell: (one) => one.queue },
        {
            id: 'ready',
            title: 'Ready',
            width: 'minmax(84px, 220px)',
            cell: (one) => (
                <span className="row">
                    <span style={{ minWidth: '5ch', textAlign: 'right' }}>{count(one.ready)}</span>
                    <span className={css.meter} aria-hidden="true">
                        <i style={{ width: `${(100 * one.ready) / deepest}%` }} />
                    </span>
                </span>
            ),
        },
        {
            id: 'oldest',
            title: 'Oldest waits',
            width: '94px',
            align: 'right',
            cell: (one) => (one.oldest_ready_at ? <Duration from={one.oldest_ready_at} /> : <span className="faint">–</span>),
        },
        { id: 'running', title: 'Running', width: '84px', align: 'right', wide: true, cell: (one) => count(one.running) },
        { id: 'waiting', title: 'For a retry', width: '92px', align: 'right', wide: true, cell: (one) => count(one.waiting) },
        {
            id: 'workers',
            title: 'Workers',
            width: '76px',
            align: 'right',
            cell: (one) =>
                one.workers === 0 && one.ready > 0 ? (
                    <span className={css.bad} title="Tasks are ready and nobody who is alive serves this queue">
                        none
                    </span>
                ) : (
                    count(one.workers)
                ),
        },
    ];
    const unserved = rows.filter((one) => one.workers === 0 && one.ready > 0);
    return (
        <>
            <PageHead
                title="Queues"
                note={
                    unserved.length > 0 ? (
                        <span className={css.bad}>{unserved.map((one) => one.queue).join(', ')}: tasks are ready and no worker serves it</span>
                    ) : (
                        'What waits for a worker'
                    )
                }
            />
            <PageBody fill>
                <Panel className={css.rows}>
                    {queues.isPending ? (
                        <SkeletonRows count={4} />
                    ) : queues.isError && !queues.data ? (
                        <Failure error={queues.error} onRetry={() => void queues.refetch()} />
                    ) : (
                        <Table
                            label="Queues"
                            rows={rows}
                            columns={columns}
                            rowKey={(one) => `${one.tenant ?? ''} ${one.queue}`}
                            empty={
                                <Empty
                                    icon="queues"
                                    title="No queue has been used yet"
                                    actions={
                                        <Link href="/workflows" className="link">
                                            To the workflows
                                        </Link>
                                    }
                                >
                                    A queue is there once a workflow names it.
                                </Empty>
                            }
                        />
                    )}
                </Panel>
            </PageBody>
        </>
    );
}
