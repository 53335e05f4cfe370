// The pages of a long list of runs, kept up to date by events. Ids of runs are in the order of their making, and the list in its reverse.
import type { Event, Page, Run } from '../../api/types';
import { patchRun, stateAfter } from '../runEvents';
import type { RunFilters } from './filters';

export interface RunPages {
    pages: Page<Run>[];
    /** The cursor that each page was asked for with. */
    pageParams: string[];
}

/** Where a run stands in a list that falls; -1 where it does not. */
export function placeOf(runs: readonly Run[], run: string): number {
    let low = 0;
    let high = runs.length - 1;
    while (low <= high) {
        const middle = (low + high) >> 1;
        const here = runs[middle]!.run_id;
        if (here === run) return middle;
        if (here > run) low = middle + 1;
        else high = middle - 1;
    }
    return -1;
}

/** The same object where no event concerned it. Only pages that have changed are copied. */
export function patchPages(data: RunPages, batch: readonly Event[], filters: Pick<RunFilters, 'state'>, kept: ReadonlySet<string>): RunPages {
    const pages = [...data.pages];
    let changed = false;
    for (const event of batch) {
        if (!stateAfter[event.kind]) continue;
        const at = pages.findIndex((page) => page.items.length > 0 && page.items.at(-1)!.run_id <= event.run_id);
        const page = pages[at];
        const place = page ? placeOf(page.items, event.run_id) : -1;
        if (!page || place < 0) continue;
        const items = page === data.pages[at] ? [...page.items] : page.items;
        const run = patchRun(items[place]!, event);
        // What no longer fits what was asked for leaves, unless it was chosen for something.
        if (filters.state && run.state !== filters.state && !kept.has(run.run_id)) items.splice(place, 1);
        else items[place] = run;
        pages[at] = { ...page, items };
        changed = true;
    }
    return changed ? { ...data, pages } : data;
}

/** Whether a batch brings runs that belong at the top and are not there yet. */
export function bringsNew(data: RunPages, batch: readonly Event[], filters: Pick<RunFilters, 'state'>): boolean {
    return batch.some((event) => {
        const state = stateAfter[event.kind];
        const fits = filters.state === '' || filters.state === 'scheduled' ? event.kind === 'run_triggered' : state === filters.state;
        return fits && !data.pages.some((page) => placeOf(page.items, event.run_id) >= 0);
    });
}

/** The list with what the newest page says in the place of what it said before. Where it does not reach down to what was known, only it remains. */
export function mergeHead(data: RunPages, head: Page<Run>): RunPages {
    const oldest = head.items.at(-1)?.run_id;
    const newestKnown = data.pages.find((page) => page.items.length > 0)?.items[0]!.run_id;
    const alone = { pages: [head], pageParams: [''] };
    if (head.next_cursor === null || oldest === undefined || newestKnown === undefined || newestKnown < oldest) return alone;
    const rest = data.pages.map((page) => ({ ...page, items: page.items.filter((run) => run.run_id < oldest) })).filter((page) => page.items.length > 0);
    const pages = [head, ...rest];
    return { pages, pageParams: pages.map((_, i) => (i === 0 ? '' : pages[i - 1]!.next_cursor!)) };
}

/** How many of the page are newer than all that is known. */
export function countNew(data: RunPages, head: Page<Run>): number {
    const newest = data.pages.find((page) => page.items.length > 0)?.items[0]!.run_id ?? '';
    return head.items.filter((run) => run.run_id > newest).length;
}
