// Goes to pages, workflows and runs. A run is found by its id, by its idempotency key, or by the name of its workflow.
import { useQuery } from '@tanstack/react-query';
import { useDeferredValue, useId, useState } from 'react';
import { useLocation } from 'wouter';
import { get, segment } from '../api/client';
import type { Page, Run, Workflow } from '../api/types';
import { Dialog, formatRelative, Icon, StateBadge, type IconName } from '../ui';
import { pages } from './pages';
import css from './Search.module.css';

interface Hit {
    key: string;
    icon: IconName;
    title: React.ReactNode;
    kind: React.ReactNode;
    href: string;
}

const uuid = /^[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}$/i;

const runHit = (run: Run): Hit => ({
    key: run.run_id,
    icon: 'runs',
    title: (
        <span className="truncate">
            {run.workflow} <span className="faint mono">{run.run_id}</span>
        </span>
    ),
    kind: (
        <span className="row">
            <StateBadge state={run.state} /> {formatRelative(Date.parse(run.created_at), Date.now())}
        </span>
    ),
    href: `/runs/${run.run_id}`,
});

export function Search({ onClose }: { onClose: () => void }) {
    const [text, setText] = useState('');
    const [active, setActive] = useState(0);
    const [, navigate] = useLocation();
    const id = useId();
    const wanted = useDeferredValue(text.trim());
    const workflows = useQuery({ queryKey: ['workflows', 'names'], queryFn: () => get<Page<Workflow>>('/workflows', { limit: 500 }), staleTime: 60_000 });
    const exact = useQuery({
        queryKey: ['search', wanted],
        enabled: wanted.length > 0,
        queryFn: async ({ signal }): Promise<Run[]> => {
            if (uuid.test(wanted)) return [await get<Run>(`/runs/${segment(wanted)}`, undefined, signal)];
            return (await get<Page<Run>>('/runs', { idempotency_key: wanted, limit: 5 }, signal)).items;
        },
    });
    const words = wanted.toLowerCase();
    const named = (workflows.data?.items ?? []).filter((one) => one.workflow.toLowerCase().includes(words));
    const latest = useQuery({
        queryKey: ['search', 'runs of', named[0]?.workflow ?? ''],
        enabled: wanted.length > 1 && named.length > 0,
        queryFn: ({ signal }) => get<Page<Run>>('/runs', { workflow: named[0]!.workflow, limit: 5 }, signal),
    });
    const hits: Hit[] = [
        ...(exact.data ?? []).map(runHit),
        ...pages
            .filter((page) => page.nav && page.title.toLowerCase().includes(words))
            .map((page) => ({ key: page.path, icon: page.nav!.icon, title: page.title, kind: `g ${page.nav!.key}`, href: page.path })),
        ...(wanted ? named : []).slice(0, 8).map((one): Hit => ({
            key: `w ${one.workflow}`,
            icon: 'workflows',
            title: one.workflow,
            kind: 'workflow',
            href: `/workflows/${segment(one.workflow)}`,
        })),
        ...(wanted.length > 1 ? (latest.data?.items ?? []) : []).map(runHit),
    ];
    const at = Math.min(active, hits.length - 1);
    const go = (hit: Hit | undefined): void => {
        if (!hit) return;
        onClose();
        navigate(hit.href);
    };
    return (
        <Dialog title="Search" bare onClose={onClose} width={600}>
            <div className={css.box}>
                <Icon name="search" />
                <input
                    autoFocus
                    spellCheck={false}
                    autoComplete="off"
                    placeholder="A page, a workflow, the id or key of a run"
                    aria-label="Search"
                    role="combobox"
                    aria-expanded
                    aria-controls={id}
                    aria-activedescendant={at >= 0 ? `${id}-${at}` : undefined}
                    value={text}
                    onChange={(event) => {
                        setText(event.target.value);
                        setActive(0);
                    }}
                    onKeyDown={(event) => {
                        if (event.key === 'ArrowDown') setActive(Math.min(hits.length - 1, at + 1));
                        else if (event.key === 'ArrowUp') setActive(Math.max(0, at - 1));
                        else if (event.key === 'Enter') go(hits[at]);
                        else return;
                        event.preventDefault();
                    }}
                />
            </div>
            <div className={css.list} role="listbox" id={id} aria-label="Found">
                {hits.map((hit, i) => (
                    <div
                        key={hit.key}
                        id={`${id}-${i}`}
                        role="option"
                        aria-selected={i === at}
                        className={css.item}
                        onMouseMove={() => i !== at && setActive(i)}
                        onClick={() => go(hit)}
                    >
                        <Icon name={hit.icon} />
                        {hit.title}
                        <span className={css.kind}>{hit.kind}</span>
                    </div>
                ))}
                {hits.length === 0 && <div className={css.none}>{exact.isFetching ? 'Looking …' : 'Nothing has this name, id or key.'}</div>}
            </div>
        </Dialog>
    );
}
