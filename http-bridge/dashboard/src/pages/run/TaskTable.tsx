import { useMemo, useState } from 'react';
import type { Task } from '../../api/types';
import {
    Button,
    Duration,
    Empty,
    FilterInput,
    FilterSelect,
    formatCount,
    SkeletonRows,
    StateBadge,
    Table,
    taskStates,
    Time,
    wordOf,
    type Column,
} from '../../ui';
import type { RunModel } from './model';
import css from './run.module.css';
import { useVersion } from './useRun';

type Order = 'no' | 'state' | 'started' | 'took';
const took = (task: Task): number => (task.started_at ? (task.finished_at ? Date.parse(task.finished_at) : Date.now()) - Date.parse(task.started_at) : -1);
const rank = new Map<string, number>(taskStates.map((state, i) => [state, i]));
const orders: Record<Order, (a: Task, b: Task) => number> = {
    no: (a, b) => a.task_no - b.task_no,
    state: (a, b) => rank.get(a.state)! - rank.get(b.state)! || a.task_no - b.task_no,
    started: (a, b) => (a.started_at ?? '~').localeCompare(b.started_at ?? '~') || a.task_no - b.task_no,
    took: (a, b) => took(b) - took(a) || a.task_no - b.task_no,
};

interface TaskTableProps {
    model: RunModel;
    chosen: string | null;
    onChoose: (task: string) => void;
    state: string;
    onState: (state: string) => void;
    search: string;
    onSearch: (search: string) => void;
}

export function TaskTable({ model, chosen, onChoose, state, onState, search, onSearch }: TaskTableProps) {
    const version = useVersion(model);
    const [order, setOrder] = useState<Order>('no');
    const rows = useMemo(() => {
        const words = search.trim().toLowerCase();
        const kept = model.tasks.filter((task) => (state === '' || task.state === state) && (words === '' || task.task_id.toLowerCase().includes(words)));
        return kept.sort(orders[order]);
    }, [model, version, state, search, order]);
    const sorted = (by: Order) => ({ onSort: () => setOrder(order === by ? 'no' : by), sorted: order === by ? ('ascending' as const) : undefined });
    const columns: Column<Task>[] = [
        { id: 'state', title: 'State', width: '132px', cell: (task) => <StateBadge state={task.state} />, ...sorted('state') },
        { id: 'task', title: 'Task', width: 'minmax(140px, 1.6fr)', cell: (task) => <span title={task.name ?? undefined}>{task.task_id}</span> },
        {
            id: 'executor',
            title: 'Runs as',
            width: 'minmax(90px, 0.7fr)',
            wide: true,
            cell: (task) => <span className="muted">{task.handler ?? task.executor}</span>,
        },
        { id: 'worker', title: 'Worker', width: 'minmax(90px, 0.8fr)', wide: true, cell: (task) => <span className="muted">{task.worker ?? '–'}</span> },
        {
            id: 'attempt',
            title: 'Attempt',
            width: '76px',
            align: 'right',
            wide: true,
            cell: (task) => (task.attempt > 0 ? `${task.attempt} of ${task.max_attempts}` : <span className="faint">–</span>),
        },
        { id: 'started', title: 'Started', width: '92px', align: 'right', wide: true, cell: (task) => <Time at={task.started_at} />, ...sorted('started') },
        {
            id: 'took',
            title: 'Took',
            width: '84px',
            align: 'right',
            cell: (task) => (task.started_at ? <Duration from={task.started_at} to={task.finished_at} /> : <span className="faint">–</span>),
            ...sorted('took'),
        },
    ];
    if (model.tasks.length === 0 && !model.complete) return <SkeletonRows count={12} />;
    return (
        <div className={css.listed}>
            <div className={css.filters}>
                <FilterInput label="Find a task" value={search} onChange={onSearch} type="search" />
                <FilterSelect
                    label="State"
                    value={state}
                    onChange={onState}
                    options={[
                        ['', 'All states'],
                        ...taskStates
                            .filter((one) => model.counts[one] || one === state)
                            .map((one) => [one, `${wordOf(one)} (${formatCount(model.counts[one] ?? 0)})`] as const),
                    ]}
                />
                <span className={`${css.found} faint`}>
                    {formatCount(rows.length)} {model.complete ? '' : 'so far'}
                </span>
            </div>
            <Table
                label="Tasks"
                rows={rows}
                columns={columns}
                rowKey={(task) => task.task_id}
                chosen={chosen}
                onOpen={(task) => onChoose(task.task_id)}
                autoFocus
                empty={
                    <Empty
                        title={model.tasks.length === 0 ? 'The run has no tasks yet' : 'No task is like that'}
                        actions={
                            model.tasks.length > 0 && (
                                <Button
                                    onClick={() => {
                                        onState('');
                                        onSearch('');
                                    }}
                                >
                                    Show all
                                </Button>
                            )
                        }
                    />
                }
            />
        </div>
    );
}
