// Tasks that wait for a person, who has waited longest first.
import { useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { useLocation } from 'wouter';
import { segment } from '../../api/client';
import type { Approval, Me } from '../../api/types';
import { mayDo, useSession } from '../../app/session';
import { Button, PageBody, PageHead, Time, type Column } from '../../ui';
import { List, listCss as css } from '../lists/List';
import { usePaged, useRefresh } from '../lists/paged';
import { RunLink } from '../lists/RunLink';
import { Decide } from './Decide';
import { mayDecide } from './may';

const kinds = ['task_waiting', 'task_succeeded', 'task_timed_out', 'task_cancelled', 'run_cancelled'];

export default function Approvals() {
    const list = usePaged<Approval>('/approvals');
    useRefresh(['/approvals'], kinds);
    const session = useSession();
    const [, navigate] = useLocation();
    const client = useQueryClient();
    const [deciding, setDeciding] = useState<{ approval: Approval; approved: boolean } | null>(null);
    const me: Me | null = session.state === 'in' ? session.me : null;
    const may = (one: Approval): boolean => me !== null && mayDecide((role) => mayDo(me, role), one.roles);
    const columns: Column<Approval>[] = [
        {
            id: 'task',
            title: 'Waits for a decision',
            width: 'minmax(150px, 2fr)',
            cell: (one) => (
                <span title={`${one.workflow} · ${one.task_id}`}>
                    {one.task_id} <span className="faint">{one.workflow}</span>
                </span>
            ),
        },
        { id: 'run', title: 'Run', width: '140px', wide: true, cell: (one) => <RunLink run={one.run_id} task={one.task_id} /> },
        {
            id: 'roles',
            title: 'Who may',
            width: 'minmax(110px, 1fr)',
            wide: true,
            cell: (one) =>
                one.roles ? (
                    one.roles.map((role) => (
                        <span key={role} className={css.chip}>
                            {role}
                        </span>
                    ))
                ) : (
                    <span className="muted">operators</span>
                ),
        },
        { id: 'since', title: 'Since', width: '80px', align: 'right', wide: true, cell: (one) => <Time at={one.since} /> },
        {
            id: 'due',
            title: 'Times out',
            width: '88px',
            align: 'right',
            wide: true,
            cell: (one) => (one.due_at ? <Time at={one.due_at} /> : <span className="faint">never</span>),
        },
        {
            id: 'actions',
            title: <span className="sr-only">Decide</span>,
            width: '166px',
            align: 'right',
            cell: (one) =>
                may(one) ? (
                    <span className="row" style={{ justifyContent: 'flex-end', gap: 4 }}>
                        <Button small danger onClick={() => setDeciding({ approval: one, approved: false })} aria-label={`Reject ${one.task_id}`}>
                            Reject
                        </Button>
                        <Button small icon="check" onClick={() => setDeciding({ approval: one, approved: true })} aria-label={`Approve ${one.task_id}`}>
                            Approve
                        </Button>
                    </span>
                ) : (
                    <span className="faint">not yours</span>
                ),
        },
    ];
    return (
        <>
            <PageHead title="Approvals" note="Tasks that wait for a person" />
            <PageBody fill>
                <List
                    label="Approvals"
                    list={list}
                    columns={columns}
                    rowKey={(one) => `${one.run_id} ${one.task_id}`}
                    onOpen={(one) => navigate(`/runs/${segment(one.run_id)}?task=${segment(one.task_id)}`)}
                    empty={{
                        icon: 'approvals',
                        title: 'Nobody is waited for',
                        children: (
                            <>
                                A task with <code>approval</code> waits here until somebody decides.
                            </>
                        ),
                    }}
                />
            </PageBody>
            {deciding && <Decide {...deciding} onClose={() => setDeciding(null)} onDone={() => void client.invalidateQueries({ queryKey: ['/approvals'] })} />}
        </>
    );
}
