import { useSyncExternalStore } from 'react';

export type Theme = 'system' | 'dark' | 'light';

const key = 'orch.theme';
const systemLight = window.matchMedia('(prefers-color-scheme: light)');
const listeners = new Set<() => void>();

export const themeOf = (): Theme => (localStorage.getItem(key) as Theme | null) ?? 'system';
const isLight = (): boolean => (themeOf() === 'system' ? systemLight.matches : themeOf() === 'light');

export function applyTheme(): void {
    document.documentElement.dataset['theme'] = isLight() ? 'light' : 'dark';
    for (const one of listeners) one();
}

export function setTheme(theme: Theme): void {
    if (theme === 'system') localStorage.removeItem(key);
    else localStorage.setItem(key, theme);
    applyTheme();
}

systemLight.addEventListener('change', applyTheme);

const subscribe = (listener: () => void): (() => void) => {
    listeners.add(listener);
    return () => listeners.delete(listener);
};
export const useTheme = (): Theme => useSyncExternalStore(subscribe, themeOf);
/** What the colours are now: for what is drawn and not styled. */
export const useColours = (): 'dark' | 'light' => useSyncExternalStore(subscribe, () => (isLight() ? 'light' : 'dark'));
