// Circuit breakers: which services are kept from being called, since when, and how many tasks wait for that.
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useMemo, useState } from 'react';
import { get, post, segment } from '../api/client';
import type { Circuit, Page } from '../api/types';
import { useMay } from '../app/session';
import {
    ActionDialog,
    Button,
    Empty,
    Failure,
    formatCount,
    PageBody,
    PageHead,
    Panel,
    quoted,
    SkeletonRows,
    StateBadge,
    Table,
    Time,
    toast,
    type Column,
} from '../ui';
import { listCss as css } from './lists/List';

const urgency = { open: 0, half_open: 1, closed: 2 } as const;

export default function Circuits() {
    const circuits = useQuery({ queryKey: ['circuits'], queryFn: ({ signal }) => get<Page<Circuit>>('/circuits', undefined, signal), refetchInterval: 5000 });
    const may = useMay('operator');
    const client = useQueryClient();
    const [resetting, setResetting] = useState<Circuit | null>(null);
    const rows = useMemo(
        () => [...(circuits.data?.items ?? [])].sort((a, b) => urgency[a.state] - urgency[b.state] || a.circuit.localeCompare(b.circuit)),
        [circuits.data],
    );
    const columns: Column<Circuit>[] = [
        { id: 'circuit', title: 'Circuit', width: 'minmax(84px, 1fr)', cell: (one) => one.circuit },
        { id: 'state', title: 'State', width: '100px', cell: (one) => <StateBadge state={one.state} /> },
        { id: 'failures', title: 'Failures in a row', width: '120px', align: 'right', wide: true, cell: (one) => formatCount(one.failures_in_row) },
        { id: 'opened', title: 'Opened', width: '96px', align: 'right', wide: true, cell: (one) => <Time at={one.opened_at} /> },
        {
            id: 'half',
            title: 'Next attempt',
            width: '108px',
            align: 'right',
            wide: true,
            cell: (one) => (one.probing ? 'under way' : <Time at={one.half_open_at} />),
        },
        {
            id: 'waiting',
            title: 'Tasks wait',
            width: '86px',
            align: 'right',
            cell: (one) => (one.waiting === 0 ? <span className="faint">0</span> : formatCount(one.waiting)),
        },
        ...(may
            ? ([
                  {
                      id: 'reset',
                      title: <span className="sr-only">Reset</span>,
                      width: '82px',
                      align: 'right',
                      cell: (one) =>
                          one.state !== 'closed' && (
                              <Button small onClick={() => setResetting(one)} aria-label={`Close ${one.circuit}`}>
                                  Close
                              </Button>
                          ),
                  },
              ] satisfies Column<Circuit>[])
            : []),
    ];
    return (
        <>
            <PageHead title="Circuits" note="Services that are left alone for a while after too many failures" />
            <PageBody fill>
                <Panel className={css.rows}>
                    {circuits.isPending ? (
                        <SkeletonRows count={4} />
                    ) : circuits.isError && !circuits.data ? (
                        <Failure error={circuits.error} onRetry={() => void circuits.refetch()} />
                    ) : (
                        <Table
                            label="Circuits"
                            rows={rows}
                            columns={columns}
                            rowKey={(one) => `${one.tenant ?? ''} ${one.circuit}`}
                            empty={
                                <Empty icon="circuits" title="No definition names a circuit">
                                    A task with <code>circuit</code> shares one with all that name the same: it opens after failures in a row, and lets one
                                    attempt through later.
                                </Empty>
                            }
                        />
                    )}
                </Panel>
            </PageBody>
            {resetting && (
                <ActionDialog
                    title={`Close the circuit ${resetting.circuit}`}
                    verb="Close it"
                    sql={`select orch.reset_circuit(${quoted(resetting.circuit)});`}
                    run={async () => {
                        const { reset } = await post<{ reset: boolean }>(`/circuits/${segment(resetting.circuit)}/reset`);
                        toast.done(reset ? `${resetting.circuit} is closed: its tasks start again` : `${resetting.circuit} was closed already`);
                    }}
                    onDone={() => void client.invalidateQueries({ queryKey: ['circuits'] })}
                    onClose={() => setResetting(null)}
                >
                    <p className="muted">
                        Attempts are let through at once
                        {resetting.waiting > 0 ? `: ${formatCount(resetting.waiting)} ${resetting.waiting === 1 ? 'task waits' : 'tasks wait'} for that` : ''}.
                        It opens again after as many failures as before.
                    </p>
                </ActionDialog>
            )}
        </>
    );
}
