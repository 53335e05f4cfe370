// The list of runs: its pages, asked for as one scrolls, and what the feed brings.
import { useInfiniteQuery, useQueryClient, type InfiniteData } from '@tanstack/react-query';
import { useCallback, useEffect, useMemo, useRef, useState } from 'react';
import { get } from '../../api/client';
import type { Event, Page, Run } from '../../api/types';
import { useFeed, useFeedStatus } from '../../app/useFeed';
import { runEventKinds } from '../runEvents';
import { queryOf, type RunFilters } from './filters';
import { bringsNew, countNew, mergeHead, patchPages, type RunPages } from './list';

const headSize = 100;
const between = 1500;

/** `held`: whether the list is being read or chosen from, so that nothing may be pushed in at its top; `kept`: what stays though it no longer fits. */
export function useRuns(filters: RunFilters, held: () => boolean, kept: ReadonlySet<string>) {
    const client = useQueryClient();
    // A span back from now is fixed when it is chosen, else each moment would be another list.
    const query = useMemo(() => queryOf(filters, Date.now()), [filters]);
    const key = useMemo(() => ['runs', 'list', query], [query]);
    const [waiting, setWaiting] = useState<Page<Run> | null>(null);
    const list = useInfiniteQuery({
        queryKey: key,
        queryFn: ({ pageParam, signal }) => get<Page<Run>>('/runs', { ...query, limit: pageParam ? 500 : headSize, cursor: pageParam }, signal),
        initialPageParam: '',
        getNextPageParam: (last) => last.next_cursor ?? undefined,
        staleTime: Infinity,
        refetchOnWindowFocus: false,
        refetchOnReconnect: false,
        gcTime: 60_000,
    });
    const latest = useRef({ held, kept, filters });
    useEffect(() => {
        latest.current = { held, kept, filters };
    });

    const change = useCallback(
        (to: (data: RunPages) => RunPages) => {
            client.setQueryData<InfiniteData<Page<Run>, string>>(key, (data) => data && (to(data as RunPages) as InfiniteData<Page<Run>, string>));
        },
        [client, key],
    );
    const show = useCallback(() => {
        if (waiting) change((data) => mergeHead(data, waiting));
        setWaiting(null);
    }, [change, waiting]);

    // The newest page is asked for once in a while, however many events come.
    const timer = useRef<{ id: ReturnType<typeof setTimeout> | undefined; last: number }>({ id: undefined, last: 0 });
    const refresh = useCallback(() => {
        if (timer.current.id !== undefined) return;
        timer.current.id = setTimeout(
            async () => {
                timer.current.last = Date.now();
                try {
                    const head = await get<Page<Run>>('/runs', { ...query, limit: headSize });
                    const data = client.getQueryData<InfiniteData<Page<Run>, string>>(key) as RunPages | undefined;
                    if (!data) return;
                    if (latest.current.held() && countNew(data, head) > 0) setWaiting(head);
                    else {
                        setWaiting(null);
                        change((now) => mergeHead(now, head));
                    }
                } catch {
                    // The next event asks again.
                } finally {
                    timer.current.id = undefined;
                }
            },
            Math.max(60, timer.current.last + between - Date.now()),
        );
    }, [change, client, key, query]);
    useEffect(() => {
        setWaiting(null);
        const mine = timer.current;
        return () => {
            clearTimeout(mine.id);
            mine.id = undefined;
        };
    }, [key]);

    const onEvents = useCallback(
        (batch: Event[]) => {
            const data = client.getQueryData<InfiniteData<Page<Run>, string>>(key) as RunPages | undefined;
            if (!data) return;
            if (bringsNew(data, batch, latest.current.filters)) refresh();
            const patched = patchPages(data, batch, latest.current.filters, latest.current.kept);
            if (patched !== data) change(() => patched);
        },
        [change, client, key, refresh],
    );
    useFeed({ path: '/events', query: { kind: runEventKinds.join(), workflow: filters.workflow || undefined }, onEvents });
    // What happened before the stream began, or while it was broken.
    const status = useFeedStatus();
    useEffect(() => {
        if (status === 'live' && client.getQueryData(key)) refresh();
    }, [status, client, key, refresh]);

    const rows = useMemo(() => list.data?.pages.flatMap((page) => page.items) ?? [], [list.data]);
    const { hasNextPage, isFetchingNextPage, fetchNextPage } = list;
    const more = useCallback(() => {
        if (hasNextPage && !isFetchingNextPage) void fetchNextPage();
    }, [hasNextPage, isFetchingNextPage, fetchNextPage]);
    return { list, rows, more, refresh, waiting: waiting && list.data ? countNew(list.data as RunPages, waiting) : 0, show };
}
