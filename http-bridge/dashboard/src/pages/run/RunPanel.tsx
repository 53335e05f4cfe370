import { useQuery } from '@tanstack/react-query';
import { useEffect } from 'react';
import { Link } from 'wouter';
import { get, segment } from '../../api/client';
import { isOver, type Page, type Reason, type Run } from '../../api/types';
import { JsonView, Skeleton, StateBadge, Time } from '../../ui';
import type { RunModel } from './model';
import css from './Panels.module.css';
import { usePayloads } from './useRun';
import { ErrorBox, Reasons } from './TaskPanel';

/** What stands beside the graph while no task is chosen: why the run is where it is, and what went in and came out. */
export function RunPanel({ model, run, ready, onChoose }: { model: RunModel; run: Run; ready: boolean; onChoose: (task: string) => void }) {
    const over = isOver(run.state);
    // Behind the rows, which are looked at first.
    const payloads = usePayloads(run, ready).data;
    const why = useQuery({
        queryKey: ['why', run.run_id, null, run.state],
        enabled: ready && run.state !== 'succeeded',
        queryFn: ({ signal }) => get<Page<Reason>>(`/runs/${segment(run.run_id)}/why`, undefined, signal),
        refetchInterval: over ? false : 30_000,
    });
    // What is waited for changes with the tasks. Not more often than this, and less where it is long.
    const { refetch } = why;
    const pause = (why.data?.items.length ?? 0) > 100 ? 15_000 : 1500;
    useEffect(() => {
        if (over || !ready) return;
        let timer: ReturnType<typeof setTimeout> | undefined;
        const end = model.subscribe(() => {
            timer ??= setTimeout(() => {
                timer = undefined;
                void refetch();
            }, pause);
        });
        return () => {
            clearTimeout(timer);
            end();
        };
    }, [model, refetch, over, ready, pause]);
    const children = useQuery({
        queryKey: ['children', run.run_id, run.state],
        enabled: ready,
        queryFn: ({ signal }) => get<Page<Run>>('/runs', { parent: run.run_id, limit: 20 }, signal),
    });
    const reasons = why.data?.items ?? [];
    return (
        <div className={css.panel}>
            <header className={css.head}>
                <h2>{over ? (run.state === 'succeeded' ? 'The run' : 'Why it ended so') : 'What it waits for'}</h2>
            </header>
            <div className={css.scroll} tabIndex={0} role="region" aria-label="The run">
                {payloads?.error && (
                    <div className={css.section}>
                        <ErrorBox error={payloads.error} />
                    </div>
                )}
                {run.state !== 'succeeded' && (
                    <div className={css.section}>
                        {why.isPending ? (
                            <Skeleton width="70%" />
                        ) : reasons.length > 0 ? (
                            <Reasons reasons={reasons.slice(0, 20)} onChoose={onChoose} />
                        ) : (
                            <p className="muted">{over ? 'There is nothing to add.' : 'For nothing: its tasks run.'}</p>
                        )}
                        {reasons.length > 20 && <p className="faint">and {reasons.length - 20} more tasks</p>}
                    </div>
                )}
                {(payloads?.output ?? null) !== null && (
                    <div className={css.section}>
                        <h3>Output</h3>
                        <div className={css.json}>
                            <JsonView value={payloads!.output} />
                        </div>
                    </div>
                )}
                <div className={css.section}>
                    <h3>Input</h3>
                    <div className={css.json}>
                        {payloads ? (
                            <JsonView value={payloads.input} />
                        ) : (
                            <p style={{ padding: 12 }}>
                                <Skeleton width="60%" />
                            </p>
                        )}
                    </div>
                </div>
                {(children.data?.items.length ?? 0) > 0 && (
                    <div className={css.section}>
                        <h3>Runs that it started</h3>
                        {children.data!.items.map((one) => (
                            <p key={one.run_id} className="row">
                                <StateBadge state={one.state} />
                                <Link href={`/runs/${one.run_id}`} className="link truncate">
                                    {one.workflow}
                                </Link>
                                <span className="spacer" />
                                <span className="faint">
                                    <Time at={one.created_at} />
                                </span>
                            </p>
                        ))}
                    </div>
                )}
            </div>
        </div>
    );
}
