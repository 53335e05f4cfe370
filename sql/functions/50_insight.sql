-- See: why a run is where it is, where its time went, whether its history says so too, and the feed of events.

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

create or replace function orch.events_after(
    after_pos bigint,
    max_rows int default 1000,
    run uuid default null
)
returns table (
    pos bigint,
    run_id uuid,
    task_id text,
    no int,
    kind text,
    at timestamptz,
    actor text,
    data jsonb
)
language c stable parallel unsafe
as 'MODULE_PATHNAME', 'orch_events_after';
revoke execute on function orch.events_after(bigint, int, uuid) from public;
grant execute on function orch.events_after(bigint, int, uuid) to orch_viewer;
comment on function orch.events_after(bigint, int, uuid) is
    'The next events of the feed in the order of pos, of all runs or of one; no event can appear later below a pos that was returned.';

create or replace procedure orch.await_events(after_pos bigint, timeout interval default '10 minutes')
language c
as 'MODULE_PATHNAME', 'orch_await_events';
revoke execute on procedure orch.await_events(bigint, interval) from public;
grant execute on procedure orch.await_events(bigint, interval) to orch_viewer;
comment on procedure orch.await_events(bigint, interval) is
    'Sleeps, without a snapshot, until events_after may have more, the client sends more, or the timeout has passed; refused in a transaction block (25001).';
