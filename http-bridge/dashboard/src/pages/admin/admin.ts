// What the page of administration knows without a browser.
import type { components } from '../../api/schema';
import type { Role } from '../../api/types';
import { quoted } from '../../ui/Sql';

type Schemas = components['schemas'];
export type Token = Schemas['Token'];
export type Hook = Schemas['Hook'];
export type Notification = Schemas['Notification'];
export type NotifiedEvent = Schemas['NotifiedEvent'];

export interface AuditEntry {
    at: string;
    actor: string;
    action: string;
    run_id: string | null;
    workflow: string | null;
    tenant: string | null;
    reason: string | null;
    details: unknown;
}

export interface Delivery {
    run_id: string;
    notification: string;
    event: NotifiedEvent;
    about: string | null;
    workflow: string;
    dead_letter: number | null;
    at: string;
    state: string | null;
    attempts: number | null;
    finished_at: string | null;
}

export const lifetimes = [
    ['1', 'in a day'],
    ['30', 'in 30 days'],
    ['90', 'in 90 days'],
    ['365', 'in a year'],
    ['', 'never'],
] as const;

/** To the hour: nobody wants it to the second, and the SQL shown stays the one that is run. */
export function expiryOf(days: string, now: number): string | null {
    if (days === '') return null;
    const hour = 3_600_000;
    return new Date(Math.ceil((now + Number(days) * 24 * hour) / hour) * hour).toISOString().replace('.000', '');
}

export const tokenState = (token: Pick<Token, 'revoked_at' | 'expires_at'>, now: number): 'valid' | 'revoked' | 'expired' =>
    token.revoked_at ? 'revoked' : token.expires_at && Date.parse(token.expires_at) <= now ? 'expired' : 'valid';

export const createTokenSql = (name: string, role: Role, expires: string | null): string =>
    `select orch.create_token(${quoted(name || 'NAME')}, ${quoted(role)}${expires ? `, expires => ${quoted(expires)}` : ''});`;

export interface HookDraft {
    hook: string;
    workflow: string;
    format: 'github' | 'standard' | 'hex';
    header: string;
    input: unknown;
}

export const createHookSql = ({ hook, workflow, format, header, input }: HookDraft): string =>
    `select * from orch.create_hook(${[
        quoted(hook || 'HOOK'),
        quoted(workflow || 'WORKFLOW'),
        ...(input === undefined ? [] : [`input => ${quoted(JSON.stringify(input))}`]),
        ...(format === 'github' ? [] : [`format => ${quoted(format)}`]),
        ...(format === 'hex' && header ? [`signature_header => ${quoted(header)}`] : []),
    ].join(', ')});`;

export const notifiedEvents: readonly NotifiedEvent[] = ['run_failed', 'run_timed_out', 'run_cancelled', 'run_succeeded', 'dead_letter'];

export const notifySql = (name: string, workflow: string, url: string, events: readonly string[]): string =>
    `select orch.notify_on(${quoted(name || 'NAME')}, ${workflow ? quoted(workflow) : 'null'}, ${quoted(url || 'URL')}, ${quoted(`{${events.join(',')}}`)});`;

/** What is not worth a webhook's address; the database is the judge, this only says it sooner. */
export function urlProblem(url: string): string | null {
    if (url === '') return null;
    try {
        return /^https?:$/.test(new URL(url).protocol) ? null : 'It has to begin with http:// or https://.';
    } catch {
        return 'This is no address.';
    }
}
