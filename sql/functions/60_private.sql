-- Helpers of the engine and the views. `_orch` is closed to all, so nobody can name these; but a function inside a view is called with the
-- rights of whoever reads the view, so those that views use are granted to the viewer.

create or replace function _orch.run_state(state "char")
returns text
language c immutable strict parallel unsafe
as 'MODULE_PATHNAME', 'orch_private_run_state';
revoke execute on function _orch.run_state("char") from public;
grant execute on function _orch.run_state("char") to orch_viewer;
comment on function _orch.run_state("char") is 'The word for a run''s state from its letter.';

create or replace function _orch.task_state(state "char")
returns text
language c immutable strict parallel unsafe
as 'MODULE_PATHNAME', 'orch_private_task_state';
revoke execute on function _orch.task_state("char") from public;
grant execute on function _orch.task_state("char") to orch_viewer;
comment on function _orch.task_state("char") is 'The word for a task''s state from its letter.';

create or replace function _orch.event_kind(kind smallint)
returns text
language c immutable strict parallel unsafe
as 'MODULE_PATHNAME', 'orch_private_event_kind';
revoke execute on function _orch.event_kind(smallint) from public;
grant execute on function _orch.event_kind(smallint) to orch_viewer;
comment on function _orch.event_kind(smallint) is 'The word for an event''s kind from its number.';

create or replace function _orch.now()
returns timestamptz
language c stable parallel unsafe
as 'MODULE_PATHNAME', 'orch_private_now';
revoke execute on function _orch.now() from public;
grant execute on function _orch.now() to orch_viewer;
comment on function _orch.now() is 'The time that the engine goes by: that of the statement, moved by advance_clock in tests.';

create or replace function _orch.advance_clock(by interval)
returns timestamptz
language c volatile parallel unsafe
as 'MODULE_PATHNAME', 'orch_private_advance_clock';
revoke execute on function _orch.advance_clock(interval) from public;
comment on function _orch.advance_clock(interval) is 'Moves the clocks of the whole cluster forward and returns the new time; for tests, by a superuser, only where orch.test_clock was on at start.';

create or replace function _orch.jump_wall_clock(by interval)
returns timestamptz
language c volatile parallel unsafe
as 'MODULE_PATHNAME', 'orch_private_jump_wall_clock';
revoke execute on function _orch.jump_wall_clock(interval) from public;
comment on function _orch.jump_wall_clock(interval) is 'Moves the wall clock alone, forward or back, tells nobody, and returns the new time; for tests, by a superuser, like advance_clock.';

create or replace function _orch.attach()
returns void
language c volatile parallel unsafe
as 'MODULE_PATHNAME', 'orch_private_attach';
revoke execute on function _orch.attach() from public;
comment on function _orch.attach() is 'Asks for a steward in this database when the transaction commits; the install and update scripts end with it.';

create or replace function _orch.tenant_allowed(tenant text)
returns boolean
language c stable strict parallel unsafe
as 'MODULE_PATHNAME', 'orch_private_tenant_allowed';
revoke execute on function _orch.tenant_allowed(text) from public;
grant execute on function _orch.tenant_allowed(text) to orch_viewer;
comment on function _orch.tenant_allowed(text) is 'Whether the caller may see rows of this tenant.';

create or replace function _orch.run_outputs(run uuid)
returns jsonb
language c stable strict parallel unsafe
as 'MODULE_PATHNAME', 'orch_private_run_outputs';
revoke execute on function _orch.run_outputs(uuid) from public;
grant execute on function _orch.run_outputs(uuid) to orch_viewer;
comment on function _orch.run_outputs(uuid) is 'The output of a run that succeeded, by the definition''s output or by the tasks that nobody depends on; null for any other run.';

create or replace function _orch.task_input(run uuid, task_no int)
returns jsonb
language c stable strict parallel unsafe
as 'MODULE_PATHNAME', 'orch_private_task_input';
revoke execute on function _orch.task_input(uuid, int) from public;
grant execute on function _orch.task_input(uuid, int) to orch_viewer;
comment on function _orch.task_input(uuid, int) is 'The resolved input of a task as its attempts get it; null where it has none, or where it cannot be resolved yet.';

create or replace function _orch.item_executor(item jsonb)
returns text
language c immutable strict parallel unsafe
as 'MODULE_PATHNAME', 'orch_private_item_executor';
revoke execute on function _orch.item_executor(jsonb) from public;
grant execute on function _orch.item_executor(jsonb) to orch_viewer;
comment on function _orch.item_executor(jsonb) is 'The executor of a task that code made, by its definition; step for one in place.';

create or replace function _orch.history_is_open()
returns boolean
language c volatile parallel unsafe
as 'MODULE_PATHNAME', 'orch_private_history_is_open';
revoke execute on function _orch.history_is_open() from public;
comment on function _orch.history_is_open() is 'Whether this very statement is one by which orch.delete_run or orch.erase changes the history.';

create or replace function _orch.engine_status()
returns table (
    phase text,
    steward_pid int,
    steward_late double precision
)
language c volatile parallel unsafe
as 'MODULE_PATHNAME', 'orch_private_engine_status';
revoke execute on function _orch.engine_status() from public;
grant execute on function _orch.engine_status() to orch_viewer;
comment on function _orch.engine_status() is 'One row: the phase of this database, unused, closed, rebuilding, open, held or standby, the process id of its steward, null where none runs, and for how many seconds that has been wanted and has not looked.';

create or replace function _orch.notifier_status()
returns table (
    wanted boolean,
    state text,
    place text,
    since timestamptz,
    reason text
)
language c volatile parallel unsafe
as 'MODULE_PATHNAME', 'orch_private_notifier_status';
revoke execute on function _orch.notifier_status() from public;
grant execute on function _orch.notifier_status() to orch_viewer;
comment on function _orch.notifier_status() is 'One row: whether orch.redis_url asks for hints, what the notifier is, off, connecting, connected or away, where its Redis is, without the password, since when, and why it is away.';

create or replace function _orch.memory_status()
returns table (
    part text,
    used bigint,
    size bigint
)
language c volatile parallel unsafe
as 'MODULE_PATHNAME', 'orch_private_memory_status';
revoke execute on function _orch.memory_status() from public;
grant execute on function _orch.memory_status() to orch_viewer;
comment on function _orch.memory_status() is 'How full each part of the shared memory is: entries (ready tasks, timers and advances), leases, counters (in bytes), routes and workers; and of how many routes with work the circuit found no place.';

create or replace function _orch.meters()
returns table (
    meter text,
    tenant text,
    label text,
    value double precision,
    buckets bigint[]
)
language c volatile parallel unsafe
as 'MODULE_PATHNAME', 'orch_private_meters';
revoke execute on function _orch.meters() from public;
grant execute on function _orch.meters() to orch_viewer;
comment on function _orch.meters() is 'What shared memory counts for orch.metrics: events by kind, runs and tasks by state, dead letters made, and timings by queue or workflow: the sum of seconds and how many stayed within each bound; tenant and label null for all names that found no place.';

create or replace function _orch.worker_status()
returns table (
    worker_id int,
    state text,
    running int,
    last_seen_at timestamptz,
    waiting boolean
)
language c volatile parallel unsafe
as 'MODULE_PATHNAME', 'orch_private_worker_status';
revoke execute on function _orch.worker_status() from public;
grant execute on function _orch.worker_status() to orch_viewer;
comment on function _orch.worker_status() is 'The workers that shared memory knows: alive, draining or lost, how many leases each holds, and whether it sleeps in await_work.';

create or replace function _orch.route_status()
returns table (
    route_id int,
    ready bigint,
    spilled boolean,
    oldest_ready_at timestamptz,
    workers int
)
language c volatile parallel unsafe
as 'MODULE_PATHNAME', 'orch_private_route_status';
revoke execute on function _orch.route_status() from public;
grant execute on function _orch.route_status() to orch_viewer;
comment on function _orch.route_status() is 'The ready list of each route in shared memory, whether more of it waits in rows alone, and how many workers that are alive serve it.';

create or replace function _orch.circuit_status()
returns table (
    circuit text,
    tenant text,
    state text,
    failures_in_row int,
    probing boolean,
    opened_at timestamptz,
    half_open_at timestamptz
)
language c volatile parallel unsafe
as 'MODULE_PATHNAME', 'orch_private_circuit_status';
revoke execute on function _orch.circuit_status() from public;
grant execute on function _orch.circuit_status() to orch_viewer;
comment on function _orch.circuit_status() is 'The circuits that shared memory knows: those whose tasks were ready since the server started.';
