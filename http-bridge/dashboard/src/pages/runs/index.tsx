import { useQuery } from '@tanstack/react-query';
import { useCallback, useMemo, useState } from 'react';
import { useLocation, useSearchParams } from 'wouter';
import { useLatestMetrics } from '../../app/metricsHistory';
import { Button, Dialog, FilterInput, FilterSelect, formatTime, Icon, PageBody, PageHead, Sql, StateSign, wordOf } from '../../ui';
import { workflowNames } from '../workflows/queries';
import { addressOf, filtersOf, instantOf, meantBy, noFilters, sqlOf, type RunFilters } from './filters';
import { RunList } from './RunList';
import css from './runs.module.css';

const states = ['running', 'queued', 'scheduled', 'succeeded', 'failed', 'timed_out', 'cancelled'] as const;
const spans = [
    ['', 'Any time'],
    ['15m', 'Last 15 minutes'],
    ['1h', 'Last hour'],
    ['6h', 'Last 6 hours'],
    ['24h', 'Last 24 hours'],
    ['7d', 'Last 7 days'],
    ['30d', 'Last 30 days'],
    ['between', 'Between …'],
] as const;

/** The filters of the address, and how to change them; what is undefined is left as it is. */
function useFilters(): [RunFilters, (to: RunFilters) => void] {
    const [address, setAddress] = useSearchParams();
    const text = address.toString();
    const filters = useMemo(() => {
        const read = filtersOf(new URLSearchParams(text));
        return addressOf(read).size === 0 ? noFilters : read;
    }, [text]);
    const change = useCallback((to: RunFilters) => setAddress(addressOf(to)), [setAddress]);
    return [filters, change];
}

function StateBar({ value, onChange }: { value: RunFilters['state']; onChange: (state: RunFilters['state']) => void }) {
    const metrics = useLatestMetrics();
    return (
        <div className={css.states} role="radiogroup" aria-label="State">
            <button type="button" role="radio" aria-checked={value === ''} className={css.state} onClick={() => onChange('')}>
                All
            </button>
            {states.map((state) => {
                // Those that are not over are counted anyway; the others would have to be.
                const count = metrics?.sum('orch_runs', { state });
                return (
                    <button
                        key={state}
                        type="button"
                        role="radio"
                        aria-checked={value === state}
                        className={css.state}
                        onClick={() => onChange(value === state ? '' : state)}
                    >
                        <StateSign state={state} size={12} />
                        <span className={css.word}>{wordOf(state)}</span>
                        {!!count && <span className="faint">{count}</span>}
                    </button>
                );
            })}
        </div>
    );
}

/** A time in a field of type datetime-local, and back. */
const localOf = (text: string): string => {
    const at = text && instantOf(text, Date.now());
    return at ? formatTime(at.getTime()).slice(0, 16).replace(' ', 'T') : '';
};

function Between({ filters, onChange }: { filters: RunFilters; onChange: (to: RunFilters) => void }) {
    const set = (name: 'since' | 'until') => (local: string) => onChange({ ...filters, [name]: local ? new Date(local).toISOString() : '' });
    return (
        <>
            <div className={css.time}>
                <FilterInput label="Triggered since" type="datetime-local" value={localOf(filters.since)} onChange={set('since')} />
            </div>
            <div className={css.time}>
                <FilterInput label="Triggered before" type="datetime-local" value={localOf(filters.until)} onChange={set('until')} />
            </div>
        </>
    );
}

function Chip({ label, value, onRemove }: { label: string; value: string; onRemove: () => void }) {
    return (
        <span className={css.chip}>
            <span className="faint">{label}</span>
            <span className="truncate">{value}</span>
            <button type="button" aria-label={`Without ${label} ${value}`} onClick={onRemove}>
                <Icon name="close" size={12} />
            </button>
        </span>
    );
}

export default function Runs() {
    const [filters, change] = useFilters();
    const [, navigate] = useLocation();
    const [text, setText] = useState('');
    const [sql, setSql] = useState(false);
    const [between, setBetween] = useState(() => filters.until !== '' || (filters.since !== '' && !spans.some(([id]) => id === filters.since)));
    const names = useQuery(workflowNames);
    const workflows = names.data ?? [];
    const choices = filters.workflow && !workflows.includes(filters.workflow) ? [filters.workflow, ...workflows] : workflows;
    const search = (): void => {
        if (!text.trim()) return;
        const meant = meantBy(text, filters, workflows);
        setText('');
        if ('run' in meant) navigate(`/runs/${meant.run}`);
        else change(meant.filters);
    };
    const onTag = useCallback((tag: string) => change({ ...filters, tags: [...new Set([...filters.tags, tag])] }), [change, filters]);
    const clear = useCallback(() => {
        setBetween(false);
        change(noFilters);
    }, [change]);
    const chips = [
        ...filters.tags.map((tag) => ({ label: 'tag', value: tag, to: { ...filters, tags: filters.tags.filter((one) => one !== tag) } })),
        ...(['key', 'source', 'parent'] as const)
            .filter((name) => filters[name])
            .map((name) => ({ label: name, value: filters[name], to: { ...filters, [name]: '' } })),
    ];
    return (
        <>
            <PageHead
                title="Runs"
                actions={
                    <Button kind="plain" onClick={() => setSql(true)}>
                        SQL
                    </Button>
                }
            />
            <PageBody fill>
                <div className={css.filters}>
                    <form
                        className={css.search}
                        role="search"
                        onSubmit={(event) => {
                            event.preventDefault();
                            search();
                        }}
                    >
                        <Icon name="search" size={14} />
                        <FilterInput
                            label="Find runs"
                            placeholder="Run id, key, tag=value, workflow …"
                            value={text}
                            onChange={setText}
                            list="runs-words"
                            enterKeyHint="search"
                        />
                        <datalist id="runs-words">
                            {workflows.map((name) => (
                                <option key={name} value={name} />
                            ))}
                        </datalist>
                    </form>
                    <div className={css.choice}>
                        <FilterSelect
                            label="Workflow"
                            value={filters.workflow}
                            onChange={(workflow) => change({ ...filters, workflow })}
                            options={[['', 'All workflows'], ...choices.map((name) => [name, name] as const)]}
                        />
                    </div>
                    <div className={css.choice}>
                        <FilterSelect
                            label="Time"
                            value={between ? 'between' : (filters.since as (typeof spans)[number][0])}
                            onChange={(span) => {
                                setBetween(span === 'between');
                                change({ ...filters, since: span === 'between' ? '' : span, until: '' });
                            }}
                            options={spans}
                        />
                    </div>
                    {between && <Between filters={filters} onChange={change} />}
                    {chips.map((chip) => (
                        <Chip key={`${chip.label} ${chip.value}`} label={chip.label} value={chip.value} onRemove={() => change(chip.to)} />
                    ))}
                    {filters !== noFilters && (
                        <Button kind="plain" onClick={clear}>
                            Clear
                        </Button>
                    )}
                </div>
                <StateBar value={filters.state} onChange={(state) => change({ ...filters, state })} />
                <RunList filters={filters} onTag={onTag} onClear={clear} autoFocus />
            </PageBody>
            {sql && (
                <Dialog title="These runs in SQL" onClose={() => setSql(false)} width={620}>
                    <p className="muted">The list is the view orch.runs. What you see is what this statement gives, page by page.</p>
                    <Sql title="As any role of orch">{sqlOf(filters)}</Sql>
                </Dialog>
            )}
        </>
    );
}
