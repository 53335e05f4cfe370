-- Workflows in code: what a worker that runs them calls. All but register_code and unpark name the lease of the run's `main`, and refuse one that is lost as complete does
-- (OR010, OR011, OR020). docs/durable-code.md tells the way of a run through them.

create or replace function orch.register_code(
    in workflow text,
    in version text default '1',
    in options jsonb default '{}',
    out workflow text,
    out version int,
    out created boolean
)
returns record
language c volatile parallel unsafe
as 'MODULE_PATHNAME', 'orch_register_code';
revoke execute on function orch.register_code(text, text, jsonb) from public;
grant execute on function orch.register_code(text, text, jsonb) to orch_worker;
comment on function orch.register_code(text, text, jsonb) is
    'Registers a workflow in code under a label, for the worker that serves it as :code/WORKFLOW@LABEL; the same again is no new version, and lets parked runs go on. options: queue, timeout_seconds, max_active_runs, when_full, priority, tags, name, description, owner, labels, metadata. A workflow with a definition is replaced by members of orch_admin only (42501).';

create or replace function orch.history(lease text, after int default 0, max int default 1000)
returns table (
    no int,
    id text,
    definition jsonb,
    state text,
    output jsonb,
    error jsonb,
    ended_at timestamptz
)
language c volatile parallel unsafe
as 'MODULE_PATHNAME', 'orch_history';
revoke execute on function orch.history(text, int, int) from public;
grant execute on function orch.history(text, int, int) to orch_worker;
comment on function orch.history(text, int, int) is
    'What the code of a run did before: the rows of its journal behind number after, in their order, max at a time; fewer are the last. definition is what was recorded, without its input.';

create or replace function orch.record(lease text, steps jsonb)
returns void
language c volatile parallel unsafe
as 'MODULE_PATHNAME', 'orch_record';
revoke execute on function orch.record(text, jsonb) from public;
grant execute on function orch.record(text, jsonb) to orch_worker;
comment on function orch.record(text, jsonb) is
    'Adds to the journal of a run, all in one commit, in the caller''s transaction if it has one: [{id, output} | {id, error} | {id, tags} | {id, EXECUTOR, input, retries ...}], each with seen, the ids whose ends the code was given before. An id that is there with the same content is passed over, with another one refused (OR011).';

create or replace function orch.suspend(lease text, waits jsonb)
returns text
language c volatile parallel unsafe
as 'MODULE_PATHNAME', 'orch_suspend';
revoke execute on function orch.suspend(text, jsonb) from public;
grant execute on function orch.suspend(text, jsonb) to orch_worker;
comment on function orch.suspend(text, jsonb) is
    'Gives a run back until what its code waits for is over: {"any": [ids]} or {"all": [ids]}, with steps to record before. suspended: the lease is over, and nobody holds the run meanwhile; go_on: it is there already, and the lease stays. Refused in a transaction block (25001).';

create or replace function orch.outcomes(lease text, ids text[])
returns table (
    id text,
    state text,
    output jsonb,
    error jsonb,
    ended_at timestamptz
)
language c volatile parallel unsafe
as 'MODULE_PATHNAME', 'orch_outcomes';
revoke execute on function orch.outcomes(text, text[]) from public;
grant execute on function orch.outcomes(text, text[]) to orch_worker;
comment on function orch.outcomes(text, text[]) is
    'Those of the ids that are over, in the order of their ends.';

create or replace function orch.park(lease text, error jsonb)
returns void
language c volatile parallel unsafe
as 'MODULE_PATHNAME', 'orch_park';
revoke execute on function orch.park(text, jsonb) from public;
grant execute on function orch.park(text, jsonb) to orch_worker;
comment on function orch.park(text, jsonb) is
    'Puts a run aside whose code does not go the way that its history tells, with an error that orch.why shows; orch.register_code of its workflow, or orch.unpark, lets it go on.';

create or replace function orch.unpark(run uuid)
returns void
language c volatile parallel unsafe
as 'MODULE_PATHNAME', 'orch_unpark';
revoke execute on function orch.unpark(uuid) from public;
grant execute on function orch.unpark(uuid) to orch_operator;
comment on function orch.unpark(uuid) is
    'Lets a parked run go on; one that is not parked: OR020; unknown: OR003.';

create or replace function orch.continue_as_new(lease text, input jsonb)
returns uuid
language c volatile parallel unsafe
as 'MODULE_PATHNAME', 'orch_continue_as_new';
revoke execute on function orch.continue_as_new(text, jsonb) from public;
grant execute on function orch.continue_as_new(text, jsonb) to orch_worker;
comment on function orch.continue_as_new(text, jsonb) is
    'Ends a run as succeeded and starts the next one of its workflow with another input and an empty journal, in one commit; returns that run''s id, which is the output of the first: {"continued_as": ID}.';
