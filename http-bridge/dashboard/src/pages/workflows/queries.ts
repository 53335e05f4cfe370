import { queryOptions } from '@tanstack/react-query';
import { get, segment } from '../../api/client';
import type { Page, PlanStep, Run, RunState, Version, Workflow, WorkflowDetail } from '../../api/types';
import type { Json } from '../../source/text';

export interface Activity {
    workflow: string;
    /** How many of the newest 10,000 runs of all are in which state. */
    states: Partial<Record<RunState, number>>;
    /** At most 20, the newest first. */
    latest: Pick<Run, 'run_id' | 'state' | 'created_at' | 'started_at' | 'finished_at'>[];
}

export interface VersionDetail extends Version {
    spec: Json;
}

async function allPages<T>(path: string, signal?: AbortSignal): Promise<T[]> {
    const items: T[] = [];
    let cursor: string | null = '';
    // More than so many workflows nobody looks through; the search of the API is by name.
    for (let i = 0; i < 20 && cursor !== null; i++) {
        const page: Page<T> = await get<Page<T>>(path, { limit: 500, cursor }, signal);
        items.push(...page.items);
        cursor = page.next_cursor;
    }
    return items;
}

export const workflowList = queryOptions({
    queryKey: ['workflows', 'all'],
    queryFn: ({ signal }) => allPages<Workflow>('/workflows', signal),
    staleTime: 15_000,
});
export const workflowNames = queryOptions({ ...workflowList, select: (list: Workflow[]) => list.map((one) => one.workflow) });
export const activity = queryOptions({
    queryKey: ['activity'],
    queryFn: async ({ signal }) => (await get<Page<Activity>>('/activity', undefined, signal)).items,
    staleTime: 2000,
});

export const workflowDetail = (workflow: string) =>
    queryOptions({ queryKey: ['workflow', workflow], queryFn: ({ signal }) => get<WorkflowDetail>(`/workflows/${segment(workflow)}`, undefined, signal) });
export const versionList = (workflow: string) =>
    queryOptions({
        queryKey: ['workflow', workflow, 'versions'],
        queryFn: ({ signal }) => get<Page<Version>>(`/workflows/${segment(workflow)}/versions`, { limit: 500 }, signal),
    });
/** A version never changes. */
export const versionDetail = (workflow: string, version: number) =>
    queryOptions({
        queryKey: ['workflow', workflow, 'version', version],
        queryFn: ({ signal }) => get<VersionDetail>(`/workflows/${segment(workflow)}/versions/${version}`, undefined, signal),
        staleTime: Infinity,
    });
export const planOf = (workflow: string, version: number) =>
    queryOptions({
        queryKey: ['workflow', workflow, 'plan', version],
        queryFn: async ({ signal }) => (await get<Page<PlanStep>>(`/workflows/${segment(workflow)}/plan`, { version }, signal)).items,
        staleTime: Infinity,
    });

/** A name in the path of a page, which may have a slash of its own. */
export const workflowPath = (workflow: string): string => `/workflows/${segment(workflow)}`;
export function nameIn(param: string | undefined): string {
    try {
        return decodeURIComponent(param ?? '');
    } catch {
        return param ?? '';
    }
}
