// One action on many runs: several at a time, as fast as the token may ask.
import { ApiError } from '../../api/client';
import { isOver, type Run, type RunState } from '../../api/types';

export type BulkAction = 'cancel' | 'retry';

const canRetry: ReadonlySet<RunState> = new Set(['failed', 'timed_out', 'cancelled']);

/** Whether it makes sense to ask; the database has the last word. */
export const mayTake = (action: BulkAction, run: Pick<Run, 'state'>): boolean =>
    action === 'cancel' ? !isOver(run.state) && run.state !== 'cancelling' : canRetry.has(run.state);

export interface Progress<Item> {
    done: number;
    refused: { item: Item; error: unknown }[];
}

interface EachOptions {
    /** How many at once. */
    lanes?: number;
    /** Asked before each: true ends it. */
    stopped?: () => boolean;
    pause?: (ms: number) => Promise<void>;
}

const sleep = (ms: number): Promise<void> => new Promise((resume) => setTimeout(resume, ms));

/** Does it to each; a refusal is noted and the rest goes on, too many requests wait for their turn. */
export async function forEachRun<Item>(
    items: readonly Item[],
    act: (item: Item) => Promise<unknown>,
    onProgress: (progress: Progress<Item>) => void,
    { lanes = 4, stopped = () => false, pause = sleep }: EachOptions = {},
): Promise<Progress<Item>> {
    let next = 0;
    let progress: Progress<Item> = { done: 0, refused: [] };
    const one = async (item: Item): Promise<void> => {
        for (let again = 0; ; again++) {
            try {
                await act(item);
                progress = { ...progress, done: progress.done + 1 };
            } catch (error) {
                if (error instanceof ApiError && error.status === 429 && again < 30 && !stopped()) {
                    await pause(2000);
                    continue;
                }
                progress = { ...progress, refused: [...progress.refused, { item, error }] };
            }
            onProgress(progress);
            return;
        }
    };
    const lane = async (): Promise<void> => {
        while (next < items.length && !stopped()) await one(items[next++]!);
    };
    await Promise.all(Array.from({ length: Math.min(lanes, items.length) }, lane));
    return progress;
}
