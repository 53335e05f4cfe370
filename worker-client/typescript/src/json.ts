/** What the database keeps: JSON. */
export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

/** Milliseconds, or text such as '90 s', '5 minutes', '3 days'. */
export type Duration = number | string;

const units: Record<string, number> = {
    ms: 1,
    s: 1000,
    sec: 1000,
    second: 1000,
    m: 60_000,
    min: 60_000,
    minute: 60_000,
    h: 3_600_000,
    hour: 3_600_000,
    d: 86_400_000,
    day: 86_400_000,
    w: 604_800_000,
    week: 604_800_000,
};

export function milliseconds(duration: Duration): number {
    if (typeof duration === 'number' && Number.isFinite(duration) && duration >= 0) return duration;
    const found = /^\s*(\d+(?:\.\d+)?)\s*([a-z]+)\s*$/.exec(String(duration));
    const unit = found && (units[found[2]!] ?? units[found[2]!.replace(/s$/, '')]);
    if (!found || !unit) throw new RangeError(`"${duration}" is no duration; write milliseconds, or '90 s', '5 minutes', '3 days'`);
    return Number(found[1]) * unit;
}

/** Fields of a task's definition, in the words of TypeScript: retryDelaySeconds is retry_delay_seconds. */
export function snakeCased(fields: object): { [key: string]: Json } {
    const named = Object.entries(fields).filter(([, value]) => value !== undefined);
    return Object.fromEntries(named.map(([key, value]) => [key.replace(/[A-Z]/g, (letter) => '_' + letter.toLowerCase()), value as Json]));
}

export const sleep = (ms: number, signal?: AbortSignal): Promise<void> =>
    new Promise((resolve) => {
        if (signal?.aborted) return resolve();
        const end = () => (clearTimeout(timer), signal?.removeEventListener('abort', end), resolve());
        const timer = setTimeout(end, Math.min(ms, 0x7fffffff));
        signal?.addEventListener('abort', end);
    });
