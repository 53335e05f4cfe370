// The events of a run: pages as one scrolls, and behind the last one what comes.
import { useCallback, useEffect, useRef, useState } from 'react';
import { get, segment } from '../../api/client';
import type { Event, EventPage } from '../../api/types';
import { Dialog, Empty, Failure, formatTime, JsonView, SkeletonRows, Table, wordOf, type Column } from '../../ui';
import type { LoadedRun } from './useRun';

export const summary = (event: Event): string => {
    const data = event.data as Record<string, unknown>;
    const error = data['error'] as { message?: string } | undefined;
    const parts: string[] = [];
    if (typeof data['attempt'] === 'number' && data['attempt'] > 1) parts.push(`attempt ${data['attempt']}`);
    if (error?.message) parts.push(error.message);
    else if (data['output'] !== undefined && data['output'] !== null) parts.push(JSON.stringify(data['output']));
    else if (data['input'] !== undefined) parts.push(JSON.stringify(data['input']));
    return parts.join(' · ').slice(0, 300);
};

const columns: Column<Event>[] = [
    {
        id: 'at',
        title: 'At',
        width: '104px',
        cell: (event) => <span title={formatTime(Date.parse(event.at), true)}>{formatTime(Date.parse(event.at), true).slice(11)}</span>,
    },
    { id: 'kind', title: 'Event', width: 'minmax(130px, 0.8fr)', cell: (event) => wordOf(event.kind) },
    { id: 'task', title: 'Task', width: 'minmax(100px, 0.8fr)', cell: (event) => event.task_id ?? <span className="faint">the run</span> },
    { id: 'what', title: 'What', width: 'minmax(140px, 2fr)', wide: true, cell: (event) => <span className="muted mono">{summary(event)}</span> },
    { id: 'actor', title: 'By', width: 'minmax(90px, 0.8fr)', wide: true, cell: (event) => <span className="faint">{event.actor}</span> },
];

export function History({ run, loaded }: { run: string; loaded: LoadedRun }) {
    const [events, setEvents] = useState<readonly Event[] | null>(null);
    const [error, setError] = useState<unknown>(null);
    const [shown, setShown] = useState<Event | null>(null);
    const after = useRef(0);
    const ended = useRef(false);
    const busy = useRef(false);

    const more = useCallback(async () => {
        if (busy.current || ended.current) return;
        busy.current = true;
        try {
            const page = await get<EventPage>(`/runs/${segment(run)}/events`, { after: after.current, limit: 500 });
            ended.current = page.next_after === after.current || page.items.length === 0;
            after.current = page.next_after;
            setEvents((before) => [...(before ?? []), ...page.items]);
            setError(null);
        } catch (caught) {
            setError(caught);
        }
        busy.current = false;
    }, [run]);
    useEffect(() => {
        void more();
    }, [more]);
    const { onEvents } = loaded;
    useEffect(
        () =>
            onEvents((batch) => {
                // Before the end is reached, pages bring them.
                if (!ended.current) return;
                const fresh = batch.filter((event) => (event.pos ?? 0) > after.current);
                if (fresh.length === 0) return;
                after.current = fresh.at(-1)!.pos ?? after.current;
                setEvents((before) => [...(before ?? []), ...fresh]);
            }),
        [onEvents],
    );

    if (error !== null && events === null) return <Failure error={error} onRetry={() => void more()} />;
    if (events === null) return <SkeletonRows count={14} />;
    return (
        <>
            <Table
                label="Events"
                rows={events}
                columns={columns}
                rowKey={(event) => `${event.task_id ?? ''}/${event.no}`}
                onOpen={setShown}
                onEnd={() => void more()}
                autoFocus
                empty={<Empty title="Its history is gone">It was taken away after the time that histories are kept.</Empty>}
            />
            {shown && (
                <Dialog title={`${wordOf(shown.kind)}${shown.task_id ? `: ${shown.task_id}` : ''}`} width={680} onClose={() => setShown(null)}>
                    <JsonView value={shown} />
                </Dialog>
            )}
        </>
    );
}
