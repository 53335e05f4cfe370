import { useNow } from './clock';
import { formatDuration, formatElapsed, formatRelative, formatTime, secondsBetween } from './time';

/** A time as its distance from now; the time itself is told on hovering. `absolute` turns that round. */
export function Time({ at, absolute }: { at: string | null | undefined; absolute?: boolean }) {
    const now = useNow(!absolute);
    if (!at) return <span className="faint">–</span>;
    const ms = Date.parse(at);
    const [shown, told] = absolute ? [formatTime(ms, true), formatRelative(ms, Date.now())] : [formatRelative(ms, now), formatTime(ms, true)];
    return (
        <time dateTime={at} title={told}>
            {shown}
        </time>
    );
}

/** The time between two times, or until now where it has not ended; or of so many seconds. */
export function Duration({ from, to, seconds }: { from?: string | null; to?: string | null; seconds?: number | null }) {
    const running = seconds === undefined && !!from && !to;
    const now = useNow(running);
    const value = seconds === undefined ? secondsBetween(from, to, Math.max(now, Date.parse(from ?? '') || 0)) : seconds;
    return (
        <span className={value === null || value === undefined ? 'faint' : undefined}>
            {running && value !== null && value !== undefined ? formatElapsed(value) : formatDuration(value)}
        </span>
    );
}
