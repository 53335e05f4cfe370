// Who does the work: each worker, when it was last heard of, and what it holds now.
import { useQuery } from '@tanstack/react-query';
import { Link } from 'wouter';
import { get, segment } from '../api/client';
import type { Page, Worker } from '../api/types';
import { Button, Duration, Failure, FilterSelect, formatCount, JsonView, PageBody, PageHead, SkeletonRows, StateBadge, Time, type Column } from '../ui';
import { useAddress } from './lists/address';
import { Bar, Detail, Fact, Facts, List, listCss as css, Section } from './lists/List';
import { usePaged } from './lists/paged';

interface Held {
    run_id: string;
    workflow: string;
    task_id: string;
    attempt: number;
    queue: string;
    started_at: string | null;
    progress: unknown;
}

const states = [
    ['', 'All but stopped'],
    ['alive', 'Alive'],
    ['draining', 'Draining'],
    ['lost', 'Lost'],
    ['stopped', 'Stopped'],
    ['all', 'All'],
] as const;
const meanings: Record<Worker['state'], string> = {
    alive: 'heard of lately',
    draining: 'takes nothing new, and ends what it holds',
    lost: 'not heard of for three heartbeats: what it held goes to others when the leases end',
    stopped: 'said that it stops',
};

const Chips = ({ of, none }: { of: readonly string[] | null; none: string }) =>
    of && of.length > 0 ? (
        <span className={css.chips}>
            {of.map((one) => (
                <span key={one} className={css.chip}>
                    {one}
                </span>
            ))}
        </span>
    ) : (
        <span className="muted">{none}</span>
    );

function Holds({ worker }: { worker: Worker }) {
    const held = useQuery({
        queryKey: ['held', worker.worker],
        queryFn: ({ signal }) => get<Page<Held>>(`/workers/${segment(worker.worker)}/tasks`, undefined, signal),
        enabled: worker.running > 0,
        refetchInterval: 5000,
    });
    if (worker.running === 0) return <p className="muted">Nothing at the moment.</p>;
    if (held.isPending) return <SkeletonRows count={2} />;
    if (held.isError) return <Failure error={held.error} onRetry={() => void held.refetch()} />;
    return (
        <table className={css.small}>
            <thead>
                <tr>
                    <th className={css.grow}>Task</th>
                    <th>Attempt</th>
                    <th>Since</th>
                </tr>
            </thead>
            <tbody>
                {held.data.items.map((one) => (
                    <tr key={`${one.run_id} ${one.task_id}`}>
                        <td className={css.grow}>
                            <Link href={`/runs/${segment(one.run_id)}?task=${segment(one.task_id)}`} className="link">
                                {one.task_id}
                            </Link>{' '}
                            <span className="faint">{one.workflow}</span>
                        </td>
                        <td>{one.attempt}</td>
                        <td>
                            <Duration from={one.started_at} />
                        </td>
                    </tr>
                ))}
            </tbody>
        </table>
    );
}

function About({ worker, onClose }: { worker: Worker; onClose: () => void }) {
    const told = worker.metadata !== null && typeof worker.metadata === 'object' && Object.keys(worker.metadata).length > 0;
    return (
        <Detail
            label="Worker"
            head={
                <>
                    <h2>{worker.worker}</h2>
                    <StateBadge state={worker.state} />
                    <span className="spacer" />
                    <Button kind="plain" small icon="close" aria-label="Close the worker" onClick={onClose} />
                </>
            }
        >
            <Section title={worker.running === 0 ? 'Holds' : `Holds ${formatCount(worker.running)}`}>
                <Holds worker={worker} />
            </Section>
            <Facts>
                <Fact name="State">
                    {worker.state.replaceAll('_', ' ')}: {meanings[worker.state]}
                    {worker.waiting && '; sleeps until there is work'}
                </Fact>
                <Fact name="Last heard of">
                    <Time at={worker.last_seen_at} />
                </Fact>
                <Fact name="Registered">
                    <Time at={worker.started_at} absolute />
                </Fact>
                {worker.stopped_at && (
                    <Fact name="Stopped">
                        <Time at={worker.stopped_at} absolute />
                    </Fact>
                )}
                <Fact name="Version">{worker.version ?? <span className="muted">not told</span>}</Fact>
                <Fact name="Queues">
                    <Chips of={worker.queues} none="none" />
                </Fact>
                <Fact name="Handlers">
                    <Chips of={worker.handlers} none="commands and HTTP calls" />
                </Fact>
            </Facts>
            {told && (
                <Section title="What it told about itself">
                    <div className={css.framed}>
                        <JsonView value={worker.metadata} />
                    </div>
                </Section>
            )}
        </Detail>
    );
}

export default function Workers() {
    const [read, write] = useAddress();
    const state = read('state') as (typeof states)[number][0];
    const all = usePaged<Worker>('/workers', { state: state === 'all' ? '' : state, limit: 200 }, 5000);
    const list = state === '' ? { ...all, rows: all.rows.filter((one) => one.state !== 'stopped') } : all;
    const chosen = read('worker');
    const shown = all.rows.find((one) => one.worker === chosen);
    const columns: Column<Worker>[] = [
        { id: 'worker', title: 'Worker', width: 'minmax(90px, 2fr)', cell: (one) => <span title={one.worker}>{one.worker}</span> },
        { id: 'state', title: 'State', width: '100px', cell: (one) => <StateBadge state={one.state} /> },
        {
            id: 'running',
            title: 'Holds',
            width: '58px',
            align: 'right',
            cell: (one) => (one.running === 0 ? <span className="faint">0</span> : formatCount(one.running)),
        },
        ...(shown
            ? []
            : ([
                  {
                      id: 'queues',
                      title: 'Queues',
                      width: 'minmax(110px, 1fr)',
                      wide: true,
                      cell: (one) => <span title={one.queues.join(', ')}>{one.queues.join(', ')}</span>,
                  },
                  {
                      id: 'handlers',
                      title: 'Handlers',
                      width: 'minmax(110px, 2fr)',
                      wide: true,
                      cell: (one) =>
                          one.handlers ? (
                              <span title={one.handlers.join(', ')}>{one.handlers.join(', ')}</span>
                          ) : (
                              <span className="muted">commands and HTTP calls</span>
                          ),
                  },
                  { id: 'version', title: 'Version', width: '90px', wide: true, cell: (one) => one.version ?? <span className="faint">–</span> },
                  { id: 'started', title: 'Registered', width: '88px', align: 'right', wide: true, cell: (one) => <Time at={one.started_at} /> },
              ] satisfies Column<Worker>[])),
        { id: 'seen', title: 'Heard of', width: '84px', align: 'right', cell: (one) => <Time at={one.last_seen_at} /> },
    ];
    return (
        <>
            <PageHead title="Workers" note="Who takes tasks, and what they hold" />
            <PageBody fill>
                <Bar>
                    <FilterSelect label="State" value={state} onChange={(value) => write({ state: value, worker: null })} options={states} />
                </Bar>
                <List
                    label="Workers"
                    list={list}
                    columns={columns}
                    rowKey={(one) => one.worker}
                    chosen={chosen || null}
                    onOpen={(one) => write({ worker: chosen === one.worker ? null : one.worker })}
                    empty={{
                        icon: 'workers',
                        title: state === '' || state === 'alive' ? 'No worker is alive' : 'None is in this state',
                        children: (
                            <>
                                Start one with <code>orch worker</code>. Tasks in SQL, timers and waits need none.
                            </>
                        ),
                    }}
                    detail={shown && <About worker={shown} onClose={() => write({ worker: null })} />}
                />
            </PageBody>
        </>
    );
}
