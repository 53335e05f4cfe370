-- What code is asked while it goes on, and after: queries, which leave no trace, and updates, which are part of its history. query and await_update sleep, as await_run does.

create or replace procedure orch.query(
    in run uuid,
    in name text,
    in input jsonb default null,
    in timeout interval default '10 seconds',
    inout answer jsonb default null
)
language c
as 'MODULE_PATHNAME', 'orch_query';
revoke execute on procedure orch.query(uuid, text, jsonb, interval, jsonb) from public;
grant execute on procedure orch.query(uuid, text, jsonb, interval, jsonb) to orch_viewer;
comment on procedure orch.query(uuid, text, jsonb, interval, jsonb) is
    'Asks the code of a run, which may be over, and gives its answer: a worker that serves it goes through what is recorded and calls the query of that name. Nothing of it is kept. An error of the code: OR041, with the error as JSON in DETAIL; nobody answers in time: OR040; a run of a definition or an erased one: OR020; unknown: OR003. Refused in a transaction block (25001).';

create or replace function orch.update(
    run uuid,
    name text,
    input jsonb default null,
    id text default null
)
returns text
language c volatile parallel unsafe
as 'MODULE_PATHNAME', 'orch_update';
revoke execute on function orch.update(uuid, text, jsonb, text) from public;
grant execute on function orch.update(uuid, text, jsonb, text) to orch_operator, orch_worker;
comment on function orch.update(uuid, text, jsonb, text) is
    'Sends an update to the code of a run when the transaction commits, and returns its id; CALL orch.await_update waits for the answer. The same id with the same name and input once more does nothing, with others: OR004. A run that is over, or one of a definition: OR020; unknown: OR003.';

create or replace procedure orch.await_update(
    in run uuid,
    in id text,
    in timeout interval default null,
    inout answer jsonb default null
)
language c
as 'MODULE_PATHNAME', 'orch_await_update';
revoke execute on procedure orch.await_update(uuid, text, interval, jsonb) from public;
grant execute on procedure orch.await_update(uuid, text, interval, jsonb) to orch_viewer;
comment on procedure orch.await_update(uuid, text, interval, jsonb) is
    'Sleeps until an update is answered, and gives the answer. Refused or failed: OR041, with the error as JSON in DETAIL; no answer in time: OR040, and it goes on; the run ended before: OR020; unknown: OR003. Refused in a transaction block (25001).';

create or replace function orch.updates(lease text)
returns table (
    id text,
    name text,
    input jsonb
)
language c volatile parallel unsafe
as 'MODULE_PATHNAME', 'orch_updates';
revoke execute on function orch.updates(text) from public;
grant execute on function orch.updates(text) to orch_worker;
comment on function orch.updates(text) is
    'For a worker that holds a run in code: the updates that it has neither accepted nor refused yet, in the order in which they came.';
