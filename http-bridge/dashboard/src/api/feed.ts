// The stream of events by fetch, since EventSource sends no header. It goes on where it was cut off, and hands over what came in one batch a frame.
import { authorization, base, problemOf, withQuery, type Query } from './client';
import type { Event, Problem } from './types';

export interface Message {
    id: string | null;
    event: string;
    data: string;
}

/** Text of any cut in, whole messages out; `id` is the last one seen, with or without data. */
export class StreamParser {
    id: string | null = null;
    private rest = '';

    push(text: string): Message[] {
        const messages: Message[] = [];
        this.rest += text;
        for (let end = this.rest.indexOf('\n\n'); end >= 0; end = this.rest.indexOf('\n\n')) {
            const block = this.rest.slice(0, end);
            this.rest = this.rest.slice(end + 2);
            let event = 'message';
            let data: string | null = null;
            for (const line of block.split('\n')) {
                const colon = line.indexOf(':');
                if (colon === 0) continue;
                const name = colon < 0 ? line : line.slice(0, colon);
                const value = colon < 0 ? '' : line.slice(line[colon + 1] === ' ' ? colon + 2 : colon + 1);
                if (name === 'id') this.id = value;
                else if (name === 'event') event = value;
                else if (name === 'data') data = data === null ? value : `${data}\n${value}`;
            }
            if (data !== null) messages.push({ id: this.id, event, data });
        }
        return messages;
    }
}

/** Collects what is pushed and gives it away together, when `schedule` calls back. */
export class Batcher<T> {
    private waiting: T[] = [];
    private scheduled = false;
    constructor(
        private readonly flush: (batch: T[]) => void,
        private readonly schedule: (run: () => void) => void,
    ) {}

    push(items: readonly T[]): void {
        if (items.length === 0) return;
        for (const item of items) this.waiting.push(item);
        if (this.scheduled) return;
        this.scheduled = true;
        this.schedule(() => this.now());
    }

    now(): void {
        this.scheduled = false;
        const batch = this.waiting;
        this.waiting = [];
        if (batch.length > 0) this.flush(batch);
    }
}

/** How long to wait before try number `attempt` (from 0): doubled each time, up to 15 s, spread so that not all tabs come back at once. */
export const backoff = (attempt: number, random: number = Math.random()): number => Math.min(15_000, 500 * 2 ** attempt) * (0.5 + random / 2);

/** live: connected; waiting: it will try again; paused: nobody looks; ended: the bridge said that it is over. */
export type FeedStatus = 'connecting' | 'live' | 'waiting' | 'paused' | 'ended';

export interface FeedOptions {
    path: string;
    query?: Query;
    /** Where it begins: behind this position. Without it a run's stream begins with its first event, that of all runs now. */
    after?: string | number | null;
    onEvents: (batch: Event[]) => void;
    onStatus?: (status: FeedStatus, problem?: Problem) => void;
    /** Called when it is live again after a break in which it may have missed what has no position. */
    onResume?: () => void;
}

/** Begins at once; the function that is returned ends it. */
export function openFeed(options: FeedOptions): () => void {
    let last: string | null = options.after === null || options.after === undefined ? null : String(options.after);
    let stopped = false;
    let attempt = 0;
    let wasLive = false;
    let timer: ReturnType<typeof setTimeout> | undefined;
    let controller: AbortController | null = null;
    const nextFrame = (run: () => void): void => {
        // A hidden page gets no frames.
        if (document.hidden) setTimeout(run, 250);
        else requestAnimationFrame(run);
    };
    const batcher = new Batcher<Event>((batch) => !stopped && options.onEvents(batch), nextFrame);
    const tell = (status: FeedStatus, problem?: Problem): void => {
        if (!stopped) options.onStatus?.(status, problem);
    };

    async function connect(): Promise<void> {
        clearTimeout(timer);
        controller = new AbortController();
        const mine = controller;
        tell('connecting');
        try {
            const headers: Record<string, string> = { Accept: 'text/event-stream', ...authorization() };
            if (last !== null) headers['Last-Event-ID'] = last;
            const response = await fetch(base + withQuery(options.path, options.query), { headers, signal: mine.signal, cache: 'no-store' });
            if (!response.ok || !response.body) {
                const problem = await problemOf(response);
                if (response.status < 500 && response.status !== 429) return tell('ended', problem);
                throw new Error(problem.title);
            }
            tell('live');
            if (wasLive) options.onResume?.();
            wasLive = true;
            attempt = 0;
            const parser = new StreamParser();
            const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
            for (;;) {
                const { value, done } = await reader.read();
                if (done || mine.signal.aborted) break;
                const events: Event[] = [];
                for (const message of parser.push(value)) {
                    if (message.event === 'end') return tell('ended');
                    events.push(JSON.parse(message.data) as Event);
                }
                batcher.push(events);
                last = parser.id ?? last;
            }
        } catch {
            // A cut connection and a bridge that is away are the same: tried again below.
        }
        if (stopped || mine !== controller || mine.signal.aborted) return;
        tell('waiting');
        timer = setTimeout(() => void connect(), backoff(attempt++));
    }

    // A browser has six connections to a host for all its tabs: one that nobody looks at gives its own back.
    let hiding: ReturnType<typeof setTimeout> | undefined;
    const onVisibility = (): void => {
        clearTimeout(hiding);
        if (document.hidden) {
            hiding = setTimeout(() => {
                clearTimeout(timer);
                controller?.abort();
                controller = null;
                tell('paused');
            }, 10_000);
        } else if (controller === null) void connect();
    };
    const onOnline = (): void => {
        if (controller === null && document.hidden) return;
        attempt = 0;
        controller?.abort();
        void connect();
    };
    document.addEventListener('visibilitychange', onVisibility);
    window.addEventListener('online', onOnline);
    void connect();

    return () => {
        stopped = true;
        clearTimeout(timer);
        clearTimeout(hiding);
        controller?.abort();
        document.removeEventListener('visibilitychange', onVisibility);
        window.removeEventListener('online', onOnline);
    };
}
