-- Signals: each delivered once, in order, before a wait and after it began; what was never committed never was.
\ir common.psql

select pg_temp.define('signals', '{"wait": {"signal": {"name": "{{ input.name }}", "timeout_seconds": 60}}, "then": {"noop": true, "input": "{{ tasks.wait.output }}", "dependencies": ["wait"]}}');

-- Sent while the task waits -----------------------------------------------------------------

select orch.trigger('signals', '{"name": "go"}') as run \gset
call pg_temp.wait_until(format('select pg_temp.task(%L, ''wait'') = ''waiting''', :'run'));
select is((select worker from orch.tasks where run_id = :'run' and task_id = 'wait'), null, 'a task that waits for a signal has no worker');
select is((select kind from orch.timers where run_id = :'run'), 'signal', 'its timeout is among the timers');
select alike((select detail from orch.why(:'run', 'wait')), 'It waits for signal "go" since %', 'why says what it waits for');
select is((select reason from orch.why(:'run', 'wait')), 'waits for a signal', 'in a few words');
select orch.signal(:'run', 'other', '1');
select is(pg_temp.task(:'run', 'wait'), 'waiting', 'a signal of another name is none of its own');
begin;
select orch.signal(:'run', 'go', '{"never": 1}');
rollback;
select is((select count(*) from orch.signals where run_id = :'run'), 1::bigint, 'a signal of a transaction that was rolled back never was');
select orch.signal(:'run', 'go', '{"answer": 42}');
select is(pg_temp.task(:'run', 'wait'), 'succeeded', 'the task has its signal in the transaction of the sender');
call orch.await_run(:'run', '20 s');
select is((select output from orch.runs where run_id = :'run'), '{"then": {"answer": 42}}', 'the payload is its output, and later tasks see it');
select is(pg_temp.story(:'run', 'wait'), 'started waiting signal_received succeeded', 'the task''s story');
select is(pg_temp.story(:'run'), 'triggered started signal_sent signal_sent succeeded', 'the run''s story');
select results_eq(
    format('select name, payload, sender, taken_by from orch.signals where run_id = %L order by no', :'run'),
    format($$ values ('other'::text, '1'::jsonb, %1$L::text, null::text), ('go', '{"answer": 42}', %1$L, 'wait') $$, current_user),
    'who sent what, and who took it'
);
select is(pg_temp.code(format('select orch.signal(%L, ''go'')', :'run')), 'OR020', 'a run that is over takes no signal');
select is(pg_temp.code('select orch.signal(''00000000-0000-7000-8000-000000000000'', ''go'')'), 'OR003', 'nor does one that does not exist');
select is(pg_temp.code(format('select orch.signal(%L, '''')', :'run')), '22023', 'a signal has a name');

-- Sent before ---------------------------------------------------------------------------------

select orch.trigger('signals', '{"name": "go"}', run_at => _orch.now() + interval '1 h') as run \gset
select orch.signal(:'run', 'go', '"early"');
select is((select taken_by from orch.signals where run_id = :'run'), null, 'a run that has not started takes signals as well, and keeps them');
select _orch.advance_clock('1 h') as now \gset
call orch.await_run(:'run', '20 s');
select is((select output ->> 'then' from orch.runs where run_id = :'run'), 'early', 'a wait that begins later takes it');
select is(pg_temp.story(:'run', 'wait'), 'started signal_received succeeded', 'and does not wait at all');

select orch.trigger('signals', '{"name": "go"}') as run \gset
select orch.signal(:'run', 'go');
call orch.await_run(:'run', '20 s');
select is((select output from orch.runs where run_id = :'run'), '{"then": null}', 'a signal without a payload is null');

-- Several ---------------------------------------------------------------------------------

select pg_temp.define('signals-two', '{"a": {"signal": {"name": "s"}}, "b": {"signal": {"name": "s"}}, "c": {"signal": {"name": "s"}, "dependencies": ["a", "b"]}}');
select orch.trigger('signals-two') as run \gset
call pg_temp.wait_until(format('select count(*) = 2 from orch.tasks where run_id = %L and state = ''waiting''', :'run'));
begin;
select orch.signal(:'run', 's', '1');
select orch.signal(:'run', 's', '2');
select orch.signal(:'run', 's', '3');
commit;
call orch.await_run(:'run', '20 s');
select results_eq(
    format('select task_id, output from orch.results(%L) order by 1', :'run'),
    $$ values ('a'::text, '1'::jsonb), ('b', '2'), ('c', '3') $$,
    'three signals in one transaction go to three tasks, in order, whether they waited or came to wait'
);
select is((select count(distinct taken_by) from orch.signals where run_id = :'run'), 3::bigint, 'each to one');

-- Timeouts ------------------------------------------------------------------------------------

select pg_temp.define('signals-late', '{"wait": {"signal": {"name": "s", "timeout_seconds": 60}, "retries": 5}, "else": {"noop": true, "dependencies": ["wait"], "trigger_rule": "one_failed"}}');
select orch.trigger('signals-late') as run \gset
call pg_temp.wait_until(format('select pg_temp.task(%L, ''wait'') = ''waiting''', :'run'));
select _orch.advance_clock('59 s') as now \gset
select is(pg_temp.task(:'run', 'wait'), 'waiting', 'before its time it waits');
select due_at as due from orch.timers where run_id = :'run' \gset
select _orch.advance_clock('1 s') as now \gset
call orch.await_run(:'run', '20 s');
select is(pg_temp.task(:'run', 'wait'), 'timed_out', 'then it has timed out, and is not tried again');
select is(pg_temp.story(:'run', 'wait'), 'started waiting timer_fired timed_out', 'as its story says');
select ok((select finished_at - :'due'::timestamptz between '0' and '2 s' from orch.tasks where run_id = :'run' and task_id = 'wait'), 'on time');
select is(pg_temp.run(:'run'), 'succeeded', 'another task may handle that');
select is((select error ->> 'class' from orch.dead_letters where run_id = :'run'), 'timeout', 'it has a dead letter as any');

-- A run that is reopened waits again, and takes what came meanwhile.
select orch.trigger('signals', '{"name": "go"}') as run \gset
call pg_temp.wait_until(format('select pg_temp.task(%L, ''wait'') = ''waiting''', :'run'));
select orch.cancel(:'run');
call orch.await_run(:'run', '20 s');
select is(pg_temp.run(:'run') || ' ' || pg_temp.task(:'run', 'wait'), 'cancelled cancelled', 'a cancel ends the wait');
begin;
select orch.retry(:'run');
select orch.signal(:'run', 'go', '"again"');
commit;
call orch.await_run(:'run', '20 s');
select is((select output ->> 'then' from orch.runs where run_id = :'run'), 'again', 'a retry of the run begins it anew');
select is(pg_temp.story(:'run', 'wait'), 'started waiting cancelled started signal_received succeeded', 'with another attempt');

-- With a start ----------------------------------------------------------------------------

select orch.signal_with_start('signals', 'go', '1', '{"name": "go", "n": 1}', 'cart-1') as run \gset
select is((select string_agg(kind, ' ' order by no) from orch.events where run_id = :'run' and task_id is null and no <= 3), 'run_triggered run_started signal_sent', 'where none goes on under the key, a run starts and the signal is the first that comes to it');
call orch.await_run(:'run', '20 s');
select is((select output ->> 'then' from orch.runs where run_id = :'run'), '1', 'and is delivered');
select orch.signal_with_start('signals', 'no', '2', '{"name": "go", "n": 2}', 'cart-1') as next \gset
select isnt(:'next'::text, :'run'::text, 'a run that is over gives its key to the next');
select orch.signal_with_start('signals', 'go', '3', '{"name": "go", "n": 3}', 'cart-1') as same \gset
select is(:'same'::text, :'next'::text, 'one that goes on gets the signal, whatever the input');
call orch.await_run(:'next', '20 s');
select is((select input ->> 'n' from orch.runs where run_id = :'next'), '2', 'and keeps its own');
select is((select count(*) from orch.runs where idempotency_key = 'cart-1'), 2::bigint, 'so there are two runs');
select is(pg_temp.code('select orch.signal_with_start(''signals-none'', ''go'')'), 'OR002', 'an unknown workflow is refused');

-- Limits, rights, definitions ---------------------------------------------------------------

select orch.trigger('signals', '{"name": "go"}') as run \gset
set orch.max_result_bytes = '1kB';
select is(pg_temp.code(format('select orch.signal(%L, ''go'', to_jsonb(repeat(''x'', 2000)))', :'run')), 'OR013', 'a payload has a limit');
reset orch.max_result_bytes;
create role signals_worker in role orch_worker;
set role signals_worker;
select lives_ok(format('select orch.signal(%L, ''go'')', :'run'), 'a worker may send signals');
reset role;
drop role signals_worker;
call orch.await_run(:'run', '20 s');
select is(pg_temp.run(:'run'), 'succeeded', 'which arrive');
select results_eq(
    $$ select code, path from orch.validate('{"id": "w", "tasks": {"a": {"signal": {}}, "b": {"signal": "s"}, "c": {"signal": {"name": "s", "timeout_seconds": -1}}, "d": {"signal": {"name": "{{ tasks.zzz.output }}"}}}}') order by path $$,
    $$ values ('missing_key'::text, '/tasks/a/signal'::text), ('wrong_type', '/tasks/b/signal'), ('out_of_range', '/tasks/c/signal/timeout_seconds'), ('template_unknown_task', '/tasks/d/signal/name') $$,
    'a definition says what it waits for'
);
select orch.trigger('signals', '{"name": 7}') as run \gset
call orch.await_run(:'run', '20 s');
select is((select error ->> 'code' from orch.tasks where run_id = :'run' and task_id = 'wait'), 'signal_invalid', 'a name that is no text fails the task');
select is_empty($$ select * from orch.replay_check() $$, 'the history leads to what the tables say');

select * from finish();
