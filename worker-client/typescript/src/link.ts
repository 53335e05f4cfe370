import type pg from 'pg';
import { OrchError } from './errors.js';
import { connect, type Database } from './hosts.js';

export type Row = Record<string, any>;

/**
 * A connection in pipeline mode: a statement goes out when it is asked for, whatever answers are still missing. That is how a result is settled while
 * `await_work` sleeps: the bytes behind it end it. But only if they come while it sleeps, not if the server read them together with it: so nudges follow until
 * it has ended. Each statement has its own Sync, so each is its own transaction.
 */
export class Link {
    /** Why the connection is over. */
    readonly lost: Promise<OrchError>;
    /** Gives it up. */
    lose!: (why: OrchError) => void;
    private asleep = false;
    private nudges?: NodeJS.Timeout;

    private constructor(readonly client: pg.Client & { processID?: number }) {
        this.lost = new Promise((resolve) => (this.lose = resolve));
        client.on('error', (cause) => this.lose(new OrchError(cause)));
        client.on('end', () => this.lose(new OrchError({ message: 'the connection has ended' })));
    }

    static async open(database: Database): Promise<Link> {
        return new Link(await connect(database, { keepAlive: true, connectionTimeoutMillis: 10_000, pipeline: true }));
    }

    async query(text: string, values: unknown[] = []): Promise<Row[]> {
        if (this.asleep && !this.nudges) this.nudge(1);
        try {
            return (await this.client.query({ text, values })).rows;
        } catch (cause) {
            const error = new OrchError(cause);
            if (error.poisonsConnection) this.lose(error);
            throw error;
        }
    }

    /** Sleeps until there may be work, or until something else is sent: whether it was the former. */
    async awaitWork(worker: string): Promise<boolean> {
        const answer = this.query('call orch.await_work($1)', [worker]);
        this.asleep = true;
        try {
            await answer;
            return !this.nudges;
        } finally {
            clearTimeout(this.nudges);
            this.nudges = undefined;
            this.asleep = false;
        }
    }

    /** A message that means nothing. */
    private nudge(delay: number): void {
        this.nudges = setTimeout(() => {
            (this.client as unknown as { connection: { flush(): void } }).connection.flush();
            this.nudge(delay * 2);
        }, delay);
    }

    async close(): Promise<void> {
        await Promise.race([this.client.end().catch(() => {}), new Promise((resolve) => setTimeout(resolve, 1000).unref())]);
    }
}
