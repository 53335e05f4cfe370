import pg from 'pg';
import { OrchError } from './errors.js';

export type Database = string | pg.ClientConfig | undefined;

/** Whether `?pooled=1` says that a pooler gives connections away between transactions. */
export function pooledOf(database: Database): boolean | undefined {
    const given = database ?? process.env['ORCH_DATABASE_URL'];
    const url = typeof given === 'string' ? given : given?.connectionString;
    const pooled = new URLSearchParams(url?.split('?').slice(1).join('?')).get('pooled');
    if (pooled !== null && pooled !== '0' && pooled !== '1') throw new OrchError({ code: '22023', message: `pooled is 1 or 0, not "${pooled}"` });
    return pooled === null ? undefined : pooled === '1';
}

export const pooler =
    'a pooler stands before the server: where it gives connections away between transactions, say so (pooled=1 in the URL), ' +
    'or each worker that waits holds one of its connections to the server; pooled=0 says that it does not';

/** Where nothing can be waited in: longer with each look that found nothing, 0.1 to 2 s, in ms. */
export const pause = (vain: number): number => Math.min(100 * 2 ** vain, 1000) * (1 + Math.random());

/** What libpq reads in a URL and node-postgres does not: several hosts, `a:5432,b` or `?host=a,b&port=5432`, and `target_session_attrs`. */
export function hostsOf(database: Database) {
    const given = database ?? process.env['ORCH_DATABASE_URL'] ?? {};
    const config: { [name: string]: any } = typeof given === 'string' ? { connectionString: given } : given;
    const [, login = '', authority = '', path = '', search = ''] =
        /^(\w+:\/\/(?:[^@/?]*@)?)([^/?]*)([^?]*)\??(.*)$/.exec(config['connectionString'] ?? '') ?? [];
    const query = new URLSearchParams(search);
    const named = (name: string): unknown => query.get(name) ?? config[name] ?? process.env[`PG${name.replaceAll('_', '').toUpperCase()}`];
    const addresses = String((!query.has('host') && authority) || (named('host') ?? '')).split(',');
    // Of several, what we say has to go to the one that takes writes.
    const target = String(named('target_session_attrs') ?? (addresses.length > 1 ? 'read-write' : 'any'));
    if (addresses.length === 1) return { config, places: [{} as pg.ClientConfig], target };
    const ports = String(named('port') ?? 5432).split(',');
    const places = addresses.map((address, i) => {
        const [, host, port = ports[i] ?? ports[0]] = /^(.*?)(?::(\d+))?$/.exec(address)!;
        return { host: host!.replace(/^\[(.*)\]$/, '$1'), port: Number(port) };
    });
    for (const name of ['host', 'port', 'pooled']) query.delete(name);
    return { config: login ? { ...config, connectionString: `${login}${path}?${query}` } : { ...config, ...places[0] }, places, target };
}

const sessions: { [target: string]: string } = { 'read-write': 'off', primary: 'off', 'read-only': 'on', standby: 'on' };

/** A connection to the first host that answers and is what is asked for. */
export async function connect(database: Database, more: object = {}): Promise<pg.Client> {
    const { config, places, target } = hostsOf(database);
    let failure: unknown;
    for (const place of places) {
        const client = Object.assign(new pg.Client({ ...config, ...more }), place);
        client.on('error', (cause) => (failure = cause));
        try {
            await client.connect();
            const wanted = sessions[target];
            if (!wanted || (await client.query('show transaction_read_only')).rows[0].transaction_read_only === wanted) return client;
            failure = new OrchError({ code: '08006', message: `${place.host ?? 'the server'} is not ${target}` });
        } catch (cause) {
            failure = cause;
        }
        void client.end().catch(() => {});
    }
    throw new OrchError(failure);
}

/** A pool makes a client before it connects it: where to is looked up then, and anew for each. */
export function poolOf(database: Database, max?: number): pg.Pool {
    const { config, places, target } = hostsOf(database);
    class Client extends pg.Client {
        override connect(callback?: any): any {
            const place = connect(database).then(async (client) => {
                await client.end();
                return Object.assign(this, { host: client.host, port: client.port });
            });
            return place.then(() => super.connect(callback), callback);
        }
    }
    const pool = new pg.Pool({ ...config, max, ...(places.length > 1 || sessions[target] ? { Client } : {}) });
    return pool.on('error', () => {}); // of an idle connection: the next one is asked for anyway
}

/** A connection of the pool for the length of `work`; it is no more where that failed, so that nothing of it stays open. */
export async function withClient<T>(pool: pg.Pool, work: (client: pg.PoolClient) => Promise<T>): Promise<T> {
    const client = await pool.connect().catch((cause: unknown) => {
        throw new OrchError(cause);
    });
    const broken = () => {}; // the statement that is under way fails too
    client.on('error', broken);
    let failed = true;
    try {
        const done = await work(client);
        failed = false;
        return done;
    } finally {
        client.off('error', broken);
        client.release(failed);
    }
}
