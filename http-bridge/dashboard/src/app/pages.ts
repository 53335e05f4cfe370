// Every page: where it is, what it is called, and the file that it is loaded from when it is first opened. The sidebar, the `g` keys and the search are made of this.
import { lazy, type ComponentType, type LazyExoticComponent } from 'react';
import type { IconName } from '../ui/Icon';

export type PageProps = { params: Record<string, string | undefined> };

export interface PageEntry {
    /** A pattern of wouter. */
    path: string;
    title: string;
    component: LazyExoticComponent<ComponentType<PageProps>>;
    /** Begins to load it, before it is shown. */
    load: () => Promise<unknown>;
    /** What stands in the sidebar; without it the page is reached from others. */
    nav?: { group: 'main' | 'Waiting' | 'Capacity' | 'Access'; icon: IconName; /** behind `g` */ key: string };
}

type Load = () => Promise<{ default: ComponentType<PageProps> }>;
const page = (path: string, title: string, load: Load, nav?: PageEntry['nav']): PageEntry => ({ path, title, component: lazy(load), load, nav });

export const pages: readonly PageEntry[] = [
    page('/', 'Overview', () => import('../pages/overview'), { group: 'main', icon: 'overview', key: 'o' }),
    page('/runs', 'Runs', () => import('../pages/runs'), { group: 'main', icon: 'runs', key: 'r' }),
    page('/workflows', 'Workflows', () => import('../pages/workflows/list'), { group: 'main', icon: 'workflows', key: 'w' }),
    page('/new-workflow', 'New workflow', () => import('../pages/workflows/edit')),
    page('/workflows/:workflow/edit', 'Edit a workflow', () => import('../pages/workflows/edit')),
    page('/workflows/:workflow', 'Workflow', () => import('../pages/workflows/workflow')),
    page('/dead-letters', 'Dead letters', () => import('../pages/deadLetters'), { group: 'main', icon: 'letters', key: 'd' }),
    page('/approvals', 'Approvals', () => import('../pages/approvals'), { group: 'Waiting', icon: 'approvals', key: 'a' }),
    page('/signals', 'Signals', () => import('../pages/signals'), { group: 'Waiting', icon: 'signals', key: 's' }),
    page('/timers', 'Timers', () => import('../pages/timers'), { group: 'Waiting', icon: 'timers', key: 't' }),
    page('/workers', 'Workers', () => import('../pages/workers'), { group: 'Capacity', icon: 'workers', key: 'k' }),
    page('/queues', 'Queues', () => import('../pages/queues'), { group: 'Capacity', icon: 'queues', key: 'q' }),
    page('/circuits', 'Circuits', () => import('../pages/circuits'), { group: 'Capacity', icon: 'circuits', key: 'c' }),
    page('/admin', 'Administration', () => import('../pages/admin'), { group: 'Access', icon: 'access', key: 'x' }),
    page('/runs/:run', 'Run', () => import('../pages/run')),
];

/** What an address will show is loaded while the bridge is asked who is there. */
export function preload(address: string): void {
    const parts = address.split('/');
    const fits = (path: string): boolean =>
        path.split('/').length === parts.length && path.split('/').every((part, i) => part.startsWith(':') || part === parts[i]);
    void pages.find((page) => fits(page.path))?.load();
}
