// One way to the API: a token in a header, JSON both ways, and errors as the problem documents that the bridge sends.
import type { Problem } from './types';

export const base = '/api/v1';

export class ApiError extends Error {
    readonly status: number;
    readonly problem: Problem;
    constructor(problem: Problem) {
        super(problem.title);
        this.name = 'ApiError';
        this.status = problem.status;
        this.problem = problem;
    }
}

export interface Credentials {
    token: string;
    /** Called once the bridge no longer knows the token. */
    onRefused: () => void;
}

let credentials: Credentials | null = null;
export const setCredentials = (given: Credentials | null): void => void (credentials = given);

export const authorization = (): Record<string, string> => (credentials ? { Authorization: `Bearer ${credentials.token}` } : {});

/** `a/b` as one segment of a path. */
export const segment = (text: string | number): string => encodeURIComponent(String(text));

export type Query = Record<string, string | number | boolean | readonly string[] | null | undefined>;

export function withQuery(path: string, query?: Query): string {
    const search = new URLSearchParams();
    for (const [name, value] of Object.entries(query ?? {})) {
        if (value === null || value === undefined || value === '') continue;
        for (const one of Array.isArray(value) ? (value as readonly string[]) : [value]) search.append(name, String(one));
    }
    const text = search.toString();
    return text ? `${path}?${text}` : path;
}

export interface RequestOptions {
    query?: Query;
    body?: unknown;
    /** Sent as it is, with the type of its own: an upload, or YAML. */
    raw?: { body: BodyInit; type?: string };
    headers?: Record<string, string>;
    signal?: AbortSignal;
}

export async function problemOf(response: Response): Promise<Problem> {
    const text = await response.text().catch(() => '');
    try {
        const parsed = JSON.parse(text) as Problem;
        if (parsed && typeof parsed.title === 'string') return { ...parsed, status: response.status };
    } catch {
        // Whatever stands between us and the bridge answered in a form of its own.
    }
    return { type: 'about:blank', title: `the bridge answered with ${response.status}`, status: response.status, code: String(response.status) } as Problem;
}

export async function send(method: string, path: string, options: RequestOptions = {}): Promise<Response> {
    const headers: Record<string, string> = { Accept: 'application/json', ...authorization(), ...options.headers };
    let body: BodyInit | undefined;
    if (options.raw) {
        body = options.raw.body;
        if (options.raw.type) headers['Content-Type'] = options.raw.type;
    } else if (options.body !== undefined) {
        body = JSON.stringify(options.body);
        headers['Content-Type'] = 'application/json';
    }
    let response: Response;
    try {
        for (let again = 0; ; again++) {
            response = await fetch(base + withQuery(path, options.query), { method, headers, body, signal: options.signal, cache: 'no-store' });
            // A token has so many requests a minute. What only reads waits for its turn.
            const pause = response.status === 429 && method === 'GET' && again < 3 ? Number(response.headers.get('Retry-After') ?? 1) : 0;
            if (!(pause > 0 && pause <= 20)) break;
            await new Promise((resume) => setTimeout(resume, pause * 1000));
        }
    } catch (error) {
        if (error instanceof DOMException && error.name === 'AbortError') throw error;
        throw new ApiError({
            type: 'about:blank',
            title: 'the bridge does not answer',
            status: 0,
            code: 'unreachable',
            hint: 'It is tried again as soon as it is back.',
        } as Problem);
    }
    if (response.ok) return response;
    const problem = await problemOf(response);
    if (response.status === 401) credentials?.onRefused();
    throw new ApiError(problem);
}

export async function request<T>(method: string, path: string, options?: RequestOptions): Promise<T> {
    const response = await send(method, path, options);
    if (response.status === 204) return undefined as T;
    return (await response.json()) as T;
}

export const get = <T>(path: string, query?: Query, signal?: AbortSignal): Promise<T> => request<T>('GET', path, { query, signal });
export const post = <T>(path: string, body?: unknown): Promise<T> => request<T>('POST', path, { body: body ?? {} });
export const del = <T>(path: string, query?: Query): Promise<T> => request<T>('DELETE', path, { query });
