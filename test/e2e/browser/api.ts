// The HTTP API and SQL, for what a test makes before it looks, and for what it looks at beside the page.
import { execFileSync } from 'node:child_process';

export type Role = 'viewer' | 'worker' | 'operator' | 'admin';

export const home = (): string => process.env['ORCH_HTTP_URL']!;
export const tokenOf = (role: Role): string => process.env[`ORCH_TOKEN_${role}`]!;
export const sql = (text: string): string =>
    execFileSync('psql', ['-XAtq', '-v', 'ON_ERROR_STOP=1', '-c', text], {
        encoding: 'utf8',
    }).trim();

export interface Answer<T> {
    status: number;
    body: T;
}

/** As who; never throws for a status: tests want refusals, too. */
export async function call<T = Record<string, never>>(
    who: Role | { token: string },
    method: string,
    path: string,
    body?: unknown,
    at = home(),
): Promise<Answer<T>> {
    const response = await fetch(`${at}/api/v1${path}`, {
        method,
        headers: {
            Authorization: `Bearer ${typeof who === 'string' ? tokenOf(who) : who.token}`,
            'Content-Type': 'application/json',
            Accept: 'application/json',
        },
        body: body === undefined ? undefined : JSON.stringify(body),
    });
    const text = await response.text();
    return {
        status: response.status,
        body: (text ? JSON.parse(text) : null) as T,
    };
}

async function well<T>(who: Role, method: string, path: string, body?: unknown): Promise<T> {
    const answer = await call<T>(who, method, path, body);
    if (answer.status >= 300) throw new Error(`${method} ${path}: ${answer.status} ${JSON.stringify(answer.body)}`);
    return answer.body;
}

export const get = <T>(path: string): Promise<T> => well<T>('viewer', 'GET', path);
export const register = (definition: { id: string; [key: string]: unknown }): Promise<unknown> => well('admin', 'POST', '/workflows', definition);
export const trigger = async (workflow: string, request: Record<string, unknown> = {}): Promise<string> =>
    (await well<{ run_id: string }>('operator', 'POST', `/workflows/${workflow}/trigger`, request)).run_id;
export const act = <T>(path: string, body: unknown = {}, who: Role = 'operator'): Promise<T> => well<T>(who, 'POST', path, body);

export async function until(what: string, holds: () => boolean | Promise<boolean>, seconds = 30): Promise<void> {
    const end = Date.now() + seconds * 1000;
    while (!(await holds())) {
        if (Date.now() > end) throw new Error(`waited ${seconds} s: ${what}`);
        await new Promise((resume) => setTimeout(resume, 50));
    }
}

export const runReaches = (run: string, state: string, seconds = 30): Promise<void> =>
    until(`run ${run} is not ${state}`, async () => (await get<{ state: string }>(`/runs/${run}`)).state === state, seconds);
export const taskReaches = (run: string, task: string, state: string, seconds = 30): Promise<void> =>
    until(
        `task ${task} of ${run} is not ${state}`,
        async () => (await get<{ state: string }>(`/runs/${run}/tasks/${encodeURIComponent(task)}`)).state === state,
        seconds,
    );

/** A fresh name each time: tests share their server. */
let counter = 0;
export const fresh = (name: string): string => `${name}_${process.pid}_${++counter}`;
