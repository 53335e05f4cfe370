import pg from 'pg';
import { OrchError } from './errors.js';

export type Database = string | pg.ClientConfig | undefined;
export type Row = Record<string, any>;

export function configOf(database: Database): pg.ClientConfig {
    const given = database ?? process.env['ORCH_DATABASE_URL'];
    return typeof given === 'string' ? { connectionString: given } : { ...given };
}

/**
 * A connection in pipeline mode: a statement goes out when it is asked for, whatever answers are still missing. That is how a result is settled while
 * `await_work` sleeps: the bytes behind it end it. Each statement has its own Sync, so each is its own transaction.
 */
export class Link {
    private constructor(
        private readonly client: pg.Client,
        readonly lost: Promise<OrchError>,
    ) {}

    static async open(database: Database): Promise<Link> {
        const client = new pg.Client({ keepAlive: true, connectionTimeoutMillis: 10_000, ...configOf(database), pipeline: true });
        const lost = new Promise<OrchError>((resolve) => {
            client.on('error', (cause) => resolve(new OrchError(cause)));
            client.on('end', () => resolve(new OrchError({ message: 'the connection has ended' })));
        });
        await client.connect().catch((cause) => {
            throw new OrchError(cause);
        });
        return new Link(client, lost);
    }

    async query(text: string, values: unknown[] = []): Promise<Row[]> {
        try {
            return (await this.client.query({ text, values })).rows;
        } catch (cause) {
            throw new OrchError(cause);
        }
    }

    /** One message that means nothing, for a server that may have read our last bytes together with its `await_work`. */
    nudge(): void {
        (this.client as unknown as { connection: { flush(): void } }).connection.flush();
    }

    async close(): Promise<void> {
        await Promise.race([this.client.end().catch(() => {}), new Promise((resolve) => setTimeout(resolve, 1000).unref())]);
    }
}
