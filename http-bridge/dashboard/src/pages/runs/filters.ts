// What the list of runs is asked for, as it stands in the address of the page, in the query of the API and in SQL.
import type { Query } from '../../api/client';
import type { RunState } from '../../api/types';
import { quoted } from '../../ui/Sql';
import { runStates } from '../../ui/states';

export interface RunFilters {
    workflow: string;
    state: RunState | '';
    /** `key` or `key=value` each; all hold. */
    tags: readonly string[];
    /** A span back from now (`1h`), or a time. */
    since: string;
    until: string;
    key: string;
    source: string;
    parent: string;
}

export const noFilters: RunFilters = { workflow: '', state: '', tags: [], since: '', until: '', key: '', source: '', parent: '' };

const single = ['workflow', 'since', 'until', 'key', 'source', 'parent'] as const;
const spans: Record<string, number> = { m: 60_000, h: 3_600_000, d: 86_400_000 };

export const isState = (text: string): text is RunState => (runStates as readonly string[]).includes(text);

/** What of the address is no filter is left out, so that a link of another version still opens. */
export function filtersOf(address: URLSearchParams): RunFilters {
    const filters: RunFilters = { ...noFilters, tags: [...new Set(address.getAll('tag').filter(Boolean))] };
    for (const name of single) filters[name] = address.get(name) ?? '';
    const state = address.get('state') ?? '';
    if (isState(state)) filters.state = state;
    if (filters.since && instantOf(filters.since, 0) === null) filters.since = '';
    if (filters.until && instantOf(filters.until, 0) === null) filters.until = '';
    return filters;
}

export function addressOf(filters: RunFilters): URLSearchParams {
    const address = new URLSearchParams();
    if (filters.state) address.set('state', filters.state);
    for (const name of single) if (filters[name]) address.set(name, filters[name]);
    for (const tag of filters.tags) address.append('tag', tag);
    return address;
}

/** `90m`, `24h`, `7d` back from now, or a time; null for anything else. */
export function instantOf(text: string, now: number): Date | null {
    const span = /^(\d{1,5})([mhd])$/.exec(text);
    if (span) return new Date(now - Number(span[1]) * spans[span[2]!]!);
    const at = Date.parse(text);
    return Number.isNaN(at) ? null : new Date(at);
}

export function queryOf(filters: RunFilters, now: number): Query {
    return {
        workflow: filters.workflow,
        state: filters.state,
        tag: filters.tags,
        since: filters.since ? instantOf(filters.since, now)?.toISOString() : undefined,
        until: filters.until ? instantOf(filters.until, now)?.toISOString() : undefined,
        idempotency_key: filters.key,
        source: filters.source,
        parent: filters.parent,
    };
}

const words: Record<string, string> = { m: 'minutes', h: 'hours', d: 'days' };

function instantInSql(text: string): string {
    const span = /^(\d{1,5})([mhd])$/.exec(text);
    return span ? `now() - interval '${span[1]} ${words[span[2]!]}'` : `${quoted(new Date(text).toISOString())}::timestamptz`;
}

export function sqlOf(filters: RunFilters, limit = 100): string {
    const where: string[] = [];
    if (filters.workflow) where.push(`workflow = ${quoted(filters.workflow)}`);
    if (filters.state) where.push(`state = ${quoted(filters.state)}`);
    for (const tag of filters.tags) {
        const at = tag.indexOf('=');
        where.push(at > 0 ? `tags ->> ${quoted(tag.slice(0, at))} = ${quoted(tag.slice(at + 1))}` : `tags ? ${quoted(tag)}`);
    }
    if (filters.since) where.push(`created_at >= ${instantInSql(filters.since)}`);
    if (filters.until) where.push(`created_at < ${instantInSql(filters.until)}`);
    if (filters.key) where.push(`idempotency_key = ${quoted(filters.key)}`);
    if (filters.source) where.push(`source = ${quoted(filters.source)}`);
    if (filters.parent) where.push(`parent_run_id = ${quoted(filters.parent)}`);
    return [
        'select run_id, workflow, version, state, tags, created_at, started_at, finished_at',
        'from orch.runs',
        ...(where.length > 0 ? [`where ${where.join('\n    and ')}`] : []),
        'order by run_id desc',
        `limit ${limit};`,
    ].join('\n');
}

export type Meant = { run: string } | { filters: RunFilters };

const uuid = /^[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}$/i;

/** What was meant by a text in the search field: the id of a run, a state, a tag, a workflow, else the key of a run. */
export function meantBy(text: string, filters: RunFilters, workflows: readonly string[]): Meant {
    const word = text.trim();
    if (uuid.test(word)) return { run: word.toLowerCase() };
    const state = word.toLowerCase().replaceAll(' ', '_');
    if (isState(state)) return { filters: { ...filters, state } };
    if (workflows.includes(word)) return { filters: { ...filters, workflow: word } };
    const tag = /^(?:tag:)(.+)$/.exec(word)?.[1] ?? (/^[^=\s]+=.*$/.test(word) ? word : null);
    if (tag) return { filters: { ...filters, tags: [...new Set([...filters.tags, tag])] } };
    const alike = workflows.filter((one) => one.toLowerCase().includes(word.toLowerCase()));
    if (alike.length === 1) return { filters: { ...filters, workflow: alike[0]! } };
    return { filters: { ...filters, key: word } };
}
