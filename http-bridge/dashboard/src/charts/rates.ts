import type { Metrics } from '../api/metrics';

/** How much a counter grew a second between each scrape and the one before; null where it began anew, or where too much time passed. */
export function rates(history: readonly Metrics[], read: (metrics: Metrics) => number, gap = 45_000): (number | null)[] {
    return history.map((now, i) => {
        const before = history[i - 1];
        if (!before || now.at - before.at > gap) return null;
        const grown = read(now) - read(before);
        return grown < 0 ? null : (grown * 1000) / (now.at - before.at);
    });
}
