import { useQuery } from '@tanstack/react-query';
import { useMemo, useState } from 'react';
import { Link, useLocation, useSearchParams } from 'wouter';
import type { PageProps } from '../../app/pages';
import { useMay } from '../../app/session';
import { Button, Empty, Failure, formatCount, Icon, PageBody, PageHead, SkeletonRows, Tabs, Time } from '../../ui';
import { RunList } from '../runs/RunList';
import { isState, noFilters } from '../runs/filters';
import type { Json } from '../../source/text';
import { DefinitionGraph } from './DefinitionGraph';
import { nameIn, versionDetail, versionList, workflowDetail, workflowPath } from './queries';
import { Source } from './Source';
import { tasksOf } from './spec';
import { TriggerDialog } from './TriggerDialog';
import { Versions } from './Versions';
import css from './workflows.module.css';

type TabId = 'graph' | 'runs' | 'source' | 'versions';
const tabIds: readonly string[] = ['graph', 'runs', 'source', 'versions'];

export default function WorkflowPage({ params }: PageProps) {
    const workflow = nameIn(params['workflow']);
    const [address, setAddress] = useSearchParams();
    const [, navigate] = useLocation();
    const asked = address.get('tab') ?? '';
    const tab = (tabIds.includes(asked) ? asked : 'graph') as TabId;
    const operator = useMay('operator');
    const admin = useMay('admin');
    const [trigger, setTrigger] = useState(false);
    const detail = useQuery(workflowDetail(workflow));
    const versions = useQuery(versionList(workflow));
    const current = detail.data?.version;
    // Graph and source may be those of an older version; the address says of which.
    const wanted = Number(address.get('version')) || current;
    const older = useQuery({
        ...versionDetail(workflow, wanted ?? 0),
        enabled: wanted !== undefined && wanted !== current && (tab === 'source' || tab === 'graph'),
    });
    const state = address.get('state') ?? '';
    const filters = useMemo(() => ({ ...noFilters, workflow, state: isState(state) ? state : ('' as const) }), [workflow, state]);
    if (detail.isPending) return <SkeletonRows count={12} />;
    if (detail.isError) return <Failure error={detail.error} onRetry={() => void detail.refetch()} />;
    const one = detail.data;
    const spec = (wanted === current ? one.spec : older.data?.spec) as Json | undefined;
    const tasks = tasksOf(one.spec as Json);
    const ofOld = wanted !== current && wanted !== undefined;
    return (
        <>
            <PageHead
                name={workflow}
                title={
                    <span className={css.title}>
                        <Link href="/workflows" className="faint">
                            Workflows
                        </Link>
                        <Icon name="chevron" size={12} />
                        <span>{workflow}</span>
                    </span>
                }
                note={
                    <span className="row wrap">
                        {one.name && <span>{one.name}</span>}
                        <span className="faint">
                            version {one.version} · {formatCount(tasks.length)} {tasks.length === 1 ? 'task' : 'tasks'}
                            {one.owner && ` · ${one.owner}`} · since <Time at={one.created_at} />
                        </span>
                        {one.paused && <span className={css.paused}>paused</span>}
                    </span>
                }
                actions={
                    <>
                        {admin && (
                            <Button icon="edit" onClick={() => navigate(`${workflowPath(workflow)}/edit`)}>
                                Edit
                            </Button>
                        )}
                        {operator && (
                            <Button kind="primary" icon="runs" onClick={() => setTrigger(true)}>
                                Trigger
                            </Button>
                        )}
                    </>
                }
            />
            <PageBody fill>
                {one.description && <p className={css.description}>{one.description}</p>}
                <div className={css.tabs}>
                    <Tabs
                        label="Views"
                        value={tab}
                        onChange={(id) => setAddress(id === 'graph' ? {} : { tab: id })}
                        tabs={[
                            { id: 'graph', title: 'Graph' },
                            { id: 'runs', title: 'Runs' },
                            { id: 'source', title: 'Source' },
                            { id: 'versions', title: 'Versions', count: versions.data?.items.length },
                        ]}
                    />
                </div>
                <div className={css.tabBody}>
                    {(tab === 'graph' || tab === 'source') && ofOld && (
                        <div className={css.older}>
                            This is version {wanted}; {current} is the current one.
                            <button type="button" className={css.textButton} onClick={() => setAddress(tab === 'graph' ? {} : { tab })}>
                                Show that
                            </button>
                        </div>
                    )}
                    {tab === 'runs' ? (
                        <RunList
                            filters={filters}
                            ofOne
                            onTag={(tag) => navigate(`/runs?workflow=${encodeURIComponent(workflow)}&tag=${encodeURIComponent(tag)}`)}
                            autoFocus
                            empty={
                                <Empty
                                    icon="runs"
                                    title="It has not run yet"
                                    actions={
                                        operator && (
                                            <Button kind="primary" icon="runs" onClick={() => setTrigger(true)}>
                                                Trigger
                                            </Button>
                                        )
                                    }
                                />
                            }
                        />
                    ) : tab === 'versions' ? (
                        <Versions workflow={workflow} />
                    ) : older.isError ? (
                        <Failure error={older.error} onRetry={() => void older.refetch()} />
                    ) : spec === undefined ? (
                        <SkeletonRows count={10} />
                    ) : tab === 'source' ? (
                        <Source name={workflow} spec={spec} title={`Version ${wanted}`} />
                    ) : (
                        <DefinitionGraph spec={spec} framed inAddress />
                    )}
                </div>
            </PageBody>
            {trigger && <TriggerDialog workflow={workflow} version={ofOld && tab === 'source' ? wanted : undefined} onClose={() => setTrigger(false)} />}
        </>
    );
}
