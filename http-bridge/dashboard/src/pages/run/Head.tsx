import { useState } from 'react';
import { Link } from 'wouter';
import { segment } from '../../api/client';
import type { Run } from '../../api/types';
import { useMay } from '../../app/session';
import { Button, copyText, Duration, formatCount, StateBadge, StateSign, taskStates, Time, toneOf, wordOf } from '../../ui';
import { Cancel, Delete, Erase, offered, Retry, Signal, TriggerAgain, type RunAction } from './actions';
import type { RunModel } from './model';
import css from './run.module.css';
import { useVersion } from './useRun';

function Actions({ run }: { run: Run }) {
    const operator = useMay('operator');
    const admin = useMay('admin');
    const [open, setOpen] = useState<RunAction | null>(null);
    const may = offered(run);
    const dialogs = { cancel: Cancel, retry: Retry, signal: Signal, again: TriggerAgain, erase: Erase, delete: Delete };
    const Shown = open && dialogs[open];
    return (
        <div className={css.actions}>
            {operator && may.signal && (
                <Button icon="signals" onClick={() => setOpen('signal')}>
                    Signal
                </Button>
            )}
            {admin && may.gone && (
                <>
                    <Button kind="plain" danger onClick={() => setOpen('erase')}>
                        Erase
                    </Button>
                    <Button kind="plain" danger onClick={() => setOpen('delete')}>
                        Delete
                    </Button>
                </>
            )}
            {operator && (
                <Button icon="runs" onClick={() => setOpen('again')}>
                    Run again
                </Button>
            )}
            {operator && may.retry && (
                <Button icon="retry" kind="primary" onClick={() => setOpen('retry')}>
                    Retry
                </Button>
            )}
            {operator && may.cancel && (
                <Button icon="stop" danger onClick={() => setOpen('cancel')}>
                    Cancel
                </Button>
            )}
            {Shown && <Shown run={run} onClose={() => setOpen(null)} />}
        </div>
    );
}

function Progress({ model, onState }: { model: RunModel; onState: (state: string) => void }) {
    useVersion(model);
    const total = model.tasks.length;
    const there = taskStates.filter((state) => model.counts[state]);
    // The bar goes from what is done to what is to come.
    const order = [...there].sort((a, b) => done(a) - done(b));
    return (
        <div style={{ display: 'grid', gap: 4 }}>
            <div className={css.progress} role="img" aria-label={there.map((state) => `${model.counts[state]} ${wordOf(state)}`).join(', ')}>
                {order
                    .filter((state) => state !== 'pending')
                    .map((state) => (
                        <i
                            key={state}
                            style={{ width: `${(100 * model.counts[state]!) / total}%`, '--colour': `var(--${toneOf(state)})` } as React.CSSProperties}
                        />
                    ))}
            </div>
            <div className={css.counts}>
                {there.map((state) => (
                    <button key={state} type="button" className={css.count} onClick={() => onState(state)} title={`Show the tasks that are ${wordOf(state)}`}>
                        <StateSign state={state} size={12} />
                        <b>{formatCount(model.counts[state]!)}</b> {wordOf(state)}
                    </button>
                ))}
                {total === 0 && <span className={css.count}>{model.complete ? 'no tasks' : '…'}</span>}
            </div>
        </div>
    );
}
const done = (state: string): number =>
    ['succeeded', 'skipped', 'failed', 'timed_out', 'upstream_failed', 'cancelled', 'running', 'waiting', 'scheduled', 'ready', 'pending'].indexOf(state);

export function Head({ run, model, onState }: { run: Run; model: RunModel; onState: (state: string) => void }) {
    const tags = Object.entries((run.tags ?? {}) as Record<string, unknown>);
    return (
        <header className={css.head}>
            <div className={css.title}>
                <Link href={`/runs?workflow=${segment(run.workflow)}`} className={css.crumb}>
                    Runs
                </Link>
                <span className="faint">/</span>
                <h1>
                    <Link href={`/workflows/${segment(run.workflow)}`}>{run.workflow}</Link>
                </h1>
                <span className="faint">v{run.version}</span>
                <StateBadge state={run.state} pill />
                <Actions run={run} />
            </div>
            <div className={css.facts}>
                <span>
                    <b>run</b> <span className="mono truncate">{run.run_id}</span>
                    <Button kind="plain" small icon="copy" aria-label="Copy the id of the run" onClick={() => void copyText(run.run_id, 'Id copied')} />
                </span>
                <span>
                    <b>{run.started_at ? 'started' : 'created'}</b> <Time at={run.started_at ?? run.created_at} />
                </span>
                {run.started_at && (
                    <span>
                        <b>took</b> <Duration from={run.started_at} to={run.finished_at} />
                    </span>
                )}
                {!run.started_at && run.run_at && (
                    <span>
                        <b>begins</b> <Time at={run.run_at} />
                    </span>
                )}
                <span>
                    <b>by</b> {run.source}
                </span>
                {run.idempotency_key && (
                    <span>
                        <b>key</b> <span className="truncate">{run.idempotency_key}</span>
                    </span>
                )}
                {run.parent_run_id && (
                    <span>
                        <b>part of</b>{' '}
                        <Link className="link mono" href={`/runs/${run.parent_run_id}`}>
                            …{run.parent_run_id.slice(-8)}
                        </Link>
                    </span>
                )}
                {tags.map(([name, value]) => (
                    <span key={name} className={css.tag}>
                        {name}={typeof value === 'string' ? value : JSON.stringify(value)}
                    </span>
                ))}
            </div>
            <Progress model={model} onState={onState} />
        </header>
    );
}
