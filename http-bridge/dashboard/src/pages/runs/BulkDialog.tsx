import { useRef, useState } from 'react';
import { ApiError, post, segment } from '../../api/client';
import type { Run } from '../../api/types';
import { Button, CheckField, Dialog, formatCount, quoted, Sql, StateSign, TextField, toast } from '../../ui';
import { forEachRun, mayTake, type BulkAction, type Progress } from './bulk';
import css from './runs.module.css';

const verbs = { cancel: 'Cancel', retry: 'Retry' } as const;
const past = { cancel: 'Cancelled', retry: 'Opened again:' } as const;
const runsOf = (n: number): string => `${formatCount(n)} ${n === 1 ? 'run' : 'runs'}`;
/** From so many on, the number has to be typed. */
const many = 20;

function sqlOf(action: BulkAction, runs: readonly Run[], force: boolean): string {
    const call = action === 'cancel' ? `orch.cancel(run${force ? ', force => true' : ''})` : 'orch.retry(run)';
    if (runs.length === 1) return `select ${call.replace('run', quoted(runs[0]!.run_id))};`;
    return `select run, ${call}\nfrom unnest(array[\n${runs.map((run) => `    ${quoted(run.run_id)}`).join(',\n')}\n]::uuid[]) as run;`;
}

/** Names what it will be done to, does it one by one, and says what was refused and why. */
export function BulkDialog({ action, chosen, onDone, onClose }: { action: BulkAction; chosen: readonly Run[]; onDone: () => void; onClose: () => void }) {
    // As they were when it was asked for: what ends meanwhile shall not fall out of the list.
    const [runs] = useState(() => chosen.filter((run) => mayTake(action, run)));
    const left = chosen.length - runs.length;
    const [force, setForce] = useState(false);
    const [typed, setTyped] = useState('');
    const [progress, setProgress] = useState<Progress<Run> | null>(null);
    const [busy, setBusy] = useState(false);
    const stop = useRef(false);
    const ended = (progress?.done ?? 0) + (progress?.refused.length ?? 0);
    const ready = runs.length > 0 && !progress && (runs.length <= many || typed === String(runs.length));
    const submit = async (): Promise<void> => {
        if (!ready) return;
        setBusy(true);
        setProgress({ done: 0, refused: [] });
        const act = (run: Run): Promise<unknown> => post(`/runs/${segment(run.run_id)}/${action}`, action === 'cancel' && force ? { force } : {});
        const result = await forEachRun(runs, act, setProgress, { stopped: () => stop.current });
        setBusy(false);
        if (result.done > 0) onDone();
        if (result.refused.length > 0 || stop.current) return;
        toast.done(`${past[action]} ${runsOf(result.done)}`);
        onClose();
    };
    const close = (): void => {
        stop.current = true;
        onClose();
    };
    return (
        <Dialog
            title={`${verbs[action]} ${runsOf(runs.length)}`}
            onClose={close}
            onSubmit={() => void submit()}
            footer={
                <>
                    <Button onClick={close}>{busy ? 'Stop here' : 'Close'}</Button>
                    {(!progress || busy) && (
                        <Button type="submit" kind="primary" danger={action === 'cancel'} disabled={!ready} busy={busy}>
                            {verbs[action]} {runsOf(runs.length)}
                        </Button>
                    )}
                </>
            }
        >
            <p className="muted">
                {action === 'cancel'
                    ? 'What has not started will not; what runs is told to stop, and the tasks under “finally” run.'
                    : 'Tasks that failed run again, with what depends on them; what has succeeded is kept.'}
                {left > 0 && ` ${runsOf(left)} of those chosen ${left === 1 ? 'is' : 'are'} left out: ${action === 'cancel' ? 'already over' : 'not failed'}.`}
            </p>
            <ul className={css.named} aria-label="Runs" tabIndex={0}>
                {runs.map((run) => {
                    const refused = progress?.refused.find((one) => one.item === run);
                    return (
                        <li key={run.run_id}>
                            <StateSign state={run.state} />
                            <span className="truncate">{run.workflow}</span>
                            <span className="mono faint">{run.run_id}</span>
                            {refused && (
                                <span className={css.refused}>{refused.error instanceof ApiError ? refused.error.problem.title : String(refused.error)}</span>
                            )}
                        </li>
                    );
                })}
                {runs.length === 0 && <li className="faint">None of those chosen can be {action === 'cancel' ? 'cancelled' : 'retried'} now.</li>}
            </ul>
            {progress && (
                <div role="status" className={css.progress}>
                    <div className={css.bar}>
                        <i style={{ width: `${(100 * ended) / runs.length}%` }} />
                    </div>
                    {formatCount(progress.done)} of {formatCount(runs.length)} done
                    {progress.refused.length > 0 && `, ${formatCount(progress.refused.length)} refused`}
                </div>
            )}
            {!progress && action === 'cancel' && runs.length > 0 && (
                <CheckField label="Leave out the tasks under “finally”" checked={force} onChange={setForce} />
            )}
            {!progress && runs.length > many && <TextField label={`Type ${runs.length} to confirm`} inputMode="numeric" value={typed} onChange={setTyped} />}
            {runs.length > 0 && <Sql>{sqlOf(action, runs, force)}</Sql>}
        </Dialog>
    );
}
