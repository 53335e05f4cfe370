import { useSyncExternalStore } from 'react';
import { ApiError } from '../api/client';
import { Button } from './Button';
import { Icon } from './Icon';
import css from './Toast.module.css';

interface Toast {
    id: number;
    kind: 'good' | 'bad';
    title: string;
    detail?: React.ReactNode;
}

let toasts: readonly Toast[] = [];
let next = 1;
const listeners = new Set<() => void>();
const change = (to: readonly Toast[]): void => {
    toasts = to;
    for (const one of listeners) one();
};
const close = (id: number): void => change(toasts.filter((toast) => toast.id !== id));

function show(kind: Toast['kind'], title: string, detail?: React.ReactNode): void {
    const id = next++;
    change([...toasts.slice(-3), { id, kind, title, detail }]);
    setTimeout(() => close(id), kind === 'good' ? 5000 : 12_000);
}

/** From anywhere: what was done, or why it was not. */
export const toast = {
    done: (title: string, detail?: React.ReactNode): void => show('good', title, detail),
    failed: (error: unknown): void => {
        const problem = error instanceof ApiError ? error.problem : null;
        const detail = [problem?.detail, problem?.hint].filter(Boolean).join(' ');
        show('bad', problem?.title ?? (error instanceof Error ? error.message : String(error)), detail || undefined);
    },
};

export function Toasts() {
    const shown = useSyncExternalStore(
        (listener) => (listeners.add(listener), () => void listeners.delete(listener)),
        () => toasts,
    );
    return (
        <div className={css.stack} role="status" aria-live="polite">
            {shown.map((one) => (
                <div key={one.id} className={`${css.toast} ${css[one.kind]}`}>
                    <span className={css.sign}>
                        <Icon name={one.kind === 'good' ? 'check' : 'warning'} />
                    </span>
                    <div className={css.text}>
                        <div>{one.title}</div>
                        {one.detail && <div className={css.detail}>{one.detail}</div>}
                    </div>
                    <Button kind="plain" small icon="close" aria-label="Close" onClick={() => close(one.id)} />
                </div>
            ))}
        </div>
    );
}
