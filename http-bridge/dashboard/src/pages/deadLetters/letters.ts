// What the page of dead letters knows without a browser: filters, errors, and the SQL of what is done.
import { ApiError } from '../../api/client';
import type { DeadLetter } from '../../api/types';
import { quoted } from '../../ui/Sql';

export interface Filter {
    resolution: string;
    workflow: string;
    task: string;
    run: string;
    fingerprint: string;
}

export const resolutions = [
    ['open', 'Open'],
    ['redriven', 'Redriven'],
    ['discarded', 'Discarded'],
    ['all', 'All'],
] as const;

export const toQuery = (filter: Filter): Record<string, string> =>
    Object.fromEntries(Object.entries(filter).filter(([name, value]) => value !== '' && !(name === 'resolution' && value === 'all')));

/** The filter as `orch.redrive` takes it. */
export const toRedriveFilter = ({ workflow, task, run, fingerprint }: Filter): Record<string, string> =>
    Object.fromEntries(Object.entries({ workflow, task_id: task, run_id: run, fingerprint }).filter(([, value]) => value !== ''));

export const isFiltered = (filter: Filter): boolean => Object.keys(toRedriveFilter(filter)).length > 0;

export interface TaskError {
    class: string | null;
    code: string | null;
    message: string;
    /** Where it went wrong, in the words of the language it went wrong in. */
    traceback: string | null;
    /** Whatever else it says. */
    rest: Record<string, unknown> | null;
}

const text = (value: unknown): string | null =>
    value === null || value === undefined || value === '' ? null : typeof value === 'string' ? value : JSON.stringify(value);

export function readError(error: unknown): TaskError {
    if (error === null || typeof error !== 'object' || Array.isArray(error))
        return { class: null, code: null, message: text(error) ?? 'no message', traceback: null, rest: null };
    const { class: kind, code, message, traceback, stack, ...rest } = error as Record<string, unknown>;
    const trace = traceback ?? stack;
    return {
        class: text(kind),
        code: text(code),
        message: text(message) ?? 'no message',
        traceback: Array.isArray(trace) ? trace.map(String).join('\n') : text(trace),
        rest: Object.keys(rest).length > 0 ? rest : null,
    };
}

const many = 20;
const calls = (ids: readonly number[], call: (id: number) => string): string => {
    const lines = ids.slice(0, many).map(call);
    if (ids.length > many) lines.push(`-- and ${ids.length - many} more`);
    return lines.join('\n');
};

export const redriveSql = (ids: readonly number[], input?: unknown): string =>
    calls(ids, (id) =>
        input === undefined ? `select * from orch.redrive(${id});` : `select * from orch.redrive(${id}, input => ${quoted(JSON.stringify(input))});`,
    );
export const redriveFilterSql = (filter: Filter): string => `select * from orch.redrive(filter => ${quoted(JSON.stringify(toRedriveFilter(filter)))});`;
export const discardSql = (ids: readonly number[]): string => calls(ids, (id) => `select orch.discard(${id});`);

/** One of each run is enough: a redrive reopens the run, and resolves all that it left. */
export function oneOfEachRun(letters: readonly Pick<DeadLetter, 'id' | 'run_id'>[]): number[] {
    const byRun = new Map<string, number>();
    for (const { id, run_id } of letters) if (!byRun.has(run_id)) byRun.set(run_id, id);
    return [...byRun.values()];
}

/**
 * Each in its turn. A token has so many requests a minute, so what is too many waits and goes on; the first other refusal ends it, and says how far it came.
 */
export async function inTurn(
    ids: readonly number[],
    call: (id: number) => Promise<unknown>,
    pause = (ms: number) => new Promise<void>((resume) => setTimeout(resume, ms)),
): Promise<number> {
    let done = 0;
    for (const id of ids) {
        for (let again = 0; ; again++) {
            try {
                await call(id);
                done++;
                break;
            } catch (error) {
                if (error instanceof ApiError && error.status === 429 && again < 20) {
                    await pause(3000);
                    continue;
                }
                if (done > 0 && error instanceof ApiError)
                    throw new ApiError({ ...error.problem, title: `${done} of ${ids.length} were done, then: ${error.problem.title}` });
                throw error;
            }
        }
    }
    return done;
}
