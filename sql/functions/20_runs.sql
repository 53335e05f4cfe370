-- Run: trigger one or many, cancel, retry, wait for the end, read the result, take it away. All may join the caller's transaction but await_run, which sleeps.

create or replace function orch.trigger(
    workflow text,
    input jsonb default '{}',
    idempotency_key text default null,
    priority int default null,
    run_at timestamptz default null,
    tags jsonb default null,
    timeout interval default null,
    traceparent text default null,
    source text default 'manual',
    version int default null
)
returns uuid
language c volatile parallel unsafe
as 'MODULE_PATHNAME', 'orch_trigger';
revoke execute on function orch.trigger(text, jsonb, text, int, timestamptz, jsonb, interval, text, text, int) from public;
grant execute on function orch.trigger(text, jsonb, text, int, timestamptz, jsonb, interval, text, text, int) to orch_operator;
comment on function orch.trigger(text, jsonb, text, int, timestamptz, jsonb, interval, text, text, int) is
    'Starts a run when the transaction commits, and returns its id; the same idempotency key and input return the same run, with other input OR004. source is manual, api or event. Unknown workflow: OR002; too many active runs: OR005.';

create or replace function orch.trigger_run(
    workflow text,
    input jsonb default '{}',
    idempotency_key text default null,
    priority int default null,
    run_at timestamptz default null,
    tags jsonb default null,
    timeout interval default null,
    traceparent text default null,
    source text default 'api',
    version int default null,
    out run_id uuid,
    out created boolean,
    out state text
)
returns record
language c volatile parallel unsafe
as 'MODULE_PATHNAME', 'orch_trigger_run';
revoke execute on function orch.trigger_run(text, jsonb, text, int, timestamptz, jsonb, interval, text, text, int) from public;
grant execute on function orch.trigger_run(text, jsonb, text, int, timestamptz, jsonb, interval, text, text, int) to orch_operator;
comment on function orch.trigger_run(text, jsonb, text, int, timestamptz, jsonb, interval, text, text, int) is
    'As trigger, and tells whether the run is new and which state it is in; for clients.';

create or replace function orch.trigger_many(
    workflow text,
    inputs jsonb[],
    idempotency_keys text[] default null,
    priority int default null,
    run_at timestamptz default null,
    tags jsonb default null,
    timeout interval default null,
    traceparent text default null,
    source text default 'api',
    version int default null
)
returns table (
    "position" int,
    run_id uuid,
    created boolean
)
language c volatile parallel unsafe
as 'MODULE_PATHNAME', 'orch_trigger_many';
revoke execute on function orch.trigger_many(text, jsonb[], text[], int, timestamptz, jsonb, interval, text, text, int) from public;
grant execute on function orch.trigger_many(text, jsonb[], text[], int, timestamptz, jsonb, interval, text, text, int) to orch_operator;
comment on function orch.trigger_many(text, jsonb[], text[], int, timestamptz, jsonb, interval, text, text, int) is
    'Starts a run for each input, all or none; position counts the inputs from 1. idempotency_keys, where given, is as long as inputs, and an element may be null.';

create or replace function orch.trigger_query(
    workflow text,
    query text,
    priority int default null,
    run_at timestamptz default null,
    tags jsonb default null,
    timeout interval default null,
    traceparent text default null,
    source text default 'api',
    version int default null
)
returns bigint
language c volatile parallel unsafe
as 'MODULE_PATHNAME', 'orch_trigger_query';
revoke execute on function orch.trigger_query(text, text, int, timestamptz, jsonb, interval, text, text, int) from public;
grant execute on function orch.trigger_query(text, text, int, timestamptz, jsonb, interval, text, text, int) to orch_operator;
comment on function orch.trigger_query(text, text, int, timestamptz, jsonb, interval, text, text, int) is
    'Starts a run for each row of a query, which runs with the caller''s rights and is read bit by bit: its first column is the input as jsonb, a second one, if any, the idempotency key. Returns how many runs are new.';

create or replace function orch.cancel(run uuid, force boolean default false)
returns text
language c volatile parallel unsafe
as 'MODULE_PATHNAME', 'orch_cancel';
revoke execute on function orch.cancel(uuid, boolean) from public;
grant execute on function orch.cancel(uuid, boolean) to orch_operator;
comment on function orch.cancel(uuid, boolean) is
    'Cancels a run and returns its new state: tasks not started end at once, running ones are told to stop, then its finally tasks run; force => true leaves those out. A run that is over: OR020; unknown: OR003.';

create or replace function orch.retry(run uuid)
returns text
language c volatile parallel unsafe
as 'MODULE_PATHNAME', 'orch_retry';
revoke execute on function orch.retry(uuid) from public;
grant execute on function orch.retry(uuid) to orch_operator;
comment on function orch.retry(uuid) is
    'Reopens a run that did not succeed: its failed, timed out, upstream failed and cancelled tasks get a fresh set of attempts, what succeeded is kept. Returns the new state; in any other state: OR020; unknown: OR003.';

create or replace function orch.result(run uuid)
returns jsonb
language c stable parallel unsafe
as 'MODULE_PATHNAME', 'orch_result';
revoke execute on function orch.result(uuid) from public;
grant execute on function orch.result(uuid) to orch_viewer;
comment on function orch.result(uuid) is
    'The output of a run that succeeded, null while it goes on or if it ended otherwise; unknown: OR003.';

create or replace function orch.results(run uuid)
returns table (
    task_id text,
    state text,
    output jsonb
)
language c stable parallel unsafe
as 'MODULE_PATHNAME', 'orch_results';
revoke execute on function orch.results(uuid) from public;
grant execute on function orch.results(uuid) to orch_viewer;
comment on function orch.results(uuid) is
    'State and output of each task of a run, in the order of their numbers; unknown: OR003.';

create or replace procedure orch.await_run(run uuid, timeout interval default '10 minutes')
language c
as 'MODULE_PATHNAME', 'orch_await_run';
revoke execute on procedure orch.await_run(uuid, interval) from public;
grant execute on procedure orch.await_run(uuid, interval) to orch_viewer;
comment on procedure orch.await_run(uuid, interval) is
    'Sleeps, without a snapshot, until the run is over or the timeout has passed, which is no error; refused in a transaction block (25001). Unknown: OR003.';

create or replace function orch.delete_run(run uuid, reason text)
returns void
language c volatile parallel unsafe
as 'MODULE_PATHNAME', 'orch_delete_run';
revoke execute on function orch.delete_run(uuid, text) from public;
grant execute on function orch.delete_run(uuid, text) to orch_admin;
comment on function orch.delete_run(uuid, text) is
    'Takes away a run that is over with its history, logs, dead letters and idempotency key, and says so in orch.audit. One that goes on, or whose parent does: OR020; unknown: OR003.';

create or replace function orch.erase(run uuid, reason text)
returns boolean
language c volatile parallel unsafe
as 'MODULE_PATHNAME', 'orch_erase';
revoke execute on function orch.erase(uuid, text) from public;
grant execute on function orch.erase(uuid, text) to orch_admin;
comment on function orch.erase(uuid, text) is
    'Puts {"erased": {at, by, reason}} in the place of every input, output, error, tag, progress and measured fact of a run that is over, empties its log lines, and says so in orch.audit; states and times stay. False if it was erased before. One that goes on: OR020; unknown: OR003.';
