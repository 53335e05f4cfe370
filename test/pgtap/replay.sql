-- The state of a run rebuilt from its events, and the comparison of it with the tables.
\ir common.psql

-- What is stored of a run, as replay tells it.
create function pg_temp.stored(run uuid) returns table (task_id text, state text, attempt int, output jsonb, error jsonb)
language sql
as $$
    select null, r.state, null, orch.result(run), r.error from orch.runs r where r.run_id = run
    union all
    select t.task_id, t.state, t.attempt, o.output, case when t.state in ('failed', 'timed_out', 'cancelled') then t.error end
    from orch.tasks t
    join orch.results(run) o using (task_id)
    where t.run_id = run
$$;

-- replay -------------------------------------------------------------------------------------------

select pg_temp.define('replay', '{"a": {}, "b": {"dependencies": ["a"], "retries": 1, "retry_delay_seconds": 60, "retry_jitter": 0}, "c": {"noop": true, "input": {"n": 7}, "dependencies": ["a"]},
    "never": {"when": "$.input.no == 1"}, "nap": {"sleep": 3600}, "end": {"dependencies": ["b", "c"]}}', '{"on_failure": "continue"}') as version \gset
select orch.worker_start('replay', '{replay}', '{noop}') as worker \gset
select orch.trigger('replay') as run \gset
call pg_temp.wait_until(format('select pg_temp.task(%L, ''nap'') = ''waiting''', :'run'));
select results_eq(
    format('select task_id, state, attempt from orch.replay(%L)', :'run'),
    $$ values (null, 'running', null::int), ('a'::text, 'ready'::text, 0), ('b', 'pending', 0), ('c', 'pending', 0), ('end', 'pending', 0), ('nap', 'waiting', 1), ('never', 'skipped', 0) $$,
    'a run that has begun: what is ready follows from the definition'
);
call pg_temp.lease_soon('replay');
select orch.complete(lease, '{"o": 1}') from leased \gset
call pg_temp.lease_soon('replay');
select results_eq(format('select state from orch.replay(%L) where task_id = ''b''', :'run'), $$ values ('running'::text) $$, 'a task that runs');
select orch.fail(lease, '{"class": "handler", "message": "no"}') from leased \gset
call pg_temp.wait_until(format('select pg_temp.task(%L, ''c'') = ''succeeded''', :'run'));
select set_eq(format('select * from orch.replay(%L)', :'run'), format('select * from pg_temp.stored(%L)', :'run'), 'an open run is rebuilt with states, attempts and outputs');
select results_eq(format('select state, output from orch.replay(%L) where task_id in (''b'', ''c'')', :'run'), $$ values ('scheduled'::text, null::jsonb), ('succeeded', '{"n": 7}') $$, 'as they are');
select _orch.advance_clock('61 s') as now \gset
call pg_temp.wait_until(format('select pg_temp.task(%L, ''b'') = ''ready''', :'run'));
select is((select state from orch.replay(:'run') where task_id = 'b'), 'ready', 'a task whose delay is over is ready');
select is(pg_temp.story(:'run', 'b'), 'started retry_scheduled timer_fired', 'since an event says so');
call pg_temp.lease_soon('replay');
select count(*) as refused from leased, orch.release(array[leased.lease]) \gset
select is((select state || ' ' || attempt from orch.replay(:'run') where task_id = 'b'), 'ready 2', 'one that was given back is ready again');
call pg_temp.lease_soon('replay');
select orch.fail(lease, '{"class": "validation", "message": "never"}') from leased \gset
select _orch.advance_clock('1 hour') as now \gset
call orch.await_run(:'run', '20 s');
select set_eq(format('select * from orch.replay(%L)', :'run'), format('select * from pg_temp.stored(%L)', :'run'), 'a failed run is rebuilt with its errors');
select is((select error ->> 'message' from orch.replay(:'run') where task_id = 'b'), 'never', 'which are those of the last attempt');
select orch.retry(:'run') as state \gset
call pg_temp.lease_soon('replay');
select set_eq(format('select * from orch.replay(%L)', :'run'), format('select * from pg_temp.stored(%L)', :'run'), 'so is one that was reopened');
select orch.complete(lease, '{"o": 2}') from leased \gset
call pg_temp.lease_soon('replay');
select orch.complete(lease, '{"o": 3}') from leased \gset
call orch.await_run(:'run', '20 s');
select set_eq(format('select * from orch.replay(%L)', :'run'), format('select * from pg_temp.stored(%L)', :'run'), 'and one that succeeded');
select is((select output from orch.replay(:'run') where task_id is null), orch.result(:'run'), 'with its output');

select pg_temp.define('replay-output', more => '{"output": {"sum": "{{ tasks.only.output }}"}, "max_active_runs": 1}') as version \gset
select orch.worker_start('replay', '{replay-output}', '{noop}') as worker \gset
select orch.trigger('replay-output') as run \gset
select orch.trigger('replay-output') as queued \gset
select orch.trigger('replay-output', run_at => _orch.now() + '1 hour') as later \gset
select is((select state from orch.replay(:'queued') where task_id is null), 'queued', 'a run that waits for its place');
select is(pg_temp.story(:'queued'), 'triggered queued', 'has an event that says so');
select is((select string_agg(state, ' ') from orch.replay(:'later')), 'scheduled pending', 'one that waits for its time has not');
select _orch.advance_clock('61 min') as now \gset
call pg_temp.wait_until(format('select pg_temp.run(%L) = ''queued''', :'later'));
select is((select state from orch.replay(:'later') where task_id is null), 'queued', 'and is queued when that has come');
call pg_temp.lease_soon('replay');
select orch.complete(lease, '5') from leased \gset
call orch.await_run(:'run', '20 s');
select is((select output from orch.replay(:'run') where task_id is null), '{"sum": 5}', 'an output that the definition asks for');
select orch.cancel(:'queued') as c1, orch.cancel(:'later') as c2 \gset
call orch.await_run(:'queued', '20 s');
call orch.await_run(:'later', '20 s');

select is(pg_temp.code('select * from orch.replay(gen_random_uuid())'), 'OR003', 'an unknown run');
select is(pg_temp.code('select * from orch.replay(null)'), '22004', 'no run');

-- replay_check -------------------------------------------------------------------------------------

call pg_temp.wait_until('select not exists (select from orch.replay_check())');
select is_empty('select * from orch.replay_check()', 'nothing is stored otherwise than its history says');

-- What a difference looks like: rows are changed as nobody may, and it is all undone.
create function pg_temp.differences(run uuid) returns text
language sql
as $$ select string_agg(format('%s %s %s/%s', coalesce(d.task_id, 'run'), d.what, d.stored, d.replayed), ', ' order by d.task_id nulls first, d.what) from orch.replay_check() d where d.run_id = run $$;
begin;
update _orch.run set state = 'F' where run_id = :'run';
select is(pg_temp.differences(:'run'), 'run state failed/succeeded', 'a run in another state');
update _orch.run set state = 'S', no = 2 where run_id = :'run';
select is(pg_temp.differences(:'run'), 'run events 2/3', 'a run that counts other events');
rollback;
begin;
update _orch.task set state = 'y', attempt = 3, attempts_before = 1, output_no = null, no = 5 where run_id = :'run';
select is(pg_temp.differences(:'run'), 'only attempt 3/1, only attempts_before 1/0, only events 5/2, only output_no 0/2, only state ready/succeeded', 'a task, by all that can differ');
delete from _orch.task where run_id = :'run';
select is(pg_temp.differences(:'run'), 'only row /there', 'a task that is gone');
insert into _orch.task (run_id, task_no, version_id, state) select run_id, 4, version_id, 'p' from _orch.run where run_id = :'run';
select is(pg_temp.differences(:'run'), '4 row there/, only row /there', 'a task that nobody knows');
rollback;
begin;
insert into _orch.event (run_id, at, pos, task_no, no, kind) values (:'run', now(), 9000000000000000000, 0, 3, 20);
select is(
    pg_temp.differences(:'run'), 'only events 2/3, only history /event 3, task_started, happened to a task that was succeeded',
    'an event that cannot have happened'
);
rollback;
begin;
delete from _orch.run where run_id = :'run';
select is(pg_temp.differences(:'run'), 'run row /there', 'a run that is gone, but for its tasks and events');
rollback;
begin;
select orch.trigger('replay-output') as open \gset
update _orch.task set state = 'p' where run_id = :'open';
select is(pg_temp.differences(:'open'), null, 'a task that the engine has still to look at is no difference');
select _orch.advance_clock('11 s') as now \gset
select is(pg_temp.differences(:'open'), 'only state pending/ready', 'until the look is overdue');
rollback;

begin;
update _orch.run set state = 'F' where run_id = :'run';
select isnt_empty(format('select * from orch.replay_check(%L)', (select created_at from orch.runs where run_id = :'run')), 'runs since a moment');
select is_empty(format('select * from orch.replay_check(%L)', (select created_at + interval '1 us' from orch.runs where run_id = :'run')), 'not those before');
select isnt_empty('select * from orch.replay_check(null)', 'null is since ever');
select is_empty('select * from orch.replay_check(''infinity'')', 'and there are none after the end of time');
set local orch.tenant = 'somebody else';
select is_empty('select * from orch.replay_check()', 'runs of other tenants are not looked at');
select is(pg_temp.code(format('select * from orch.replay(%L)', :'run')), 'OR003', 'nor told');
rollback;

-- Rights -------------------------------------------------------------------------------------------

create role replay_viewer in role orch_viewer;
create role replay_nobody;
set role replay_viewer;
select is((select count(*) from orch.replay(:'run')), 2::bigint, 'a viewer may replay');
select is_empty('select * from orch.replay_check()', 'and compare');
set role replay_nobody;
select is(pg_temp.code(format('select * from orch.replay(%L)', :'run')), '42501', 'nobody else may');
select is(pg_temp.code('select * from orch.replay_check()'), '42501', 'neither of them');
reset role;
drop role replay_viewer, replay_nobody;

select * from finish();
