// One clock for all that shows a time that passes: a tick a second, none while nobody looks.
import { useSyncExternalStore } from 'react';

let now = Date.now();
let timer: ReturnType<typeof setInterval> | undefined;
const listeners = new Set<() => void>();

function subscribe(listener: () => void): () => void {
    listeners.add(listener);
    if (timer === undefined) {
        now = Date.now();
        timer = setInterval(() => {
            if (document.hidden) return;
            now = Date.now();
            for (const one of listeners) one();
        }, 1000);
    }
    return () => {
        listeners.delete(listener);
        if (listeners.size > 0) return;
        clearInterval(timer);
        timer = undefined;
    };
}
const never = (): (() => void) => () => undefined;

/** The time in milliseconds, anew each second; only once where `ticking` is false. */
export const useNow = (ticking = true): number => useSyncExternalStore(ticking ? subscribe : never, () => now);
