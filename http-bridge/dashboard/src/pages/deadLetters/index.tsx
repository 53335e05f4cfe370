// Tasks that failed for good, the newest first: found by what they have in common, looked into one by one, and run again or put aside.
import { useQueryClient } from '@tanstack/react-query';
import { useDeferredValue, useMemo, useState } from 'react';
import type { DeadLetter } from '../../api/types';
import { useMay } from '../../app/session';
import { Button, FilterInput, FilterSelect, PageBody, PageHead, StateBadge, Time, type Column } from '../../ui';
import { useAddress } from '../lists/address';
import { Bar, List, listCss as css } from '../lists/List';
import { usePaged, useRefresh } from '../lists/paged';
import { Discard, RedriveChosen, RedriveMatching } from './dialogs';
import { Letter } from './Letter';
import { isFiltered, readError, resolutions, toQuery, type Filter } from './letters';

const kinds = ['task_failed', 'task_timed_out', 'run_reopened', 'run_failed', 'run_timed_out'];

export default function DeadLetters() {
    const [read, write] = useAddress();
    const client = useQueryClient();
    const filter: Filter = {
        resolution: read('resolution') || 'open',
        workflow: read('workflow'),
        task: read('task'),
        run: read('run'),
        fingerprint: read('fingerprint'),
    };
    const query = useDeferredValue(JSON.stringify(toQuery(filter)));
    const list = usePaged<DeadLetter>(
        '/dead-letters',
        useMemo(() => JSON.parse(query) as Record<string, string>, [query]),
    );
    useRefresh(['/dead-letters'], kinds);
    const may = useMay('operator');
    const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set());
    const [action, setAction] = useState<'redrive' | 'discard' | 'all' | null>(null);
    const letter = read('letter');
    const open = filter.resolution === 'open';
    const those = list.rows.filter((one) => chosen.has(String(one.id)) && one.resolution === null);
    const changed = (): void => {
        setChosen(new Set());
        void client.invalidateQueries({ queryKey: ['/dead-letters'] });
        void client.invalidateQueries({ queryKey: ['dead-letter'] });
        void client.invalidateQueries({ queryKey: ['metrics'] });
    };
    const set = (name: keyof Filter) => (value: string) => write({ [name]: value === 'open' && name === 'resolution' ? null : value, letter: null });

    const columns: Column<DeadLetter>[] = [
        { id: 'state', title: 'State', width: '96px', cell: (one) => <StateBadge state={one.resolution ?? one.state} /> },
        {
            id: 'task',
            title: 'Task',
            width: letter ? 'minmax(120px, 1fr)' : 'minmax(120px, 1fr)',
            cell: (one) => (
                <span title={`${one.workflow} · ${one.task_id}`}>
                    {one.task_id} <span className="faint">{one.workflow}</span>
                </span>
            ),
        },
        {
            id: 'error',
            title: 'Error',
            width: 'minmax(160px, 2fr)',
            wide: true,
            cell: (one) => <span title={readError(one.error).message}>{readError(one.error).message}</span>,
        },
        ...(letter
            ? []
            : ([
                  {
                      id: 'fingerprint',
                      title: 'Fingerprint',
                      width: '132px',
                      wide: true,
                      cell: (one) => (
                          <button type="button" className={css.chip} title="All with this fingerprint" onClick={() => write({ fingerprint: one.fingerprint })}>
                              {one.fingerprint.slice(0, 12)}
                          </button>
                      ),
                  },
                  { id: 'attempts', title: 'Attempts', width: '76px', align: 'right', wide: true, cell: (one) => one.attempts },
              ] satisfies Column<DeadLetter>[])),
        { id: 'at', title: 'Failed', width: '84px', align: 'right', cell: (one) => <Time at={one.created_at} /> },
    ];

    return (
        <>
            <PageHead
                title="Dead letters"
                note="Tasks that failed for good"
                actions={
                    may && open && list.rows.length > 0 ? (
                        <Button icon="retry" onClick={() => setAction('all')}>
                            {isFiltered(filter) ? 'Redrive all that match' : 'Redrive all'}
                        </Button>
                    ) : undefined
                }
            />
            <PageBody fill>
                <Bar>
                    <FilterSelect label="Resolution" value={filter.resolution} onChange={set('resolution')} options={resolutions} />
                    <FilterInput label="Workflow" value={filter.workflow} onChange={set('workflow')} />
                    <FilterInput label="Task" value={filter.task} onChange={set('task')} />
                    <FilterInput label="Fingerprint" value={filter.fingerprint} onChange={set('fingerprint')} />
                    {filter.run && (
                        <Button small icon="close" onClick={() => write({ run: null })}>
                            Of run …{filter.run.slice(-12)}
                        </Button>
                    )}
                    <span className="spacer" />
                    {those.length > 0 && (
                        <>
                            <span className="muted">{those.length} chosen</span>
                            <Button icon="retry" onClick={() => setAction('redrive')}>
                                Redrive
                            </Button>
                            <Button danger onClick={() => setAction('discard')}>
                                Discard
                            </Button>
                        </>
                    )}
                </Bar>
                <List
                    label="Dead letters"
                    list={list}
                    columns={columns}
                    rowKey={(one) => String(one.id)}
                    chosen={letter || null}
                    onOpen={(one) => write({ letter: letter === String(one.id) ? null : String(one.id) })}
                    selection={may && open ? { chosen, onChange: setChosen } : undefined}
                    empty={
                        open && !isFiltered(filter)
                            ? {
                                  icon: 'check',
                                  title: 'No dead letter is open',
                                  children: 'A task that has used up its retries would lie here until somebody redrives or discards it.',
                              }
                            : { icon: 'letters', title: 'None matches', children: 'Other filters, or All, may find it.' }
                    }
                    detail={
                        letter ? (
                            <Letter
                                key={letter}
                                id={letter}
                                onClose={() => write({ letter: null })}
                                onChanged={changed}
                                onFilter={(fingerprint) => write({ fingerprint })}
                            />
                        ) : undefined
                    }
                />
            </PageBody>
            {action === 'redrive' && <RedriveChosen letters={those} onClose={() => setAction(null)} onDone={changed} />}
            {action === 'discard' && <Discard letters={those} onClose={() => setAction(null)} onDone={changed} />}
            {action === 'all' && <RedriveMatching filter={filter} onClose={() => setAction(null)} onDone={changed} />}
        </>
    );
}
