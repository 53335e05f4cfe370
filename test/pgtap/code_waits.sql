-- What code waits for beside remote steps: signals, approvals and child runs, as rows of its journal.
\ir common.psql
create procedure pg_temp.lease_main() language plpgsql as $$ begin call pg_temp.lease_soon('code_waits'); end $$;

select version from orch.register_code('code_waits', options => '{"queue": "code_waits"}') \gset
select orch.worker_start('code_waits', '{code_waits}', '{:code/code_waits@1}') as worker \gset
select orch.worker_start('code_waits child', '{code_waits-child}', '{noop}') as worker \gset
select pg_temp.define('code_waits-child', '{"work": {"input": "{{ input }}"}}', '{"output": "{{ tasks.work.output }}"}');

-- Signals ---------------------------------------------------------------------------------------

select orch.trigger('code_waits') as run \gset
call pg_temp.lease_main();
select lease from leased \gset
select is(orch.suspend(:'lease', '{"steps": [{"id": "confirmed#1", "signal": {"name": "confirmed"}, "timeout_seconds": 60}], "any": ["confirmed#1"]}'), 'suspended', 'code waits for a signal');
select is(pg_temp.task(:'run', 'confirmed#1'), 'waiting', 'as a row of its own');
select is((select kind from orch.timers where run_id = :'run'), 'signal', 'with a timeout');
select alike((select detail from orch.why(:'run', 'confirmed#1')), 'It waits for signal "confirmed" since %', 'why says so');
begin;
select orch.signal(:'run', 'confirmed', '{"{{ x }}": 1}');
select is(pg_temp.task(:'run', 'confirmed#1'), 'succeeded', 'it is delivered in the sender''s transaction');
commit;
call pg_temp.lease_main();
select lease from leased \gset
select is((select output from orch.outcomes(:'lease', '{confirmed#1}')), '{"{{ x }}": 1}', 'and wakes the code, which gets the payload as it is');
select is((select taken_by from orch.signals where run_id = :'run'), 'confirmed#1', 'the view of signals names the step');
select orch.signal(:'run', 'confirmed', '2');
select is(orch.suspend(:'lease', '{"steps": [{"id": "confirmed#2", "signal": {"name": "confirmed"}}], "any": ["confirmed#2"]}'), 'go_on', 'one that lies there is no wait at all');
select is(orch.suspend(:'lease', '{"steps": [{"id": "late#1", "signal": {"name": "late"}, "timeout_seconds": 60}], "any": ["late#1"]}'), 'suspended', 'a third');
select _orch.advance_clock('60 s') as now \gset
call pg_temp.lease_main();
select lease from leased \gset
select is((select state || ' ' || (error ->> 'class') from orch.outcomes(:'lease', '{late#1}')), 'timed_out timeout', 'times out, which the code is told');
select is_empty(format('select * from orch.dead_letters where run_id = %L', :'run'), 'and nobody else');
select is(orch.suspend(:'lease', '{"steps": [{"id": "ask#1", "approval": {}}], "any": ["ask#1"]}'), 'suspended', 'code asks a person');
select is((select task_id from orch.approvals where run_id = :'run'), 'ask#1', 'whom the view of approvals tells');
select orch.approve(:'run', 'ask#1', false, 'no');
select lives_ok(format('select orch.approve(%L, ''ask#1'', false)', :'run'), 'twice is once');
call pg_temp.lease_main();
select lease from leased \gset
select is((select output ->> 'comment' from orch.outcomes(:'lease', '{ask#1}')), 'no', 'and gets an answer');
select orch.complete(:'lease', '"done"');
call orch.await_run(:'run', '20 s');
select is((select output from orch.runs where run_id = :'run'), '"done"', 'then it is over');

-- Children ----------------------------------------------------------------------------------------

select orch.trigger('code_waits') as run \gset
call pg_temp.lease_main();
select lease from leased \gset
select is(orch.suspend(:'lease', '{"steps": [{"id": "c#1", "workflow": {"id": "code_waits-child"}, "input": {"text": "{{ y }}"}}, {"id": "c#2", "workflow": {"id": "code_waits-child", "input": {"n": 2}}, "retries": 0}], "all": ["c#1", "c#2"]}'), 'suspended', 'code starts two runs and waits for both');
select is((select string_agg(input::text, ' ' order by run_id) from orch.runs where parent_run_id = :'run'), '{"text": "{{ y }}"} {"n": 2}', 'their inputs are taken as they are');
call pg_temp.lease_soon('code_waits child');
select orch.complete(lease, '1') from leased \gset
call pg_temp.wait_until(format('select pg_temp.task(%L, ''c#1'') = ''succeeded''', :'run'));
select is(pg_temp.task(:'run', 'main'), 'waiting', 'one is not all');
call pg_temp.lease_soon('code_waits child');
select run_id as child from leased \gset
select orch.fail(lease, '{"class": "validation", "message": "bad"}') from leased \gset
call pg_temp.lease_main();
select lease from leased \gset
select results_eq(
    format('select id, state, output, error ->> ''run_id'' from orch.outcomes(%L, ''{c#1,c#2}'') order by id', :'lease'),
    format($$ values ('c#1'::text, 'succeeded'::text, '1'::jsonb, null), ('c#2', 'failed', null, %L::text) $$, :'child'),
    'output and failure come back'
);
select is(orch.suspend(:'lease', '{"steps": [{"id": "c#3", "workflow": {"id": "code_waits-child"}, "retries": 1, "retry_delay_seconds": 10, "retry_jitter": 0}], "all": ["c#3"]}'), 'suspended', 'a third has two attempts');
call pg_temp.lease_soon('code_waits child');
select orch.fail(lease, '{"class": "validation", "message": "bad"}') from leased \gset
call pg_temp.wait_until(format('select pg_temp.task(%L, ''c#3'') in (''scheduled'', ''failed'')', :'run'));
select _orch.advance_clock('10 s') as now \gset
call pg_temp.lease_soon('code_waits child');
select orch.complete(lease, '3') from leased \gset
call pg_temp.lease_main();
select lease from leased \gset
select is((select output from orch.outcomes(:'lease', '{c#3}')), '3', 'the second of which is another run');
select is((select count(*) from orch.runs where parent_run_id = :'run'), 4::bigint, 'so there were four');

-- The run's end -------------------------------------------------------------------------------------

select is(orch.suspend(:'lease', '{"steps": [{"id": "c#4", "workflow": {"id": "code_waits-child"}}, {"id": "c#5", "workflow": {"id": "code_waits-child", "parent_close": "abandon"}}, {"id": "s#1", "signal": {"name": "s"}}], "all": ["c#4"]}'), 'suspended', 'with children open');
select orch.cancel(:'run');
call orch.await_run(:'run', '20 s');
select is(pg_temp.run(:'run') || ' ' || pg_temp.task(:'run', 's#1'), 'cancelled cancelled', 'the run is cancelled');
select run_id as told from orch.runs where parent_run_id = :'run' order by run_id desc offset 1 limit 1 \gset
call orch.await_run(:'told', '20 s');
select is((select string_agg(state, ' ' order by run_id desc) from (select * from orch.runs where parent_run_id = :'run' order by run_id desc limit 2) r), 'running cancelled', 'so is a child, unless it is abandoned');

select orch.trigger('code_waits') as run \gset
call pg_temp.lease_main();
select lease from leased \gset
select orch.signal(:'run', 'kept', '"k"');
select orch.continue_as_new(:'lease', '{"n": 2}') as next \gset
select is((select payload from orch.signals where run_id = :'next'), '"k"', 'a signal that nobody took goes on with the code');
select is_empty(format('select * from orch.signals where run_id = %L', :'run'), 'and does not stay');
call pg_temp.lease_main();
select lease from leased \gset
select is(orch.suspend(:'lease', '{"steps": [{"id": "kept#1", "signal": {"name": "kept"}}], "any": ["kept#1"]}'), 'go_on', 'where it is taken');
select orch.complete(:'lease');
select is_empty($$ select * from orch.replay_check() $$, 'the history leads to what the tables say');

select * from finish();
