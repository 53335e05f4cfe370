import type { HistoryRow } from '../code.js';

/** The history of a run on a server, for `TestEnvironment.replay`: keep it in a file, and know whether changed code still goes its way. */
export async function recordedHistory(db: { query(text: string, values: unknown[]): Promise<{ rows: any[] }> }, run: string): Promise<HistoryRow[]> {
    const { rows } = await db.query(
        `select t.task_no as no, t.task_id as id, e.data - '{input,output,error,state}'::text[] as definition, t.state, t.output, t.error,
            extract(epoch from t.finished_at)::float8 as ended_at
        from orch.tasks t
        join orch.events e on e.run_id = t.run_id and e.task_id = t.task_id and e.kind in ('task_added', 'step_recorded')
        where t.run_id = $1
        order by t.task_no`,
        [run],
    );
    return rows;
}
