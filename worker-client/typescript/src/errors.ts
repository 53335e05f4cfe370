import type { Json } from './json.js';

/** Decides whether an attempt is tried again; docs/errors.md has the table. */
export type ErrorClass = 'transient' | 'timeout' | 'resource' | 'infrastructure' | 'handler' | 'unknown' | 'validation' | 'cancelled';

/** The error of a task, as the database keeps it. */
export interface ErrorFields {
    class: ErrorClass;
    code?: string;
    message: string;
    detail?: Json;
    exit_code?: number;
    traceback?: string;
    /** The least delay before the next attempt. */
    retry_after_seconds?: number;
}

/** Thrown by a handler to say what is wrong in the terms of the engine; thrown by a step whose task failed. */
export class TaskError extends Error {
    override readonly name: string = 'TaskError';
    constructor(
        readonly errorClass: ErrorClass,
        readonly code: string,
        message: string,
        readonly detail?: Json,
        readonly retryAfterSeconds?: number,
    ) {
        super(message);
    }
    static from(fields: ErrorFields): TaskError {
        const make = fields.class === 'cancelled' ? CancelledError : TaskError;
        return new make(fields.class, fields.code ?? fields.class, fields.message ?? '', fields.detail);
    }
}

/** What a cancel raises where durable code waits, and the reason of an aborted signal. */
export class CancelledError extends TaskError {
    override readonly name = 'CancelledError';
}

/** Thrown by a handler that skips its own task. */
export class SkipTask extends Error {
    override readonly name = 'SkipTask';
}

/** What the server refused; branch on `code`, a SQLSTATE of docs/errors.md. */
export class OrchError extends Error {
    override readonly name = 'OrchError';
    readonly code: string;
    readonly detail?: string;
    readonly hint?: string;
    /** What the code of a run answered, where that is what was refused (OR041). */
    error?: ErrorFields;
    constructor(cause: unknown) {
        const from = cause as { message?: string; code?: string; detail?: string; hint?: string };
        super(from.message ?? String(cause), { cause });
        // What node tells of a socket is no SQLSTATE, and a connection that just ended has no code at all.
        this.code = /^[0-9A-Z]{5}$/.test(from.code ?? '') ? from.code! : '08006';
        this.detail = from.detail;
        this.hint = from.hint;
        if (this.code === 'OR041' && from.detail) this.error = JSON.parse(from.detail);
    }
    get poisonsConnection(): boolean {
        return /^(08|57P0)/.test(this.code);
    }
    get retryable(): boolean {
        return classOfState(this.code) === 'transient';
    }
}

export function classOfState(code: string): ErrorClass | undefined {
    if (/^(08|40|53|57)/.test(code) || code === '55P03') return 'transient';
    return /^(22|23|42)/.test(code) ? 'validation' : undefined;
}

function classOf(error: { code?: unknown; status?: unknown }): ErrorClass {
    if (typeof error.status === 'number' && error.status >= 400 && error.status < 600) {
        if (error.status === 408 || error.status === 429) return 'resource';
        return error.status >= 500 ? 'transient' : 'validation';
    }
    const code = typeof error.code === 'string' ? error.code : '';
    if (/^(ECONN|ETIMEDOUT|EPIPE|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH|UND_ERR_)/.test(code)) return 'transient';
    return (/^[0-9A-Z]{5}$/.test(code) ? classOfState(code) : undefined) ?? 'handler';
}

/** Whatever was thrown, as the database keeps it. */
export function errorFields(thrown: unknown): ErrorFields {
    const error = (typeof thrown === 'object' && thrown !== null ? thrown : { message: String(thrown) }) as Error & { code?: unknown; detail?: Json };
    const fields: ErrorFields = { class: error instanceof TaskError ? error.errorClass : classOf(error), message: error.message ?? '' };
    const code = error.code ?? (error.name === 'Error' ? undefined : error.name);
    if (code !== undefined) fields.code = String(code);
    if (error.detail !== undefined) fields.detail = error.detail;
    if (error instanceof TaskError && error.retryAfterSeconds !== undefined) fields.retry_after_seconds = error.retryAfterSeconds;
    if (error.stack) fields.traceback = error.stack.slice(0, 20_000);
    return fields;
}

export const isRetried = (errorClass: ErrorClass): boolean => errorClass !== 'validation' && errorClass !== 'cancelled';
