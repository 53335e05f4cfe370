// Every page: where it is, what it is called, and the file that it is loaded from when it is first opened. The sidebar, the `g` keys and the search are made of this.
import { lazy, type ComponentType, type LazyExoticComponent } from 'react';
import type { IconName } from '../ui/Icon';

export type PageProps = { params: Record<string, string | undefined> };

export interface PageEntry {
    /** A pattern of wouter. */
    path: string;
    title: string;
    component: LazyExoticComponent<ComponentType<PageProps>>;
    /** What stands in the sidebar; without it the page is reached from others. */
    nav?: { group: 'main' | 'Waiting' | 'Capacity'; icon: IconName; /** behind `g` */ key: string };
}

type Load = () => Promise<{ default: ComponentType<PageProps> }>;
const page = (path: string, title: string, load: Load, nav?: PageEntry['nav']): PageEntry => ({ path, title, component: lazy(load), nav });

export const pages: readonly PageEntry[] = [
    page('/', 'Overview', () => import('../pages/overview'), { group: 'main', icon: 'overview', key: 'o' }),
    page('/runs/:run', 'Run', () => import('../pages/run')),
];
