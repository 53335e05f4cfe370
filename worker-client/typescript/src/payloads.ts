import { createHash, randomUUID } from 'node:crypto';
import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join, resolve, sep } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { TaskError, type ErrorFields } from './errors.js';
import type { Json } from './json.js';

/** Where values above the inline limit are kept. A store reads nothing but what lies in its own place. */
export interface PayloadStore {
    put(key: string, bytes: Uint8Array): Promise<string>;
    get(uri: string): Promise<Uint8Array>;
    list(prefix: string): AsyncIterable<StoredPayload>;
    delete(key: string): Promise<void>;
}
export interface StoredPayload {
    key: string;
    uri: string;
    modified: Date;
}

/** Hides values in the database, an encryption say. What it makes is kept as {"$orch_codec": ...}; other values pass by it. */
export interface PayloadCodec {
    encode(value: Json): Json | Promise<Json>;
    decode(value: Json): Json | Promise<Json>;
}

export interface PayloadOptions {
    store?: PayloadStore;
    codec?: PayloadCodec;
    /** Bytes of JSON that a value may have before it goes to the store [the server's orch.max_result_bytes, else 1 MiB]. */
    inlineLimit?: number;
}

/** A value that lies in the store: fetched and compared with its hash when it is asked for; passed on as it is. */
export class PayloadRef<T = unknown> {
    readonly #fetch: (ref: PayloadRef) => Promise<unknown>;
    constructor(
        readonly uri: string,
        readonly size: number,
        readonly sha256: string,
        fetch: (ref: PayloadRef) => Promise<unknown>,
    ) {
        this.#fetch = fetch;
    }
    get(): Promise<T> {
        return this.#fetch(this) as Promise<T>;
    }
    toJSON(): Json {
        return { $orch_ref: { uri: this.uri, size: this.size, sha256: this.sha256 } };
    }
}

/** The value itself, whether it came inline or lies in the store. */
export const load = async <T>(value: T | PayloadRef<T>): Promise<T> => (value instanceof PayloadRef ? await value.get() : value);

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

export class Payloads {
    constructor(
        private readonly options: PayloadOptions = {},
        public inlineLimit = options.inlineLimit ?? 1 << 20,
    ) {}

    /** What to keep in the database for a value; `always` stores a value that the server has refused as too large. */
    async encode(value: unknown, place: string, always = false): Promise<Json> {
        const { store, codec } = this.options;
        if (!store && !codec) return value === undefined ? null : (value as Json);
        const kept: Json = codec ? { $orch_codec: await codec.encode((value ?? null) as Json) } : ((value ?? null) as Json);
        const bytes = store ? Buffer.from(JSON.stringify(kept)) : undefined;
        if (!store || !bytes || (bytes.length <= this.inlineLimit && !always)) return kept;
        const hash = sha256(bytes);
        return { $orch_ref: { uri: await store.put(`${place}/${hash}.json`, bytes), size: bytes.length, sha256: hash } };
    }

    /** Puts a value that the server has refused as too large into the store. */
    async store(kept: unknown, place: string): Promise<Json> {
        if (!this.options.store) throw new TaskError('validation', 'no_store', 'there is no store for large values');
        return this.encode(await this.decode(kept), place, true);
    }

    async decode(value: unknown, through: <T>(work: () => Promise<T>) => Promise<T> = (work) => work()): Promise<unknown> {
        const { store, codec } = this.options;
        if ((!store && !codec) || typeof value !== 'object' || value === null) return value;
        const fetch = (ref: PayloadRef) => through(() => this.fetch(ref));
        const revive = async (json: any): Promise<unknown> => {
            if (typeof json !== 'object' || json === null) return json;
            if (Array.isArray(json)) return Promise.all(json.map(revive));
            const keys = Object.keys(json),
                ref = json.$orch_ref;
            if (codec && keys.length === 1 && '$orch_codec' in json) return codec.decode(json.$orch_codec);
            if (keys.length === 1 && typeof ref?.uri === 'string') return new PayloadRef(ref.uri, ref.size, ref.sha256, fetch);
            return Object.fromEntries(await Promise.all(keys.map(async (key) => [key, await revive(json[key])])));
        };
        return revive(value);
    }

    /** Class and code stay readable, since retries go by them. */
    async encodeError(error: ErrorFields): Promise<ErrorFields> {
        if (!this.options.codec) return error;
        const { message, detail = null, traceback = null, ...plain } = error;
        return { ...plain, message: 'encoded', detail: { $orch_codec: await this.options.codec.encode({ message, detail, traceback }) } };
    }

    async decodeError(error: ErrorFields): Promise<ErrorFields> {
        const hidden = (error?.detail as { $orch_codec?: Json } | undefined)?.$orch_codec;
        return hidden === undefined || !this.options.codec ? error : { ...error, ...((await this.options.codec.decode(hidden)) as object) };
    }

    private async fetch(ref: PayloadRef): Promise<unknown> {
        if (!this.options.store) throw new TaskError('validation', 'no_store', `there is no store set up to read ${ref.uri} from`);
        const bytes = await this.options.store.get(ref.uri);
        if (bytes.length !== ref.size || sha256(bytes) !== ref.sha256)
            throw new TaskError('validation', 'payload_damaged', `${ref.uri} is not what was stored: ${bytes.length} bytes of ${ref.size}, or another hash`);
        return this.decode(JSON.parse(Buffer.from(bytes).toString()));
    }
}

/** A directory that all workers and clients see, under one path. */
export class DirectoryStore implements PayloadStore {
    private readonly root: string;
    constructor(directory: string) {
        this.root = resolve(directory);
    }
    async put(key: string, bytes: Uint8Array): Promise<string> {
        const path = join(this.root, key),
            temporary = `${path}.${randomUUID()}`;
        await mkdir(dirname(path), { recursive: true });
        await writeFile(temporary, bytes, { flush: true } as object);
        await rename(temporary, path);
        return pathToFileURL(path).href;
    }
    async get(uri: string): Promise<Uint8Array> {
        const path = uri.startsWith('file:') ? resolve(fileURLToPath(uri)) : '';
        if (!path.startsWith(this.root + sep)) throw new TaskError('validation', 'foreign_payload', `${uri} does not lie in this store`);
        return readFile(path);
    }
    async *list(prefix: string): AsyncIterable<StoredPayload> {
        const entries = await readdir(join(this.root, prefix), { recursive: true, withFileTypes: true }).catch(() => []);
        for (const entry of entries.filter((e) => e.isFile())) {
            const path = join(entry.parentPath ?? entry.path, entry.name);
            yield {
                key: path
                    .slice(this.root.length + 1)
                    .split(sep)
                    .join('/'),
                uri: pathToFileURL(path).href,
                modified: (await stat(path)).mtime,
            };
        }
    }
    delete(key: string): Promise<void> {
        return rm(join(this.root, key), { force: true });
    }
}

/**
 * Deletes what nobody needs any more: outputs of runs that are gone, and inputs older than `olderThanMs` that no run has. To be called now and then,
 * by a cron job say, with rights to read orch.runs. Returns how many objects went.
 */
export async function prunePayloads(
    db: { query(text: string, values: unknown[]): Promise<{ rows: any[] }> },
    store: PayloadStore,
    olderThanMs = 86_400_000,
): Promise<number> {
    const before = Date.now() - olderThanMs;
    let pruned = 0;
    const ofRuns = new Map<string, string[]>();
    for await (const { key, modified } of store.list('runs/')) {
        const run = key.split('/')[1] ?? '';
        if (modified.getTime() < before) ofRuns.set(run, [...(ofRuns.get(run) ?? []), key]);
    }
    const inputs: StoredPayload[] = [];
    for await (const stored of store.list('inputs/')) if (stored.modified.getTime() < before) inputs.push(stored);
    // The store was read before the database: what comes in between is in neither list.
    const runs = [...ofRuns.keys()].filter((run) => /^[0-9a-f-]{36}$/.test(run));
    const kept = new Set((await db.query('select run_id from orch.runs where run_id = any($1::uuid[])', [runs])).rows.map((row) => row.run_id));
    for (const run of runs.filter((one) => !kept.has(one))) for (const key of ofRuns.get(run)!) (await store.delete(key), pruned++);
    const uris = inputs.map((stored) => stored.uri);
    const used = await db.query("select distinct input #>> '{$orch_ref,uri}' as uri from orch.runs where input #>> '{$orch_ref,uri}' = any($1)", [uris]);
    const wanted = new Set(used.rows.map((row) => row.uri));
    for (const { key } of inputs.filter((stored) => !wanted.has(stored.uri))) (await store.delete(key), pruned++);
    return pruned;
}
