-- What comes to a run from outside while it goes on: signals, and the decisions that approvals wait for. All join the caller's transaction.

create or replace function orch.signal(run uuid, name text, payload jsonb default null)
returns void
language c volatile parallel unsafe
as 'MODULE_PATHNAME', 'orch_signal';
revoke execute on function orch.signal(uuid, text, jsonb) from public;
grant execute on function orch.signal(uuid, text, jsonb) to orch_operator, orch_worker;
comment on function orch.signal(uuid, text, jsonb) is
    'Sends a signal to a run when the transaction commits: the first task that waits for its name goes on with the payload as its output, or the signal lies there until one waits. A run that is over: OR020; unknown: OR003.';

create or replace function orch.signal_with_start(
    workflow text,
    name text,
    payload jsonb default null,
    input jsonb default '{}',
    idempotency_key text default null,
    priority int default null,
    run_at timestamptz default null,
    tags jsonb default null,
    timeout interval default null,
    traceparent text default null,
    source text default 'api',
    version int default null
)
returns uuid
language c volatile parallel unsafe
as 'MODULE_PATHNAME', 'orch_signal_with_start';
revoke execute on function orch.signal_with_start(text, text, jsonb, jsonb, text, int, timestamptz, jsonb, interval, text, text, int) from public;
grant execute on function orch.signal_with_start(text, text, jsonb, jsonb, text, int, timestamptz, jsonb, interval, text, text, int) to orch_operator;
comment on function orch.signal_with_start(text, text, jsonb, jsonb, text, int, timestamptz, jsonb, interval, text, text, int) is
    'Sends a signal to the run that the idempotency key stands for, whatever its input was; where there is none, or that is over, starts one with this input and the signal as the first thing that comes to it. Returns the run.';

create or replace function orch.approve(
    run uuid,
    task text,
    approved boolean default true,
    comment text default null,
    form jsonb default null
)
returns void
language c volatile parallel unsafe
as 'MODULE_PATHNAME', 'orch_approve';
revoke execute on function orch.approve(uuid, text, boolean, text, jsonb) from public;
grant execute on function orch.approve(uuid, text, boolean, text, jsonb) to orch_viewer;
comment on function orch.approve(uuid, text, boolean, text, jsonb) is
    'Decides a task that waits for an approval, by a member of one of the roles that it names, or of orch_operator where it names none (42501 for others). The same decision again does nothing; another one, or a task that does not wait: OR020.';
