// What of a run is looked at, as the address says it: a link shows what its sender saw.
export const views = ['graph', 'tasks', 'events', 'logs', 'data'] as const;

export interface View {
    view: (typeof views)[number];
    task: string | null;
    /** Of the list of tasks. */
    state: string;
    search: string;
}

export function readView(search: URLSearchParams): View {
    const view = search.get('view') as View['view'] | null;
    return {
        view: view !== null && views.includes(view) ? view : 'graph',
        task: search.get('task'),
        state: search.get('state') ?? '',
        search: search.get('search') ?? '',
    };
}

/** The address with the change; what is as usual is left out of it. */
export function writeView(before: URLSearchParams, change: Partial<View>): URLSearchParams {
    const after = new URLSearchParams(before);
    for (const [name, value] of Object.entries(change)) {
        if (value === null || value === '' || (name === 'view' && value === 'graph')) after.delete(name);
        else after.set(name, value);
    }
    return after;
}
