-- Work: what a worker calls. A worker is known by its id and not by its session, so every call names it, or the lease that it was given.
-- lease, exchange and await_work refuse a transaction block (25001); complete, fail and log of one lease raise, the batch forms answer row by row.

create or replace function orch.worker_start(
    worker text,
    queues text[] default '{default}',
    handlers text[] default null,
    version text default null,
    metadata jsonb default null
)
returns text
language c volatile parallel unsafe
as 'MODULE_PATHNAME', 'orch_worker_start';
revoke execute on function orch.worker_start(text, text[], text[], text, jsonb) from public;
grant execute on function orch.worker_start(text, text[], text[], text, jsonb) to orch_worker;
comment on function orch.worker_start(text, text[], text[], text, jsonb) is
    'Registers a worker, or registers it again with other queues and handlers, and returns its id. handlers are names and :command, :http, :callable; null is {:command,:http}.';

create or replace procedure orch.await_work(worker text, timeout interval default '10 minutes')
language c
as 'MODULE_PATHNAME', 'orch_await_work';
revoke execute on procedure orch.await_work(text, interval) from public;
grant execute on procedure orch.await_work(text, interval) to orch_worker;
comment on procedure orch.await_work(text, interval) is
    'Sleeps, without a snapshot, until there may be work for this worker, the client sends more, or the timeout has passed; refused in a transaction block (25001).';

create or replace function orch.lease(
    worker text,
    max_tasks int default 1,
    lease_time interval default null
)
returns table (
    lease text,
    run_id uuid,
    task_id text,
    attempt int,
    executor text,
    handler text,
    spec jsonb,
    input jsonb,
    deadline_at timestamptz,
    traceparent text,
    idempotency_key text
)
language c volatile parallel unsafe
as 'MODULE_PATHNAME', 'orch_lease';
revoke execute on function orch.lease(text, int, interval) from public;
grant execute on function orch.lease(text, int, interval) to orch_worker;
comment on function orch.lease(text, int, interval) is
    'Gives a worker up to max_tasks tasks that it can do, a row each, for lease_time, or orch.default_lease_time where that is null; heartbeats extend it. Refused in a transaction block (25001).';

create or replace function orch.exchange(
    worker text,
    results jsonb default '[]',
    max_tasks int default 1,
    lease_time interval default null
)
returns table (
    status text,
    lease text,
    run_id uuid,
    task_id text,
    attempt int,
    executor text,
    handler text,
    spec jsonb,
    input jsonb,
    deadline_at timestamptz,
    traceparent text,
    idempotency_key text
)
language c volatile parallel unsafe
as 'MODULE_PATHNAME', 'orch_exchange';
revoke execute on function orch.exchange(text, jsonb, int, interval) from public;
grant execute on function orch.exchange(text, jsonb, int, interval) to orch_worker;
comment on function orch.exchange(text, jsonb, int, interval) is
    'Settles results and leases the next tasks in one commit: a row leased for each new task, and a row with its refusal for each result that was not accepted. results is [{lease, output} | {lease, error, retry} | {lease, skip: REASON}]. Refused in a transaction block (25001).';

create or replace function orch.complete_many(worker text, results jsonb)
returns table (
    lease text,
    status text
)
language c volatile parallel unsafe
as 'MODULE_PATHNAME', 'orch_complete_many';
revoke execute on function orch.complete_many(text, jsonb) from public;
grant execute on function orch.complete_many(text, jsonb) to orch_worker;
comment on function orch.complete_many(text, jsonb) is
    'Settles results as exchange does and leases nothing; a row for each refused one: conflict, not_yours, lost, cancelled, too_large or invalid.';

create or replace function orch.heartbeat(worker text, details jsonb default null)
returns table (
    lease text,
    status text
)
language c volatile parallel unsafe
as 'MODULE_PATHNAME', 'orch_heartbeat';
revoke execute on function orch.heartbeat(text, jsonb) from public;
grant execute on function orch.heartbeat(text, jsonb) to orch_worker;
comment on function orch.heartbeat(text, jsonb) is
    'Extends every lease of a worker and answers for each: ok, cancel, or lost where details names one that is not held. details is {LEASE: PROGRESS}, any JSON of up to 4 KiB (more is too_large), stored at most once a second, shown and given to the next attempt; without it nothing is written.';

create or replace function orch.complete(lease text, output jsonb default null)
returns void
language c volatile parallel unsafe
as 'MODULE_PATHNAME', 'orch_complete';
revoke execute on function orch.complete(text, jsonb) from public;
grant execute on function orch.complete(text, jsonb) to orch_worker;
comment on function orch.complete(text, jsonb) is
    'Settles one task as succeeded, in the caller''s transaction if it has one, so that the task''s own writes commit with it; raises where the lease is lost or is none (OR010), the task settled otherwise (OR011) or cancelled (OR020), the output too large (OR013).';

create or replace function orch.fail(lease text, error jsonb, retry boolean default null)
returns void
language c volatile parallel unsafe
as 'MODULE_PATHNAME', 'orch_fail';
revoke execute on function orch.fail(text, jsonb, boolean) from public;
grant execute on function orch.fail(text, jsonb, boolean) to orch_worker;
comment on function orch.fail(text, jsonb, boolean) is
    'Ends one attempt as failed, with error {class, code, message, detail, exit_code, traceback}; retry says whether to try again, null leaves it to the task''s policy; retry_after_seconds in error is the least delay before the next attempt. Raises as complete does, and 22023 for an error that is no object.';

create or replace function orch.skip(lease text, reason text default null)
returns void
language c volatile parallel unsafe
as 'MODULE_PATHNAME', 'orch_skip';
revoke execute on function orch.skip(text, text) from public;
grant execute on function orch.skip(text, text) to orch_worker;
comment on function orch.skip(text, text) is
    'Ends a task as skipped, since its handler found nothing to do; the rules of its children see a skipped parent. Raises as complete does.';

create or replace function orch.release(leases text[])
returns table (
    lease text,
    status text
)
language c volatile parallel unsafe
as 'MODULE_PATHNAME', 'orch_release';
revoke execute on function orch.release(text[]) from public;
grant execute on function orch.release(text[]) to orch_worker;
comment on function orch.release(text[]) is
    'Gives tasks back, ready at once, without using up an attempt; a row for each lease that was not the caller''s to give back.';

create or replace function orch.worker_rest(worker text, silence interval default '1 minute')
returns table (
    rests boolean,
    streams text[],
    at timestamptz
)
language c volatile parallel unsafe
as 'MODULE_PATHNAME', 'orch_worker_rest';
revoke execute on function orch.worker_rest(text, interval) from public;
grant execute on function orch.worker_rest(text, interval) to orch_worker;
comment on function orch.worker_rest(text, interval) is
    'Says that a worker gives its connection up and waits in Redis: for silence, an hour at most, it counts as alive without a call. rests is false where there may be work, to be leased instead; streams are those to wait on, none while no hints are sent; hints from before at are over.';

create or replace procedure orch.await_workers(inout workers int[] default null, timeout interval default '1 minute')
language c
as 'MODULE_PATHNAME', 'orch_await_workers';
revoke execute on procedure orch.await_workers(int[], interval) from public;
grant execute on procedure orch.await_workers(int[], interval) to orch_worker;
comment on procedure orch.await_workers(int[], interval) is
    'For one session that waits for many workers, as a bridge does: sleeps, without a snapshot, until there may be work for some of those that orch.worker_waits gave to this session, the client sends more, or the timeout has passed, and returns their numbers; it waits for these no more. Refused in a transaction block (25001).';

create or replace function orch.worker_waits(worker text, listener int)
returns int
language c volatile parallel unsafe
as 'MODULE_PATHNAME', 'orch_worker_waits';
revoke execute on function orch.worker_waits(text, int) from public;
grant execute on function orch.worker_waits(text, int) to orch_worker;
comment on function orch.worker_waits(text, int) is
    'Lets the session with this process id, which calls orch.await_workers, wait for a worker, who counts as alive meanwhile, and returns the number that it will name him by; null where there may be work, to be leased instead. A listener of null: nobody waits for it any more. A session that does not listen: 55000.';

create or replace function orch.worker_stop(worker text)
returns int
language c volatile parallel unsafe
as 'MODULE_PATHNAME', 'orch_worker_stop';
revoke execute on function orch.worker_stop(text) from public;
grant execute on function orch.worker_stop(text) to orch_worker;
comment on function orch.worker_stop(text) is
    'Says that a worker is gone, gives back what it still holds as release does, and returns how many that were.';

create or replace function orch.log(lease text, lines jsonb)
returns int
language c volatile parallel unsafe
as 'MODULE_PATHNAME', 'orch_log';
revoke execute on function orch.log(text, jsonb) from public;
grant execute on function orch.log(text, jsonb) to orch_worker;
comment on function orch.log(text, jsonb) is
    'Stores lines [{stream, line, at}] of a running attempt, and returns how many; a lost lease is refused (OR010).';

create or replace function orch.reset_circuit(circuit text)
returns boolean
language c volatile parallel unsafe
as 'MODULE_PATHNAME', 'orch_reset_circuit';
revoke execute on function orch.reset_circuit(text) from public;
grant execute on function orch.reset_circuit(text) to orch_operator;
comment on function orch.reset_circuit(text) is
    'Closes a circuit at once, whatever becomes of this transaction, so that its tasks start again; false if it was closed. One that no definition names: 42704.';
