import type { HistoryRow } from '../api.js';

/** The history of a run on a server, for `TestEnvironment.replay`: keep it in a file, and know whether changed code still goes its way. */
export async function recordedHistory(db: { query(text: string, values: unknown[]): Promise<{ rows: any[] }> }, run: string): Promise<HistoryRow[]> {
    // Put together here: a join of the two views would read one of them again for each row of the other.
    const added = await db.query(
        "select task_id, data - '{input,output,error,state}'::text[] as definition from orch.events where run_id = $1 and kind in ('task_added', 'step_recorded')",
        [run],
    );
    const definitions = new Map(added.rows.map(({ task_id: id, definition }) => [id, definition]));
    const rows = await db.query(
        `select task_no as no, task_id as id, state, output, error, extract(epoch from finished_at)::float8 as ended_at
        from orch.tasks where run_id = $1 and task_no > 0 order by task_no`,
        [run],
    );
    return rows.rows.map((row) => ({ ...row, definition: definitions.get(row.id) }));
}
