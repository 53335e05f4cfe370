import { useQuery } from '@tanstack/react-query';
import { useMemo } from 'react';
import { useSearchParams } from 'wouter';
import type { Version } from '../../api/types';
import { changesOf, diffLines, hunksOf } from '../../source/diff';
import { ordered, toYaml } from '../../source/text';
import { Empty, Failure, FilterSelect, formatCount, Panel, SkeletonRows, Table, Time, type Column } from '../../ui';
import { versionDetail, versionList } from './queries';
import css from './workflows.module.css';

const columns: Column<Version>[] = [
    { id: 'version', title: 'Version', width: '76px', cell: (one) => <span className={css.strong}>{one.version}</span> },
    { id: 'label', title: 'Label', width: 'minmax(50px, 1fr)', cell: (one) => <span className="muted">{one.label}</span> },
    { id: 'by', title: 'Stored by', width: 'minmax(60px, 1fr)', wide: true, cell: (one) => <span className="muted">{one.created_by}</span> },
    {
        id: 'at',
        title: 'Stored',
        width: '84px',
        align: 'right',
        cell: (one) => (
            <span className="muted">
                <Time at={one.created_at} />
            </span>
        ),
    },
];

function Difference({ workflow, from, to }: { workflow: string; from: number; to: number }) {
    const before = useQuery(versionDetail(workflow, from));
    const after = useQuery(versionDetail(workflow, to));
    const lines = useMemo(
        () => before.data && after.data && diffLines(toYaml(ordered(before.data.spec)), toYaml(ordered(after.data.spec))),
        [before.data, after.data],
    );
    const error = before.error ?? after.error;
    if (error) return <Failure error={error} onRetry={() => void Promise.all([before.refetch(), after.refetch()])} />;
    if (!lines) return <SkeletonRows count={8} />;
    const changes = changesOf(lines);
    if (changes.gone + changes.new === 0)
        return (
            <Empty icon="check" title="They say the same">
                Only the order of names differs, or nothing.
            </Empty>
        );
    return (
        <div className={css.diff} tabIndex={0} role="region" aria-label={`What version ${to} changes in version ${from}`}>
            {hunksOf(lines).map((part, i) =>
                'left' in part ? (
                    <div key={i} className={css.leftOut}>
                        {formatCount(part.left)} lines that are the same
                    </div>
                ) : (
                    <div key={i}>
                        {part.lines.map((line, j) => (
                            <div key={j} className={css.diffLine} data-kind={line.kind}>
                                <span aria-hidden="true">{line.old}</span>
                                <span aria-hidden="true">{line.now}</span>
                                <span aria-label={line.kind === 'gone' ? 'taken away' : line.kind === 'new' ? 'put in' : undefined}>
                                    {line.kind === 'gone' ? '−' : line.kind === 'new' ? '+' : ' '}
                                </span>
                                <code>{line.text || ' '}</code>
                            </div>
                        ))}
                    </div>
                ),
            )}
        </div>
    );
}

export function Versions({ workflow }: { workflow: string }) {
    const [address, setAddress] = useSearchParams();
    const versions = useQuery(versionList(workflow));
    if (versions.isPending) return <SkeletonRows />;
    if (versions.isError) return <Failure error={versions.error} onRetry={() => void versions.refetch()} />;
    const all = versions.data.items;
    const to = Number(address.get('version')) || all[0]!.version;
    const from = Number(address.get('with')) || Math.max(1, to - 1);
    const set = (name: string, value: number, without?: string): void =>
        setAddress(
            (before) => {
                const next = new URLSearchParams(before);
                next.set(name, String(value));
                if (without) next.delete(without);
                return next;
            },
            { replace: true },
        );
    return (
        <div className={css.split}>
            <Panel className={css.fills}>
                <Table
                    label="Versions"
                    rows={all}
                    columns={columns}
                    rowKey={(one) => String(one.version)}
                    chosen={String(to)}
                    onOpen={(one) => set('version', one.version, 'with')}
                    autoFocus
                />
            </Panel>
            <Panel
                className={css.fills}
                title={`Version ${to}`}
                note={all.length > 1 ? 'against' : undefined}
                actions={
                    all.length > 1 && (
                        <div className={css.language}>
                            <FilterSelect
                                label="Compared with"
                                value={String(from)}
                                onChange={(version) => set('with', Number(version))}
                                options={all.filter((one) => one.version !== to).map((one) => [String(one.version), `version ${one.version}`] as const)}
                            />
                        </div>
                    )
                }
            >
                {all.length < 2 || from === to ? (
                    <Empty title={all.length < 2 ? 'There is one version' : 'The first version'}>Choose another to compare, once there is one.</Empty>
                ) : (
                    <Difference workflow={workflow} from={from} to={to} />
                )}
            </Panel>
        </div>
    );
}
