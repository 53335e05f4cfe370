// Lists that are asked for page by page, and asked again when something happened that changes them.
import { useInfiniteQuery, useQueryClient } from '@tanstack/react-query';
import { useCallback, useEffect, useMemo, useRef } from 'react';
import { get, type Query } from '../../api/client';
import type { Page } from '../../api/types';
import { useFeed, useFeedStatus } from '../../app/useFeed';

export interface Paged<Row> {
    rows: Row[];
    state: 'pending' | 'error' | 'there';
    error: unknown;
    more: boolean;
    loadingMore: boolean;
    onEnd: () => void;
    refetch: () => void;
}

/** All pages of a list as far as they were asked for; `every` asks again each so many milliseconds, for what has no events. */
export function usePaged<Row>(path: string, query: Query = {}, every?: number): Paged<Row> {
    const asked = useInfiniteQuery({
        queryKey: [path, query],
        initialPageParam: null as string | null,
        queryFn: ({ pageParam, signal }) => get<Page<Row>>(path, { limit: 100, ...query, cursor: pageParam }, signal),
        getNextPageParam: (last) => last.next_cursor,
        refetchInterval: every,
    });
    const { hasNextPage, isFetchingNextPage, fetchNextPage, refetch } = asked;
    const rows = useMemo(() => asked.data?.pages.flatMap((page) => page.items) ?? [], [asked.data]);
    const onEnd = useCallback(() => {
        if (hasNextPage && !isFetchingNextPage) void fetchNextPage();
    }, [hasNextPage, isFetchingNextPage, fetchNextPage]);
    return {
        rows,
        state: asked.isPending ? 'pending' : asked.data === undefined ? 'error' : 'there',
        error: asked.error,
        more: hasNextPage,
        loadingMore: isFetchingNextPage,
        onEnd,
        refetch: () => void refetch(),
    };
}

/** Asks for all lists of these paths again once events of these kinds came: at most once a second, however many there are. */
export function useRefresh(paths: readonly string[], kinds: readonly string[]): void {
    const client = useQueryClient();
    const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
    const refresh = (): void => {
        timer.current ??= setTimeout(() => {
            timer.current = undefined;
            for (const path of paths) void client.invalidateQueries({ queryKey: [path] }, { cancelRefetch: false });
        }, 1000);
    };
    useEffect(
        () => () => {
            clearTimeout(timer.current);
            timer.current = undefined;
        },
        [],
    );
    useFeed({ path: '/events', query: { kind: kinds.join(',') }, onEvents: refresh });
    // What happened between the answer to the list and the beginning of the stream, or while that was cut off.
    const live = useFeedStatus() === 'live';
    useEffect(() => {
        if (live) refresh();
    }, [live]);
}
