-- Where a call may stand: lease and exchange hand out what is told at the commit, and the sleeping procedures hold nothing.
\ir common.psql
select pg_temp.define('transactions');
select orch.worker_start('transactions', '{transactions}', '{noop}') as worker \gset
select orch.trigger('transactions') as run \gset

\set ON_ERROR_STOP off
\set VERBOSITY terse
begin;
select * from orch.lease('transactions');
\set code :SQLSTATE
rollback;
select is(:'code'::text, '25001', 'lease refuses a transaction block');
begin;
select * from orch.exchange('transactions');
\set code :SQLSTATE
rollback;
select is(:'code'::text, '25001', 'exchange refuses a transaction block');
begin;
call orch.await_work('transactions', '1 s');
\set code :SQLSTATE
rollback;
select is(:'code'::text, '25001', 'await_work refuses a transaction block');
begin;
call orch.await_run(:'run', '1 s');
\set code :SQLSTATE
rollback;
select is(:'code'::text, '25001', 'await_run refuses a transaction block');
begin;
call orch.await_events(0, '1 s');
\set code :SQLSTATE
rollback;
select is(:'code'::text, '25001', 'await_events refuses a transaction block');
select lease from orch.lease('transactions', 0) union all select lease from orch.lease('transactions', 0);
\set code :SQLSTATE
select is(:'code'::text, '25001', 'lease refuses a second call in one transaction');
do $$ begin perform orch.lease('transactions', 0); perform orch.exchange('transactions', '[]', 0); end $$;
\set code :SQLSTATE
select is(:'code'::text, '25001', 'a do-block is one transaction');
set default_transaction_isolation = 'repeatable read';
select * from orch.lease('transactions');
\set code :SQLSTATE
set default_transaction_isolation = 'read committed';
select is(:'code'::text, '25001', 'lease refuses a snapshot of the whole transaction');
\set ON_ERROR_STOP on
select is(pg_temp.code($$ select * from orch.lease('transactions') $$), '25001', 'lease refuses a subtransaction');
select is(pg_temp.task(:'run', 'only'), 'ready', 'none of which took the task');
select is((select count(*) from orch.lease('transactions')), 1::bigint, 'that is there for who asks rightly');

-- The sleeping procedures -------------------------------------------------------------------

call orch.await_work('transactions', '50 ms');
select pass('await_work returns at its timeout');
call orch.await_run(:'run', '50 ms');
select pass('await_run returns at its timeout, without an error');
select is(pg_temp.run(:'run'), 'running', 'since the run goes on');
\set ON_ERROR_STOP off
call orch.await_run('0193cdd0-0000-7000-8000-000000000000', '10 s');
\set code :SQLSTATE
\set ON_ERROR_STOP on
select is(:'code'::text, 'OR003', 'await_run of an unknown run does not wait');
select lease from orch.heartbeat('transactions') \gset
select orch.complete(:'lease');
call orch.await_run(:'run', '1 hour');
select pass('await_run of a run that is over returns at once');

-- trigger, complete, cancel may join ----------------------------------------------------------

begin isolation level repeatable read;
select orch.trigger('transactions') as run \gset
commit;
select is(pg_temp.run(:'run'), 'running', 'trigger may join a transaction of a higher isolation level');
select lease from orch.lease('transactions') \gset
begin isolation level repeatable read;
select orch.complete(:'lease', '1');
commit;
call orch.await_run(:'run', '20 s');
select is(pg_temp.run(:'run'), 'succeeded', 'and so may complete');

select * from finish();
