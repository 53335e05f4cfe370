// One task: what it is, how it went, attempt by attempt, what went in and came out, why it waits, and what can be done about it.
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { get, segment } from '../../api/client';
import { isOver, type Approval, type Attempt, type DeadLetter, type Page, type Reason, type Run, type Task, type TaskDetail } from '../../api/types';
import { useMay } from '../../app/session';
import { Button, Duration, Failure, formatDuration, JsonView, secondsOfInterval, Skeleton, StateBadge, StateSign, Time, toneOf } from '../../ui';
import { Decide, Redrive, Signal } from './actions';
import { Logs } from './Logs';
import type { RunModel } from './model';
import css from './Panels.module.css';
import { useTask } from './useRun';

export function ErrorBox({ error }: { error: Record<string, unknown> }) {
    const [open, setOpen] = useState(false);
    const {
        message,
        class: kind,
        code,
        detail,
        traceback,
        ...rest
    } = error as { message?: string; class?: string; code?: string; detail?: string; traceback?: string };
    const long = traceback ?? detail;
    return (
        <div className={`${css.box} ${css.bad}`}>
            <p>{message ?? JSON.stringify(error)}</p>
            {(kind || code) && (
                <p className="mono">
                    {[kind, code].filter(Boolean).join(' · ')}
                    {'exit_code' in rest ? ` · exit ${String(rest.exit_code)}` : ''}
                </p>
            )}
            {long && long.trim() !== message && (
                <>
                    {open && <pre tabIndex={0}>{long}</pre>}
                    <button
                        type="button"
                        className="link"
                        style={{ border: 0, padding: 0, background: 'none', cursor: 'pointer' }}
                        onClick={() => setOpen(!open)}
                    >
                        {open ? 'Less' : 'More'}
                    </button>
                </>
            )}
        </div>
    );
}

export function Reasons({ reasons, onChoose }: { reasons: readonly Reason[]; onChoose?: (task: string) => void }) {
    return reasons.map((one, i) => (
        <div key={i} className={`${css.box} ${css.calm}`}>
            <p>
                {one.task_id !== null && onChoose && (
                    <>
                        <button type="button" className={css.chip} onClick={() => onChoose(one.task_id!)}>
                            <StateSign state={one.state} size={11} /> {one.task_id}
                        </button>{' '}
                    </>
                )}
                {one.detail ?? one.reason.replaceAll('_', ' ')}
            </p>
            {one.hint && <p>{one.hint}</p>}
        </div>
    ));
}

function Attempts({ attempts, now }: { attempts: readonly Attempt[]; now: number }) {
    const seconds = (one: Attempt): number => secondsOfInterval(one.duration) ?? Math.max(0, (now - Date.parse(one.started_at)) / 1000);
    const longest = Math.max(0.001, ...attempts.map(seconds));
    return (
        <div className={css.attempts}>
            {[...attempts].reverse().map((one) => (
                <div key={`${one.attempt}/${one.started_at}`} className={css.attempt}>
                    <span className="faint">{one.attempt}</span>
                    <span className="row">
                        <StateBadge state={one.state} />
                        {one.worker && <span className="faint truncate">{one.worker}</span>}
                    </span>
                    <span>{one.finished_at ? formatDuration(seconds(one)) : <Duration from={one.started_at} />}</span>
                    <span className={css.track}>
                        <i style={{ width: `${(100 * seconds(one)) / longest}%`, '--colour': `var(--${toneOf(one.state)})` } as React.CSSProperties} />
                    </span>
                    {one.error && <span className={css.note}>{String((one.error as { message?: string }).message ?? '')}</span>}
                </div>
            ))}
        </div>
    );
}

interface TaskPanelProps {
    model: RunModel;
    run: Run;
    id: string;
    onChoose: (task: string | null) => void;
    /** After what changes the run without an event of its own. */
    onChange: () => void;
}

export function TaskPanel({ model, run, id, onChoose, onChange }: TaskPanelProps) {
    const row = useTask(model, id);
    const operator = useMay('operator');
    const [dialog, setDialog] = useState<'redrive' | 'approve' | 'reject' | 'signal' | null>(null);
    const base = `/runs/${segment(run.run_id)}`;
    // Asked for anew when the row has changed, by an event or else.
    const moment = row ? `${row.state} ${row.attempt} ${row.finished_at}` : '';
    const enabled = row !== undefined;
    const keep = { placeholderData: (before: unknown) => before as never };
    const detail = useQuery({
        queryKey: ['task', run.run_id, id, moment],
        enabled,
        queryFn: ({ signal }) => get<TaskDetail>(`${base}/tasks/${segment(id)}`, undefined, signal),
    });
    const attempts = useQuery({
        queryKey: ['attempts', run.run_id, id, moment],
        enabled: enabled && row.attempt > 0,
        queryFn: ({ signal }) => get<Page<Attempt>>(`${base}/tasks/${segment(id)}/attempts`, undefined, signal),
        ...keep,
    });
    const over = row !== undefined && isOver(row.state);
    const well = row?.state === 'succeeded';
    const why = useQuery({
        queryKey: ['why', run.run_id, id, moment],
        enabled: enabled && !well && row.state !== 'running',
        queryFn: ({ signal }) => get<Page<Reason>>(`${base}/why`, { task: id }, signal),
        refetchInterval: over ? false : 10_000,
    });
    const failed = row?.state === 'failed' || row?.state === 'timed_out';
    const letters = useQuery({
        queryKey: ['dead-letters', run.run_id, id, moment],
        enabled: failed,
        queryFn: ({ signal }) => get<Page<DeadLetter>>('/dead-letters', { run: run.run_id, task: id, resolution: 'open', limit: 1 }, signal),
    });
    const waits = row?.state === 'waiting';
    const approvals = useQuery({
        queryKey: ['approvals', run.run_id, id, moment],
        enabled: waits && row.executor === 'approval',
        queryFn: ({ signal }) => get<Page<Approval>>(`${base}/approvals`, undefined, signal),
    });

    const head = (
        <header className={css.head}>
            <h2 className="truncate" title={id}>
                {id}
            </h2>
            {row && <StateBadge state={row.state} pill />}
            <Button kind="plain" small icon="close" aria-label="Close the task" onClick={() => onChoose(null)} />
        </header>
    );
    if (!row) {
        return (
            <div className={css.panel}>
                {head}
                <div className={css.section}>{model.complete ? 'The run has no such task.' : <Skeleton width="60%" />}</div>
            </div>
        );
    }
    const letter = letters.data?.items[0];
    const approval = approvals.data?.items.find((one) => one.task_id === id);
    const mayDecide = approval !== undefined && (operator || approval.roles !== null);
    const reasons = why.data?.items.filter((one) => one.task_id === id) ?? [];
    return (
        <div className={css.panel}>
            {head}
            <div className={css.scroll} tabIndex={0} role="region" aria-label={`Task ${id}`}>
                {(row.error || reasons.length > 0 || approval || letter) && (
                    <div className={css.section}>
                        {row.error && <ErrorBox error={row.error} />}
                        {!(row.error && over) && <Reasons reasons={reasons} />}
                        {((operator && (letter || (waits && row.executor === 'signal'))) || mayDecide) && (
                            <div className={css.actions} style={{ marginTop: 8 }}>
                                {operator && letter && (
                                    <Button icon="retry" kind="primary" onClick={() => setDialog('redrive')}>
                                        Redrive
                                    </Button>
                                )}
                                {mayDecide && (
                                    <>
                                        <Button icon="check" kind="primary" onClick={() => setDialog('approve')}>
                                            Approve
                                        </Button>
                                        <Button icon="close" danger onClick={() => setDialog('reject')}>
                                            Reject
                                        </Button>
                                    </>
                                )}
                                {operator && waits && row.executor === 'signal' && (
                                    <Button icon="signals" kind="primary" onClick={() => setDialog('signal')}>
                                        Send its signal
                                    </Button>
                                )}
                            </div>
                        )}
                    </div>
                )}
                <div className={css.section}>
                    <dl className={css.facts}>
                        <dt>Runs as</dt>
                        <dd>
                            {row.executor}
                            {row.handler ? ` · ${row.handler}` : ''}
                        </dd>
                        {row.queue && (
                            <>
                                <dt>Queue</dt>
                                <dd>{row.queue}</dd>
                            </>
                        )}
                        {row.worker && (
                            <>
                                <dt>Worker</dt>
                                <dd>{row.worker}</dd>
                            </>
                        )}
                        {row.started_at && (
                            <>
                                <dt>Started</dt>
                                <dd>
                                    <Time at={row.started_at} absolute />
                                </dd>
                                <dt>Took</dt>
                                <dd>
                                    <Duration from={row.started_at} to={row.finished_at} />
                                    {row.ready_at && row.ready_at < row.started_at && (
                                        <span className="faint">
                                            {' '}
                                            after <Duration from={row.ready_at} to={row.started_at} /> in the queue
                                        </span>
                                    )}
                                </dd>
                            </>
                        )}
                        {row.due_at && !over && (
                            <>
                                <dt>Due</dt>
                                <dd>
                                    <Time at={row.due_at} />
                                </dd>
                            </>
                        )}
                        {row.dependencies.length > 0 && (
                            <>
                                <dt>After</dt>
                                <dd className={css.links}>
                                    {row.dependencies.slice(0, 12).map((one) => (
                                        <button key={one} type="button" className={css.chip} onClick={() => onChoose(one)}>
                                            <StateSign state={model.task(one)?.state ?? 'pending'} size={11} />
                                            <span className="truncate">{one}</span>
                                        </button>
                                    ))}
                                    {row.dependencies.length > 12 && <span className="faint">and {row.dependencies.length - 12} more</span>}
                                </dd>
                            </>
                        )}
                    </dl>
                </div>
                {row.attempt > 0 && (
                    <div className={css.section}>
                        <h3>
                            Attempts, {row.attempt} of {row.max_attempts}
                        </h3>
                        {attempts.data ? <Attempts attempts={attempts.data.items} now={Date.now()} /> : <Skeleton width="80%" />}
                    </div>
                )}
                {detail.isError && <Failure error={detail.error} onRetry={() => void detail.refetch()} />}
                {over && (detail.data?.output ?? null) !== null && (
                    <div className={css.section}>
                        <h3>Output</h3>
                        <div className={css.json}>
                            <JsonView value={detail.data!.output} />
                        </div>
                    </div>
                )}
                {(detail.data?.input ?? null) !== null && (
                    <div className={css.section}>
                        <h3>Input</h3>
                        <div className={css.json}>
                            <JsonView value={detail.data!.input} />
                        </div>
                    </div>
                )}
                {(detail.data?.progress ?? null) !== null && (
                    <div className={css.section}>
                        <h3>Progress</h3>
                        <div className={css.json}>
                            <JsonView value={detail.data!.progress} />
                        </div>
                    </div>
                )}
                {row.attempt > 0 && hasLogs(row) && (
                    <div className={css.section}>
                        <h3>Logs</h3>
                        <div className={css.logs}>
                            <Logs run={run.run_id} task={id} live={!over} />
                        </div>
                    </div>
                )}
            </div>
            {dialog === 'redrive' && letter && <Redrive letter={letter} input={detail.data?.input} onClose={() => setDialog(null)} />}
            {(dialog === 'approve' || dialog === 'reject') && approval && (
                <Decide
                    run={run.run_id}
                    task={id}
                    form={approval.form}
                    approved={dialog === 'approve'}
                    onClose={() => {
                        setDialog(null);
                        onChange();
                    }}
                />
            )}
            {dialog === 'signal' && <Signal run={run} name={signalOf(reasons)} onClose={() => setDialog(null)} />}
        </div>
    );
}

/** What the engine runs by itself writes no lines. */
const hasLogs = (task: Task): boolean => !['noop', 'sleep', 'until', 'signal', 'approval', 'decision', 'workflow', 'sql'].includes(task.executor);

/** The name that `orch.why` says is waited for. */
const signalOf = (reasons: readonly Reason[]): string | undefined => /signal "([^"]+)"/.exec(reasons.map((one) => one.detail ?? '').join(' '))?.[1];
