-- See: why a run is where it is, where its time went, and whether its history says so too.

create or replace function orch.why(run uuid, task text default null)
returns table (
    task_id text,
    state text,
    reason text,
    detail text,
    hint text
)
language c stable parallel unsafe
as 'MODULE_PATHNAME', 'orch_why';
revoke execute on function orch.why(uuid, text) from public;
grant execute on function orch.why(uuid, text) to orch_viewer;
comment on function orch.why(uuid, text) is
    'What a run waits for, or why it ended as it did: a row for the run, task_id null, and one for each task that matters, or for the task asked for.';

create or replace function orch.explain(run uuid)
returns table (
    task_id text,
    level int,
    on_critical_path boolean,
    state text,
    attempts int,
    queued interval,
    running interval,
    waiting interval,
    started_after interval,
    finished_after interval,
    detail jsonb
)
language c stable parallel unsafe
as 'MODULE_PATHNAME', 'orch_explain';
revoke execute on function orch.explain(uuid) from public;
grant execute on function orch.explain(uuid) to orch_viewer;
comment on function orch.explain(uuid) is
    'Where the time of a run went: a row for the run, task_id null, whose times are those of its critical path, and one for each task as they began: time queued for a worker, running, and waiting for a retry or a timer, and when it started and finished after the trigger. detail has the task it waited for, its worker, the error, and what a SQL task cost: rows, buffers, WAL and, from orch.log_plan_min_duration on, the plan.';

create or replace function orch.replay(run uuid)
returns table (
    task_id text,
    state text,
    attempt int,
    output jsonb,
    error jsonb
)
language c stable parallel unsafe
as 'MODULE_PATHNAME', 'orch_replay';
revoke execute on function orch.replay(uuid) from public;
grant execute on function orch.replay(uuid) to orch_viewer;
comment on function orch.replay(uuid) is
    'The state of a run, task_id null, and of each of its tasks, rebuilt from nothing but the run''s events and its definition.';

create or replace function orch.replay_check(since timestamptz default '-infinity')
returns table (
    run_id uuid,
    task_id text,
    what text,
    stored text,
    replayed text
)
language c stable parallel unsafe
as 'MODULE_PATHNAME', 'orch_replay_check';
revoke execute on function orch.replay_check(timestamptz) from public;
grant execute on function orch.replay_check(timestamptz) to orch_viewer;
comment on function orch.replay_check(timestamptz) is
    'Where a run triggered since then is stored otherwise than its events say: state, attempt, events (their number), output_no, row, or a history that contradicts itself; empty is right.';
