// Times and durations as people read them.

/** Seconds of a duration as PostgreSQL writes it: `1 day 02:03:04.5`, `00:00:00.25`, `-00:00:01`. */
export function secondsOfInterval(text: string | null | undefined): number | null {
    if (!text) return null;
    let total = 0;
    const clock = /(-?)(\d+):(\d\d):(\d\d(?:\.\d+)?)/.exec(text);
    if (clock) total += (clock[1] ? -1 : 1) * (Number(clock[2]) * 3600 + Number(clock[3]) * 60 + Number(clock[4]));
    for (const [, count, unit] of text.matchAll(/(-?\d+) (year|mon|day)/g))
        total += Number(count) * { year: 31_557_600, mon: 2_592_000, day: 86_400 }[unit as 'day'];
    return total;
}

const two = (n: number): string => String(n).padStart(2, '0');

/** 12 ms · 1.25 s · 42.1 s · 3m 07s · 2h 05m · 4d 03h: never more than two units. */
export function formatDuration(seconds: number | null | undefined): string {
    if (seconds === null || seconds === undefined || !Number.isFinite(seconds)) return '–';
    const sign = seconds < 0 ? '-' : '';
    const s = Math.abs(seconds);
    if (s < 0.9995) return `${sign}${s < 0.00095 && s > 0 ? (s * 1000).toFixed(1) : Math.round(s * 1000)} ms`;
    if (s < 59.95) return `${sign}${s < 9.995 ? s.toFixed(2) : s.toFixed(1)} s`;
    const whole = Math.round(s);
    if (whole < 3600) return `${sign}${Math.floor(whole / 60)}m ${two(whole % 60)}s`;
    const minutes = Math.round(s / 60);
    if (minutes < 1440) return `${sign}${Math.floor(minutes / 60)}h ${two(minutes % 60)}m`;
    const hours = Math.round(s / 3600);
    return `${sign}${Math.floor(hours / 24)}d ${two(hours % 24)}h`;
}

/** Of something that goes on: whole seconds, since they are counted up before one's eyes. */
export const formatElapsed = (seconds: number): string => (seconds < 60 ? `${Math.max(0, Math.floor(seconds))} s` : formatDuration(Math.floor(seconds)));

/** How long ago or ahead, to one unit: `now`, `12s ago`, `in 3m`. */
export function formatRelative(at: number, now: number): string {
    const seconds = Math.round((now - at) / 1000);
    const s = Math.abs(seconds);
    if (s < 2) return 'now';
    const text = s < 60 ? `${s}s` : s < 3600 ? `${Math.floor(s / 60)}m` : s < 86_400 ? `${Math.floor(s / 3600)}h` : `${Math.floor(s / 86_400)}d`;
    return seconds >= 0 ? `${text} ago` : `in ${text}`;
}

/** 2026-01-31 09:05:07.123, in the time zone of who looks. */
export function formatTime(at: number, withMillis = false): string {
    const d = new Date(at);
    const text = `${d.getFullYear()}-${two(d.getMonth() + 1)}-${two(d.getDate())} ${two(d.getHours())}:${two(d.getMinutes())}:${two(d.getSeconds())}`;
    return withMillis ? `${text}.${String(d.getMilliseconds()).padStart(3, '0')}` : text;
}

export const secondsBetween = (from: string | null | undefined, to: string | null | undefined, now: number): number | null =>
    from ? ((to ? Date.parse(to) : now) - Date.parse(from)) / 1000 : null;

const counts = new Intl.NumberFormat('en', { maximumFractionDigits: 1 });
const short = new Intl.NumberFormat('en', { notation: 'compact', maximumFractionDigits: 1 });
export const formatCount = (n: number): string => (Math.abs(n) < 100_000 ? counts.format(n) : short.format(n));
