// What goes on, or ends, by the clock alone; the next one first.
import { useLocation } from 'wouter';
import { segment } from '../api/client';
import type { Timer } from '../api/types';
import { PageBody, PageHead, Time, useNow, type Column } from '../ui';
import { List, listCss as css } from './lists/List';
import { usePaged, useRefresh } from './lists/paged';
import { RunLink } from './lists/RunLink';

const meanings: Record<string, string> = {
    retry: 'tries again',
    sleep: 'has slept enough',
    until: 'its time has come',
    run_at: 'the run starts',
    run_timeout: 'the run times out',
    signal: 'no signal came in time',
    approval: 'nobody decided in time',
    workflow: 'the child run took too long',
};
const kinds = ['timer_created', 'timer_fired', 'task_retry_scheduled', 'task_waiting', 'run_triggered', 'run_cancelled', 'run_succeeded', 'run_failed'];

function Due({ at }: { at: string }) {
    const late = useNow() > Date.parse(at) + 5000;
    return (
        <span className={late ? css.bad : undefined}>
            <Time at={at} />
        </span>
    );
}

export default function Timers() {
    const list = usePaged<Timer>('/timers');
    useRefresh(['/timers'], kinds);
    const [, navigate] = useLocation();
    const columns: Column<Timer>[] = [
        { id: 'due', title: 'Due', width: '92px', cell: (one) => <Due at={one.due_at} /> },
        {
            id: 'at',
            title: 'At',
            width: '190px',
            wide: true,
            cell: (one) => (
                <span className="muted">
                    <Time at={one.due_at} absolute />
                </span>
            ),
        },
        { id: 'what', title: 'What happens then', width: 'minmax(140px, 1fr)', cell: (one) => meanings[one.kind] ?? one.kind },
        { id: 'kind', title: 'Kind', width: '110px', wide: true, cell: (one) => <span className={css.chip}>{one.kind}</span> },
        { id: 'task', title: 'Task', width: 'minmax(110px, 1fr)', wide: true, cell: (one) => one.task_id ?? <span className="faint">the run itself</span> },
        { id: 'run', title: 'Run', width: '130px', cell: (one) => <RunLink run={one.run_id} task={one.task_id} /> },
    ];
    return (
        <>
            <PageHead title="Timers" note="What goes on by the clock, the next one first" />
            <PageBody fill>
                <List
                    label="Timers"
                    list={list}
                    columns={columns}
                    rowKey={(one) => `${one.run_id} ${one.task_id ?? ''} ${one.kind}`}
                    onOpen={(one) => navigate(`/runs/${segment(one.run_id)}${one.task_id ? `?task=${segment(one.task_id)}` : ''}`)}
                    empty={{ icon: 'timers', title: 'Nothing waits for the clock', children: 'Retries, sleeping tasks and the ends of patience stand here.' }}
                />
            </PageBody>
        </>
    );
}
