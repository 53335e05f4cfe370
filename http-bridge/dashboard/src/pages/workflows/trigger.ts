// What a trigger is asked with: from the fields of its dialog to the request, and to SQL.
import { quoted } from '../../ui/Sql';
import type { Json } from '../../source/text';

export interface TriggerFields {
    input: string;
    key: string;
    priority: string;
    /** Of a field of type datetime-local; empty: now. */
    at: string;
    tags: string;
    timeout: string;
    version: string;
}

export interface TriggerBody {
    input: Json;
    idempotency_key?: string;
    priority?: number;
    run_at?: string;
    tags?: Record<string, string>;
    timeout?: string;
    version?: number;
    source: 'manual';
}

export type TriggerErrors = Partial<Record<keyof TriggerFields, string>>;

/** `team=shop, urgent` */
export function tagsIn(text: string): Record<string, string> {
    const tags: Record<string, string> = {};
    for (const part of text.split(/[,\n]/)) {
        const at = part.indexOf('=');
        const name = (at < 0 ? part : part.slice(0, at)).trim();
        if (name) tags[name] = at < 0 ? '' : part.slice(at + 1).trim();
    }
    return tags;
}

export function bodyOf(fields: TriggerFields): { body: TriggerBody } | { errors: TriggerErrors } {
    const errors: TriggerErrors = {};
    const body: TriggerBody = { input: {}, source: 'manual' };
    try {
        body.input = fields.input.trim() === '' ? {} : (JSON.parse(fields.input) as Json);
    } catch (error) {
        errors.input = error instanceof Error ? `This is no JSON: ${error.message}` : 'This is no JSON.';
    }
    if (fields.key.trim()) body.idempotency_key = fields.key.trim();
    if (fields.priority.trim()) {
        const priority = Number(fields.priority);
        if (!Number.isInteger(priority) || Math.abs(priority) > 1000) errors.priority = 'A whole number from -1000 to 1000.';
        body.priority = priority;
    }
    if (fields.at) {
        const at = new Date(fields.at);
        if (Number.isNaN(at.getTime())) errors.at = 'This is no time.';
        else body.run_at = at.toISOString();
    }
    const tags = tagsIn(fields.tags);
    if (Object.keys(tags).length > 0) body.tags = tags;
    if (fields.timeout.trim()) body.timeout = fields.timeout.trim();
    if (fields.version) body.version = Number(fields.version);
    return Object.keys(errors).length > 0 ? { errors } : { body };
}

export function sqlOfTrigger(workflow: string, body: TriggerBody): string {
    const named: string[] = [];
    if (body.idempotency_key !== undefined) named.push(`idempotency_key => ${quoted(body.idempotency_key)}`);
    if (body.priority !== undefined) named.push(`priority => ${body.priority}`);
    if (body.run_at !== undefined) named.push(`run_at => ${quoted(body.run_at)}`);
    if (body.tags !== undefined) named.push(`tags => ${quoted(body.tags)}`);
    if (body.timeout !== undefined) named.push(`timeout => ${quoted(body.timeout)}`);
    if (body.version !== undefined) named.push(`version => ${body.version}`);
    const given = [quoted(workflow), quoted(JSON.stringify(body.input)), ...named];
    return given.length > 3 ? `select orch.trigger(\n    ${given.join(',\n    ')}\n);` : `select orch.trigger(${given.join(', ')});`;
}

/** The names below `input` that a definition reads without saying what stands for them where they are missing. */
export function inputNames(spec: Json): string[] {
    const names = new Set<string>();
    const look = (value: Json): void => {
        if (typeof value === 'string') {
            for (const [, body] of value.matchAll(/\{\{([\s\S]*?)\}\}/g)) {
                if (body!.includes('??')) continue;
                const name = /^\s*input\.(?:([A-Za-z_]\w*)|"([^"]+)")/.exec(body!);
                if (name) names.add(name[1] ?? name[2]!);
            }
        } else if (Array.isArray(value)) value.forEach(look);
        else if (value !== null && typeof value === 'object') Object.values(value).forEach(look);
    };
    look(spec);
    return [...names];
}
