// One dead letter: what went wrong, each attempt, and what the task was given.
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { Link } from 'wouter';
import { get, segment } from '../../api/client';
import type { Attempt, DeadLetterDetail, Page } from '../../api/types';
import { useMay } from '../../app/session';
import { Button, Duration, Failure, JsonView, secondsOfInterval, SkeletonRows, StateBadge, Time } from '../../ui';
import { Detail, Fact, Facts, listCss as css, Section } from '../lists/List';
import { RunLink } from '../lists/RunLink';
import { Discard, RedriveOne } from './dialogs';
import { readError } from './letters';

function Attempts({ letter }: { letter: DeadLetterDetail }) {
    const attempts = useQuery({
        queryKey: ['attempts', letter.run_id, letter.task_id],
        queryFn: ({ signal }) => get<Page<Attempt>>(`/runs/${letter.run_id}/tasks/${segment(letter.task_id)}/attempts`, undefined, signal),
    });
    if (attempts.isPending) return <SkeletonRows count={2} />;
    if (attempts.isError) return <Failure error={attempts.error} onRetry={() => void attempts.refetch()} />;
    return (
        <table className={css.small}>
            <thead>
                <tr>
                    <th>#</th>
                    <th>State</th>
                    <th>Took</th>
                    <th className={css.grow}>Worker and error</th>
                </tr>
            </thead>
            <tbody>
                {attempts.data.items.map((one) => (
                    <tr key={`${one.attempt} ${one.started_at}`}>
                        <td>{one.attempt}</td>
                        <td>
                            <StateBadge state={one.state} />
                        </td>
                        <td>
                            <Duration seconds={secondsOfInterval(one.duration)} />
                        </td>
                        <td className={css.grow}>
                            <span className="faint">{one.worker ?? '–'}</span>
                            {one.error && <div>{readError(one.error).message}</div>}
                        </td>
                    </tr>
                ))}
            </tbody>
        </table>
    );
}

export function Letter({
    id,
    onClose,
    onChanged,
    onFilter,
}: {
    id: string;
    onClose: () => void;
    onChanged: () => void;
    onFilter: (fingerprint: string) => void;
}) {
    const asked = useQuery({
        queryKey: ['dead-letter', id],
        queryFn: ({ signal }) => get<DeadLetterDetail>(`/dead-letters/${segment(id)}`, undefined, signal),
    });
    const [action, setAction] = useState<'redrive' | 'discard' | null>(null);
    const may = useMay('operator');
    const letter = asked.data;
    const error = readError(letter?.error);
    const close = <Button kind="plain" small icon="close" aria-label="Close the letter" onClick={onClose} />;
    const done = (): void => {
        void asked.refetch();
        onChanged();
    };
    if (!letter)
        return (
            <Detail
                label="Dead letter"
                head={
                    <>
                        <h2 className="spacer">Dead letter {id}</h2>
                        {close}
                    </>
                }
            >
                {asked.isError ? <Failure error={asked.error} onRetry={() => void asked.refetch()} /> : <SkeletonRows count={5} />}
            </Detail>
        );
    return (
        <Detail
            label="Dead letter"
            head={
                <>
                    <h2>{letter.task_id}</h2>
                    <StateBadge state={letter.resolution ?? letter.state} />
                    <span className="spacer" />
                    {may && letter.resolution === null && (
                        <>
                            <Button icon="retry" onClick={() => setAction('redrive')}>
                                Redrive
                            </Button>
                            <Button danger onClick={() => setAction('discard')}>
                                Discard
                            </Button>
                        </>
                    )}
                    {close}
                </>
            }
        >
            <Section title="Error">
                <p>{error.message}</p>
                {(error.class || error.code) && (
                    <div className={css.chips}>
                        {error.class && <span className={css.chip}>{error.class}</span>}
                        {error.code && <span className={css.chip}>{error.code}</span>}
                    </div>
                )}
                {error.traceback && (
                    <pre className={css.trace} tabIndex={0}>
                        {error.traceback}
                    </pre>
                )}
                {error.rest && (
                    <div className={css.framed}>
                        <JsonView value={error.rest} />
                    </div>
                )}
            </Section>
            <Facts>
                <Fact name="Workflow">
                    <Link href={`/workflows/${segment(letter.workflow)}`} className="link">
                        {letter.workflow}
                    </Link>
                </Fact>
                <Fact name="Run">
                    <RunLink run={letter.run_id} task={letter.task_id} />
                </Fact>
                <Fact name="Failed">
                    <Time at={letter.created_at} absolute />
                </Fact>
                <Fact name="Fingerprint">
                    <button type="button" className={css.chip} title="All with this fingerprint" onClick={() => onFilter(letter.fingerprint)}>
                        {letter.fingerprint}
                    </button>
                </Fact>
                {letter.resolution && (
                    <Fact name={letter.resolution === 'redriven' ? 'Redriven' : 'Discarded'}>
                        <Time at={letter.resolved_at} absolute /> by {letter.resolved_by}
                    </Fact>
                )}
            </Facts>
            <Section title="Attempts">
                <Attempts letter={letter} />
            </Section>
            <Section title="Input of the task">
                <div className={css.framed}>
                    <JsonView value={letter.input} />
                </div>
            </Section>
            {action === 'redrive' && <RedriveOne letter={letter} onClose={() => setAction(null)} onDone={done} />}
            {action === 'discard' && <Discard letters={[letter]} onClose={() => setAction(null)} onDone={done} />}
        </Detail>
    );
}
