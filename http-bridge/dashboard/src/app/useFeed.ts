import { useEffect, useRef, useSyncExternalStore } from 'react';
import { openFeed, type FeedStatus } from '../api/feed';
import { withQuery, type Query } from '../api/client';
import type { Event, Problem } from '../api/types';

// What the light in the top bar shows: the stream of the page that is open.
let shown: FeedStatus | null = null;
const listeners = new Set<() => void>();
function show(status: FeedStatus | null): void {
    if (shown === status) return;
    shown = status;
    for (const one of listeners) one();
}
export const useFeedStatus = (): FeedStatus | null =>
    useSyncExternalStore(
        (listener) => (listeners.add(listener), () => void listeners.delete(listener)),
        () => shown,
    );

interface UseFeed {
    /** `/events` or `/runs/RUN/events`; null: none for now. */
    path: string | null;
    query?: Query;
    after?: string | number | null;
    /** One batch a frame, in the order of the feed. */
    onEvents: (batch: Event[]) => void;
    onResume?: () => void;
    onEnd?: (problem?: Problem) => void;
}

/** A stream of events for as long as the component is there. A page needs one at most: a browser has few connections. */
export function useFeed({ path, query, after, onEvents, onResume, onEnd }: UseFeed): void {
    const latest = useRef({ onEvents, onResume, onEnd });
    useEffect(() => {
        latest.current = { onEvents, onResume, onEnd };
    });
    const address = path === null ? null : withQuery(path, query);
    useEffect(() => {
        if (address === null) return;
        const close = openFeed({
            path: address,
            after,
            onEvents: (batch) => latest.current.onEvents(batch),
            onResume: () => latest.current.onResume?.(),
            onStatus: (status, problem) => {
                show(status);
                if (status === 'ended') latest.current.onEnd?.(problem);
            },
        });
        return () => {
            close();
            show(null);
        };
    }, [address, after]);
}
