// Who is logged in. The token stays in this tab unless it was asked to be kept on the device.
import { useSyncExternalStore } from 'react';
import { ApiError, get, setCredentials } from '../api/client';
import type { Me, Role } from '../api/types';

const key = 'orch.token';

export type Session = { state: 'loading' } | { state: 'out'; why?: string } | { state: 'away'; error: unknown } | { state: 'in'; me: Me };

let session: Session = { state: 'loading' };
const listeners = new Set<() => void>();
function change(to: Session): void {
    session = to;
    for (const one of listeners) one();
}

export const useSession = (): Session =>
    useSyncExternalStore(
        (listener) => (listeners.add(listener), () => void listeners.delete(listener)),
        () => session,
    );

function forget(): void {
    for (const storage of [sessionStorage, localStorage]) {
        storage.removeItem(key);
        storage.removeItem(meKey);
    }
    setCredentials(null);
}

export function logOut(why?: string): void {
    forget();
    change({ state: 'out', why });
}

// Who the token was of last time: the page begins with that, while the bridge is asked whether it still is.
const meKey = 'orch.me';

function remembered(): Me | null {
    try {
        return JSON.parse(sessionStorage.getItem(meKey) ?? localStorage.getItem(meKey) ?? 'null') as Me | null;
    } catch {
        return null;
    }
}

async function enter(token: string): Promise<void> {
    setCredentials({ token, onRefused: () => session.state === 'in' && logOut('The token is no longer valid: it was revoked or has expired.') });
    const me = await get<Me>('/me');
    // The protocol of workers is all that it opens: it may not even look.
    if (me.role === 'worker')
        throw new ApiError({
            type: 'about:blank',
            title: 'This is a token for a worker: it takes tasks and brings results, but may not look at anything here.',
            status: 403,
            code: 'worker',
            instance: '',
        });
    if (session.state !== 'in' || JSON.stringify(session.me) !== JSON.stringify(me)) change({ state: 'in', me });
    (localStorage.getItem(key) === token ? localStorage : sessionStorage).setItem(meKey, JSON.stringify(me));
}

/** Throws what the bridge says where it does not take the token. */
export async function logIn(token: string, keep: boolean): Promise<void> {
    (keep ? localStorage : sessionStorage).setItem(key, token);
    try {
        await enter(token);
    } catch (error) {
        forget();
        throw error;
    }
}

/** With the token of before, where there is one. */
export async function resume(): Promise<void> {
    const token = sessionStorage.getItem(key) ?? localStorage.getItem(key);
    if (!token) return change({ state: 'out' });
    const me = remembered();
    try {
        const entering = enter(token);
        if (me !== null && session.state === 'loading') change({ state: 'in', me });
        await entering;
    } catch (error) {
        if (error instanceof ApiError && error.status === 403) return logOut(error.problem.title);
        if (error instanceof ApiError && error.status === 401) return logOut('The token is no longer valid: it was revoked or has expired.');
        if (session.state !== 'in') change({ state: 'away', error });
    }
}

const rank: Record<Role, number> = { worker: -1, viewer: 0, operator: 1, admin: 2 };
export const mayDo = (me: Pick<Me, 'role'>, least: Role): boolean => rank[me.role] >= rank[least];

/** Whether the role of who is logged in is at least this one: what it may not do is not offered. */
export function useMay(least: Role): boolean {
    const now = useSession();
    return now.state === 'in' && mayDo(now.me, least);
}
