import { createHash, createHmac } from 'node:crypto';
import { TaskError } from './errors.js';
import type { PayloadStore, StoredPayload } from './payloads.js';

export interface S3Options {
    /** https://s3.eu-central-1.amazonaws.com, or where the compatible server is. */
    endpoint: string;
    bucket: string;
    /** Put before each key, with its slash. */
    prefix?: string;
    region?: string;
    /** By default AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN of the environment. */
    accessKeyId?: string;
    secretAccessKey?: string;
    sessionToken?: string;
}

const hex = (bytes: Uint8Array | string): string => createHash('sha256').update(bytes).digest('hex');
const hmac = (key: Uint8Array | string, text: string): Buffer => createHmac('sha256', key).update(text).digest();
const escaped = (text: string): string => encodeURIComponent(text).replace(/[!'()*]/g, (c) => '%' + c.charCodeAt(0).toString(16).toUpperCase());
const unescaped = (text: string): string =>
    text.replace(/&(lt|gt|quot|apos|amp);/g, (_, name) => ({ lt: '<', gt: '>', quot: '"', apos: "'", amp: '&' })[name as 'lt']!);

interface Signable {
    method: string;
    path: string;
    search: string;
    headers: Record<string, string>;
    region: string;
    accessKeyId: string;
    secretAccessKey: string;
}

/** The Authorization header of AWS Signature Version 4; `search` is sorted and escaped. */
export function signature({ method, path, search, headers, region, accessKeyId, secretAccessKey }: Signable): string {
    const time = headers['x-amz-date']!,
        day = time.slice(0, 8),
        scope = `${day}/${region}/s3/aws4_request`;
    const names = Object.keys(headers).sort(),
        signed = names.join(';');
    const canonical = [method, path, search, ...names.map((name) => `${name}:${headers[name]}`), '', signed, headers['x-amz-content-sha256']].join('\n');
    const key = [region, 's3', 'aws4_request'].reduce((derived, part) => hmac(derived, part), hmac('AWS4' + secretAccessKey, day));
    const said = hmac(key, ['AWS4-HMAC-SHA256', time, scope, hex(canonical)].join('\n')).toString('hex');
    return `AWS4-HMAC-SHA256 Credential=${accessKeyId}/${scope}, SignedHeaders=${signed}, Signature=${said}`;
}

/** Objects of a bucket, by requests signed with AWS Signature Version 4, in path style. */
export class S3Store implements PayloadStore {
    private readonly options: Required<Omit<S3Options, 'sessionToken'>> & { sessionToken?: string };
    constructor(options: S3Options) {
        const { AWS_ACCESS_KEY_ID: id = '', AWS_SECRET_ACCESS_KEY: secret = '', AWS_SESSION_TOKEN: token, AWS_REGION: region = 'us-east-1' } = process.env;
        this.options = { prefix: '', region, accessKeyId: id, secretAccessKey: secret, sessionToken: token, ...options };
    }

    async put(key: string, bytes: Uint8Array): Promise<string> {
        await this.request('PUT', this.options.prefix + key, {}, bytes);
        return `s3://${this.options.bucket}/${this.options.prefix}${key}`;
    }
    async get(uri: string): Promise<Uint8Array> {
        const place = `s3://${this.options.bucket}/`;
        if (!uri.startsWith(place + this.options.prefix)) throw new TaskError('validation', 'foreign_payload', `${uri} does not lie in this store`);
        return new Uint8Array(await (await this.request('GET', uri.slice(place.length))).arrayBuffer());
    }
    async *list(prefix: string): AsyncIterable<StoredPayload> {
        let next: string | undefined;
        do {
            const query = { 'list-type': '2', prefix: this.options.prefix + prefix, ...(next ? { 'continuation-token': next } : {}) };
            const xml = await (await this.request('GET', '', query)).text();
            for (const [, content = ''] of xml.matchAll(/<Contents>(.*?)<\/Contents>/gs)) {
                const key = unescaped(/<Key>(.*?)<\/Key>/s.exec(content)?.[1] ?? '');
                const modified = new Date(/<LastModified>(.*?)<\/LastModified>/.exec(content)?.[1] ?? 0);
                yield { key: key.slice(this.options.prefix.length), uri: `s3://${this.options.bucket}/${key}`, modified };
            }
            const more = /<NextContinuationToken>(.*?)<\/NextContinuationToken>/s.exec(xml)?.[1];
            next = more && unescaped(more);
        } while (next);
    }
    async delete(key: string): Promise<void> {
        await this.request('DELETE', this.options.prefix + key);
    }

    private async request(method: string, key: string, query: Record<string, string> = {}, body?: Uint8Array): Promise<Response> {
        const { bucket, region, accessKeyId, secretAccessKey, sessionToken } = this.options;
        const url = new URL(`${this.options.endpoint.replace(/\/$/, '')}/${[bucket, ...key.split('/')].map(escaped).join('/')}`);
        const search = Object.keys(query)
            .sort()
            .map((name) => `${escaped(name)}=${escaped(query[name]!)}`)
            .join('&');
        const time = new Date().toISOString().replace(/[-:]|\.\d{3}/g, '');
        const headers: Record<string, string> = { host: url.host, 'x-amz-content-sha256': hex(body ?? ''), 'x-amz-date': time };
        if (sessionToken) headers['x-amz-security-token'] = sessionToken;
        const authorization = signature({ method, path: url.pathname, search, headers, region, accessKeyId, secretAccessKey });
        const { host, ...sent } = headers;
        const answer = await fetch(`${url.href}${search && '?' + search}`, {
            method,
            headers: { ...sent, authorization },
            body: body as BodyInit | undefined,
        }).catch((cause) => {
            throw new TaskError('transient', 'storage_unreachable', `${method} ${url.href}: ${cause.cause?.message ?? cause.message}`);
        });
        if (answer.ok) return answer;
        const said = /<Code>(.*?)<\/Code>/.exec(await answer.text())?.[1] ?? answer.statusText;
        const kind = answer.status >= 500 ? 'transient' : answer.status === 408 || answer.status === 429 ? 'resource' : 'validation';
        throw new TaskError(kind, said || String(answer.status), `${method} ${url.href} was answered ${answer.status} ${said}`);
    }
}
