import { useInfiniteQuery } from '@tanstack/react-query';
import { useVirtualizer } from '@tanstack/react-virtual';
import { useEffect, useRef } from 'react';
import { get, segment } from '../../api/client';
import type { Log, Page } from '../../api/types';
import { Empty, Failure, formatTime, SkeletonRows } from '../../ui';
import css from './Logs.module.css';

interface LogsProps {
    run: string;
    /** Of one task; without it of all. */
    task?: string;
    /** It may still write. */
    live: boolean;
    onChoose?: (task: string) => void;
}

export function Logs({ run, task, live, onChoose }: LogsProps) {
    const path = task === undefined ? `/runs/${segment(run)}/logs` : `/runs/${segment(run)}/tasks/${segment(task)}/logs`;
    const logs = useInfiniteQuery({
        queryKey: ['logs', run, task ?? null],
        queryFn: ({ pageParam, signal }) => get<Page<Log>>(path, { limit: 500, cursor: pageParam }, signal),
        initialPageParam: null as string | null,
        getNextPageParam: (page) => page.next_cursor,
        // Lines have no events.
        refetchInterval: live ? 5000 : false,
    });
    const scroller = useRef<HTMLDivElement>(null);
    const lines = logs.data?.pages.flatMap((page) => page.items) ?? [];
    const virtual = useVirtualizer({
        count: lines.length,
        getScrollElement: () => scroller.current,
        estimateSize: () => 20,
        overscan: 20,
        measureElement: (element) => element.getBoundingClientRect().height,
    });
    const shown = virtual.getVirtualItems();
    const last = shown.at(-1)?.index ?? -1;
    useEffect(() => {
        if (last >= lines.length - 50 && logs.hasNextPage && !logs.isFetchingNextPage) void logs.fetchNextPage();
    }, [last, lines.length, logs]);
    if (logs.isPending) return <SkeletonRows count={6} />;
    if (logs.isError) return <Failure error={logs.error} onRetry={() => void logs.refetch()} />;
    if (lines.length === 0)
        return (
            <Empty title="Nothing was written">
                {live ? 'Lines are here some seconds after a task wrote them.' : 'What commands and handlers log is here.'}
            </Empty>
        );
    return (
        <div ref={scroller} className={css.logs} tabIndex={0} role="region" aria-label="Log lines">
            <div style={{ height: virtual.getTotalSize(), position: 'relative' }}>
                {shown.map((item) => {
                    const line = lines[item.index]!;
                    return (
                        <div
                            key={item.key}
                            ref={virtual.measureElement}
                            data-index={item.index}
                            className={css.line}
                            data-stream={line.stream}
                            style={{ transform: `translateY(${item.start}px)` }}
                        >
                            <span className={css.at} title={formatTime(Date.parse(line.at), true)}>
                                {formatTime(Date.parse(line.at), true).slice(11)}
                            </span>
                            {task === undefined && (
                                <button type="button" className={`${css.task} truncate`} onClick={() => onChoose?.(line.task_id)}>
                                    {line.task_id}
                                </button>
                            )}
                            <span className={css.stream}>{line.stream}</span>
                            <span className={css.text}>{line.line}</span>
                        </div>
                    );
                })}
            </div>
        </div>
    );
}
