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
    sessionStorage.removeItem(key);
    localStorage.removeItem(key);
    setCredentials(null);
}

export function logOut(why?: string): void {
    forget();
    change({ state: 'out', why });
}

async function enter(token: string): Promise<void> {
    setCredentials({ token, onRefused: () => session.state === 'in' && logOut('The token is no longer valid: it was revoked or has expired.') });
    const me = await get<Me>('/me');
    change({ state: 'in', me });
}

/** Throws what the bridge says where it does not take the token. */
export async function logIn(token: string, keep: boolean): Promise<void> {
    try {
        await enter(token);
    } catch (error) {
        setCredentials(null);
        throw error;
    }
    (keep ? localStorage : sessionStorage).setItem(key, token);
}

/** With the token of before, where there is one. */
export async function resume(): Promise<void> {
    const token = sessionStorage.getItem(key) ?? localStorage.getItem(key);
    if (!token) return change({ state: 'out' });
    try {
        await enter(token);
    } catch (error) {
        if (error instanceof ApiError && error.status === 401) return logOut('The token is no longer valid: it was revoked or has expired.');
        change({ state: 'away', error });
    }
}

const rank: Record<Role, number> = { viewer: 0, worker: 1, operator: 2, admin: 3 };
export const mayDo = (me: Pick<Me, 'role'>, least: Role): boolean => rank[me.role] >= rank[least];

/** Whether the role of who is logged in is at least this one: what it may not do is not offered. */
export function useMay(least: Role): boolean {
    const now = useSession();
    return now.state === 'in' && mayDo(now.me, least);
}
