// A run: graph and timeline beside the chosen task, or one list; all of it follows the run. What is looked at is in the address.
import { lazy, Suspense, useCallback, useEffect } from 'react';
import { useSearchParams } from 'wouter';
import type { PageProps } from '../../app/pages';
import { Failure, JsonView, Panel, SkeletonRows, Skeleton, Tabs, useMedia } from '../../ui';
import { Head } from './Head';
import { History } from './History';
import { Logs } from './Logs';
import css from './run.module.css';
import { RunPanel } from './RunPanel';
import { TaskPanel } from './TaskPanel';
import { TaskTable } from './TaskTable';
import { Timeline } from './Timeline';
import { usePayloads, useRow, useRun, useVersion } from './useRun';
import { isOver, type Run } from '../../api/types';
import { readView, writeView, type View } from './view';

// Loaded beside the rows that it will show, and not behind them.
const graphView = import('./GraphView').then((module) => ({ default: module.GraphView }));
const GraphView = lazy(() => graphView);

export default function RunPage({ params }: PageProps) {
    const id = params['run']!;
    return <RunOf key={id} id={id} />;
}

function RunOf({ id }: { id: string }) {
    const loaded = useRun(id);
    const { model, error, reload } = loaded;
    const run = useRow(model);
    useVersion(model);
    const [search, setSearch] = useSearchParams();
    const looked = readView(search);
    const narrow = useMedia('(max-width: 1000px)');
    const look = useCallback((change: Partial<View>) => setSearch((before) => writeView(before, change), { replace: true }), [setSearch]);
    const choose = useCallback((task: string | null) => look({ task }), [look]);
    const chooseOne = useCallback((task: string) => look({ task }), [look]);

    useEffect(() => {
        document.title = run ? `${run.workflow} · ${run.state} · orch` : 'Run · orch';
    }, [run?.workflow, run?.state]);
    useEffect(() => {
        if (looked.task === null) return;
        const onKey = (event: KeyboardEvent): void => {
            if (event.key === 'Escape' && !event.defaultPrevented && !document.querySelector('dialog[open]')) choose(null);
        };
        document.addEventListener('keydown', onKey);
        return () => document.removeEventListener('keydown', onKey);
    }, [looked.task, choose]);

    if (error !== null && run === null) return <Failure error={error} onRetry={reload} />;
    if (run === null)
        return (
            <div style={{ padding: 20, display: 'grid', gap: 14 }}>
                <Skeleton width="24ch" height={18} />
                <SkeletonRows count={10} />
            </div>
        );
    const live = !isOver(run.state);
    const failure = error !== null && <Failure error={error} onRetry={reload} />;
    return (
        <div className={css.page}>
            <Head run={run} model={model} onState={(state) => look({ view: 'tasks', state, search: '' })} />
            <div className={css.tabs}>
                <Tabs
                    label="What is shown of the run"
                    value={looked.view}
                    onChange={(view) => look({ view })}
                    tabs={[
                        { id: 'graph', title: 'Graph' },
                        { id: 'tasks', title: 'Tasks', count: model.tasks.length || null },
                        { id: 'events', title: 'Events' },
                        { id: 'logs', title: 'Logs' },
                        { id: 'data', title: 'Input and output' },
                    ]}
                />
            </div>
            <div className={css.body}>
                <div className={`${css.left} ${looked.view === 'graph' ? '' : css.single}`}>
                    {looked.view === 'graph' && (
                        <>
                            <div>
                                {failure || (
                                    <Suspense fallback={null}>
                                        <GraphView
                                            model={model}
                                            chosen={looked.task}
                                            onChoose={choose}
                                            onList={(text) => look({ view: 'tasks', search: text, state: '' })}
                                        />
                                    </Suspense>
                                )}
                            </div>
                            <div className={css.lower}>
                                <Timeline model={model} chosen={looked.task} onChoose={chooseOne} />
                            </div>
                        </>
                    )}
                    {looked.view === 'tasks' && (
                        <div className={css.list}>
                            <TaskTable
                                model={model}
                                chosen={looked.task}
                                onChoose={chooseOne}
                                state={looked.state}
                                onState={(state) => look({ state })}
                                search={looked.search}
                                onSearch={(text) => look({ search: text })}
                            />
                        </div>
                    )}
                    {looked.view === 'events' && (
                        <div className={css.list}>
                            <History run={id} loaded={loaded} />
                        </div>
                    )}
                    {looked.view === 'logs' && (
                        <div className={css.list}>
                            <Logs run={id} live={live} onChoose={chooseOne} />
                        </div>
                    )}
                    {looked.view === 'data' && (
                        <div className={css.list}>
                            <Payloads run={run} />
                        </div>
                    )}
                </div>
                {(looked.task !== null || !narrow || looked.view === 'graph') && (
                    <aside className={css.right} data-task={looked.task !== null} aria-label="Details">
                        {looked.task !== null ? (
                            <TaskPanel key={looked.task} model={model} run={run} id={looked.task} onChoose={choose} onChange={reload} />
                        ) : (
                            <RunPanel model={model} run={run} ready={model.complete} onChoose={chooseOne} />
                        )}
                    </aside>
                )}
            </div>
        </div>
    );
}

function Payloads({ run }: { run: Run }) {
    const payloads = usePayloads(run);
    if (payloads.isPending) return <SkeletonRows count={8} />;
    if (payloads.isError) return <Failure error={payloads.error} onRetry={() => void payloads.refetch()} />;
    const { input, output, error } = payloads.data;
    return (
        <div className={css.data}>
            {error && (
                <Panel title="Error">
                    <JsonView value={error} />
                </Panel>
            )}
            <Panel title="Output">
                <JsonView value={output} />
            </Panel>
            <Panel title="Input">
                <JsonView value={input} />
            </Panel>
        </div>
    );
}
