// Loads a run and follows it. The stream begins before the rows are read, so that nothing falls between them; rows are asked for again only where events cannot tell.
import { useCallback, useEffect, useMemo, useRef, useState, useSyncExternalStore } from 'react';
import { useQuery } from '@tanstack/react-query';
import { ApiError, get, segment } from '../../api/client';
import { isOver, type Event, type Page, type Problem, type Run, type RunDetail, type Task } from '../../api/types';
import { useFeed } from '../../app/useFeed';
import { RunModel } from './model';

const rowsOfPage = 500;

async function loadTasks(run: string, model: RunModel, signal: AbortSignal): Promise<void> {
    // The first page is small, so that there is something to see at once.
    let cursor: string | null = null;
    let limit = 100;
    do {
        const page: Page<Task> = await get<Page<Task>>(`/runs/${segment(run)}/tasks`, { limit, cursor }, signal);
        if (signal.aborted) return;
        model.addTasks(page.items);
        cursor = page.next_cursor;
        limit = rowsOfPage;
    } while (cursor !== null);
}

/** By the list, which has the row without its payloads: the output of a large run takes longer than all the rest. */
async function loadRow(run: string, model: RunModel, signal: AbortSignal): Promise<void> {
    const row = (await get<Page<Run>>('/runs', { run, limit: 1 }, signal)).items[0];
    if (signal.aborted) return;
    if (!row)
        throw new ApiError({ type: 'about:blank', title: 'there is no such run', status: 404, code: 'OR003', detail: `Its id would be ${run}.` } as Problem);
    model.setRun(row);
}

/** Input, output and error of a run, asked for once for each of its states. */
export const usePayloads = (run: Run, enabled = true) =>
    useQuery({
        queryKey: ['run', run.run_id, run.state],
        enabled,
        staleTime: Infinity,
        queryFn: ({ signal }) => get<RunDetail>(`/runs/${segment(run.run_id)}`, undefined, signal),
    });

export interface LoadedRun {
    model: RunModel;
    error: unknown;
    reload: () => void;
    /** Events as they come, for who shows the history. */
    onEvents: (listener: (batch: readonly Event[]) => void) => () => void;
}

export function useRun(run: string): LoadedRun {
    const model = useMemo(() => new RunModel(), [run]);
    const [error, setError] = useState<unknown>(null);
    const [turn, setTurn] = useState(0);
    const watchers = useRef(new Set<(batch: readonly Event[]) => void>());
    const again = useRef<ReturnType<typeof setTimeout> | undefined>(undefined);
    const readyTimer = useRef<ReturnType<typeof setTimeout> | undefined>(undefined);

    const reload = useCallback(() => setTurn((n) => n + 1), []);

    useEffect(() => {
        const controller = new AbortController();
        setError(null);
        model.beginLoading();
        void (async () => {
            try {
                await Promise.all([loadRow(run, model, controller.signal), loadTasks(run, model, controller.signal)]);
                if (!controller.signal.aborted) model.finishLoading();
            } catch (caught) {
                if (!controller.signal.aborted) setError(caught);
            }
        })();
        return () => controller.abort();
    }, [run, model, turn]);
    useEffect(
        () => () => {
            clearTimeout(again.current);
            clearTimeout(readyTimer.current);
        },
        [run],
    );

    const onBatch = useCallback(
        (batch: Event[]) => {
            const asks = model.apply(batch);
            for (const watcher of watchers.current) watcher(batch);
            if (asks) {
                clearTimeout(again.current);
                again.current = setTimeout(reload, 300);
            }
            // That a task became ready has no event. A look at those that are, once it is quiet, and not more often than each two seconds.
            readyTimer.current ??= setTimeout(() => {
                readyTimer.current = undefined;
                if (!model.run || isOver(model.run.state) || !model.counts.pending) return;
                void get<Page<Task>>(`/runs/${segment(run)}/tasks`, { state: 'ready', limit: rowsOfPage }).then(
                    (page) => model.markReady(page.items),
                    () => undefined,
                );
            }, 2000);
        },
        [model, run, reload],
    );
    useFeed({ path: '/events', query: { run }, onEvents: onBatch });

    const onEvents = useCallback((listener: (batch: readonly Event[]) => void) => {
        watchers.current.add(listener);
        return () => void watchers.current.delete(listener);
    }, []);
    return { model, error, reload, onEvents };
}

export const useVersion = (model: RunModel): number => useSyncExternalStore(model.subscribe, () => model.version);
export const useRow = (model: RunModel): Run | null => useSyncExternalStore(model.subscribe, () => model.run);
export const useTask = (model: RunModel, id: string | null): Task | undefined =>
    useSyncExternalStore(model.subscribe, () => (id === null ? undefined : model.task(id)));
