import { useCallback, useEffect, useMemo, useRef, useState } from 'react';
import { useLocation } from 'wouter';
import type { Run } from '../../api/types';
import { useMay } from '../../app/session';
import { LoadDemo } from '../../demo/LoadDemo';
import {
    Button,
    Duration,
    Empty,
    Failure,
    formatCount,
    Icon,
    Panel,
    SkeletonRows,
    StateBadge,
    StateSign,
    Table,
    Time,
    useMedia,
    wordOf,
    type Column,
} from '../../ui';
import { mayTake, type BulkAction } from './bulk';
import { BulkDialog } from './BulkDialog';
import { noFilters, type RunFilters } from './filters';
import css from './runs.module.css';
import { useRuns } from './useRuns';

interface RunListProps {
    filters: RunFilters;
    /** Called with a tag that was pressed on. */
    onTag?: (tag: string) => void;
    /** Of one workflow: its name needs no column. */
    ofOne?: boolean;
    empty?: React.ReactNode;
    onClear?: () => void;
    autoFocus?: boolean;
}

const shownTags = 3;
/** The part that differs between runs of one moment, too. */
const shortId = (run: string): string => run.slice(9, 23);

function Tags({ tags, onTag }: { tags: Run['tags']; onTag?: (tag: string) => void }) {
    const all = Object.entries(tags ?? {});
    return (
        <span className={css.tags}>
            {all.slice(0, shownTags).map(([name, value]) => {
                const text = typeof value === 'string' ? `${name}=${value}` : name;
                return (
                    <button key={name} type="button" className={css.tag} tabIndex={-1} title={`Only runs with ${text}`} onClick={() => onTag?.(text)}>
                        {text}
                    </button>
                );
            })}
            {all.length > shownTags && <span className="faint">+{all.length - shownTags}</span>}
        </span>
    );
}

function columnsOf(ofOne: boolean, narrow: boolean, onTag?: (tag: string) => void): Column<Run>[] {
    return [
        narrow
            ? {
                  id: 'state',
                  title: <span className="sr-only">State</span>,
                  width: '34px',
                  cell: (run) => (
                      <span title={wordOf(run.state)}>
                          <StateSign state={run.state} />
                          <span className="sr-only">{wordOf(run.state)}</span>
                      </span>
                  ),
              }
            : { id: 'state', title: 'State', width: 'minmax(112px, 124px)', cell: (run) => <StateBadge state={run.state} /> },
        {
            id: 'run',
            title: ofOne ? 'Run' : 'Workflow',
            width: narrow ? 'minmax(0, 1fr)' : 'minmax(120px, 2fr)',
            cell: (run) => (
                <span className={css.name}>
                    {!ofOne && <span className={css.workflow}>{run.workflow}</span>}
                    {(ofOne || !narrow) && (
                        <span className="faint mono" title={run.run_id}>
                            {ofOne && !narrow ? run.run_id : shortId(run.run_id)}
                        </span>
                    )}
                    {run.parent_run_id && !narrow && (
                        <span className="faint" title={`Started by run ${run.parent_run_id}`}>
                            child
                        </span>
                    )}
                </span>
            ),
        },
        { id: 'version', title: 'Version', width: '64px', align: 'right', wide: true, cell: (run) => <span className="muted">{run.version}</span> },
        { id: 'tags', title: 'Tags', width: 'minmax(80px, 1.4fr)', wide: true, cell: (run) => <Tags tags={run.tags} onTag={onTag} /> },
        {
            id: 'key',
            title: 'Key',
            width: 'minmax(60px, 0.8fr)',
            wide: true,
            cell: (run) => (
                <span className="muted mono" title={run.idempotency_key ?? undefined}>
                    {run.idempotency_key}
                </span>
            ),
        },
        { id: 'source', title: 'Source', width: '84px', wide: true, cell: (run) => <span className="muted">{run.source}</span> },
        {
            id: 'took',
            title: 'Took',
            width: '84px',
            align: 'right',
            cell: (run) => (run.started_at ? <Duration from={run.started_at} to={run.finished_at} /> : <span className="faint">–</span>),
        },
        {
            id: 'created',
            title: 'Triggered',
            width: '88px',
            align: 'right',
            cell: (run) => (
                <span className="muted">
                    <Time at={run.created_at} />
                </span>
            ),
        },
    ];
}

export function RunList({ filters, onTag, ofOne = false, empty, onClear, autoFocus }: RunListProps) {
    const [, navigate] = useLocation();
    const operator = useMay('operator');
    const admin = useMay('admin');
    const [demo, setDemo] = useState(false);
    const narrow = useMedia('(max-width: 720px)');
    const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set());
    const [action, setAction] = useState<BulkAction | null>(null);
    const box = useRef<HTMLDivElement>(null);
    const scroller = useCallback(() => box.current?.querySelector<HTMLElement>('[data-list]') ?? null, []);
    const held = useCallback(() => chosen.size > 0 || (scroller()?.scrollTop ?? 0) > 4, [chosen, scroller]);
    const { list, rows, more, waiting, show, refresh } = useRuns(filters, held, chosen);
    useEffect(() => setChosen(new Set()), [filters]);
    const columns = useMemo(() => columnsOf(ofOne, narrow, onTag), [ofOne, narrow, onTag]);
    const chosenRuns = useMemo(() => (chosen.size === 0 ? [] : rows.filter((run) => chosen.has(run.run_id))), [rows, chosen]);
    const counts = { cancel: chosenRuns.filter((run) => mayTake('cancel', run)).length, retry: chosenRuns.filter((run) => mayTake('retry', run)).length };
    const filtered = filters !== noFilters && Object.entries(filters).some(([name, value]) => value.length > 0 && !(ofOne && name === 'workflow'));
    const nothing = filtered ? (
        <Empty icon="search" title="No run is like this" actions={onClear && <Button onClick={onClear}>Show all runs</Button>}>
            {filters.since ? 'Perhaps before that time, or in another state.' : 'Perhaps in another state, or with another tag.'}
        </Empty>
    ) : (
        (empty ?? (
            <Empty icon="runs" title="Nothing has run yet" actions={admin && <Button onClick={() => setDemo(true)}>Load the demo</Button>}>
                Trigger a workflow and its run is here at once.
            </Empty>
        ))
    );
    return (
        <div className={css.list} ref={box}>
            <Panel className={css.panel}>
                {list.isPending ? (
                    <SkeletonRows count={14} />
                ) : list.isError && !list.data ? (
                    <Failure error={list.error} onRetry={() => void list.refetch()} />
                ) : (
                    <Table
                        label="Runs"
                        rows={rows}
                        columns={columns}
                        rowKey={(run) => run.run_id}
                        onOpen={(run) => navigate(`/runs/${run.run_id}`)}
                        selection={operator ? { chosen, onChange: setChosen } : undefined}
                        onEnd={more}
                        loadingMore={list.isFetchingNextPage}
                        empty={nothing}
                        autoFocus={autoFocus}
                    />
                )}
            </Panel>
            {waiting > 0 && (
                <button
                    type="button"
                    className={css.pill}
                    onClick={() => {
                        show();
                        scroller()?.scrollTo({ top: 0 });
                    }}
                >
                    <Icon name="chevron" size={12} />
                    {waiting >= 100 ? '100 or more' : formatCount(waiting)} new
                </button>
            )}
            {chosenRuns.length > 0 && (
                <div className={css.bulk} role="toolbar" aria-label="What is chosen">
                    <span className={css.count}>{formatCount(chosenRuns.length)} chosen</span>
                    <Button small icon="stop" danger disabled={counts.cancel === 0} onClick={() => setAction('cancel')}>
                        Cancel {counts.cancel > 0 && formatCount(counts.cancel)}
                    </Button>
                    <Button small icon="retry" disabled={counts.retry === 0} onClick={() => setAction('retry')}>
                        Retry {counts.retry > 0 && formatCount(counts.retry)}
                    </Button>
                    <Button small kind="plain" icon="close" aria-label="Choose none" onClick={() => setChosen(new Set())} />
                </div>
            )}
            {demo && <LoadDemo onClose={() => setDemo(false)} />}
            {action && (
                <BulkDialog
                    action={action}
                    chosen={chosenRuns}
                    onDone={() => {
                        setChosen(new Set());
                        refresh();
                    }}
                    onClose={() => setAction(null)}
                />
            )}
        </div>
    );
}
