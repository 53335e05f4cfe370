-- A task whose handler skips it: state, history, what its children's rules see (AIR-2).
\ir common.psql

select pg_temp.define('skip', '{"a": {}, "all": {"dependencies": ["a", "b"]}, "after_all": {"dependencies": ["all"]}, "b": {}, "one": {"dependencies": ["a", "b"], "trigger_rule": "one_success"},
    "after_one": {"dependencies": ["one"]}, "alone": {"dependencies": ["a"]}}');
select orch.worker_start('skip', '{skip}', '{noop}') as worker \gset
select orch.trigger('skip') as run \gset
select max(lease) filter (where task_id = 'a') as a, max(lease) filter (where task_id = 'b') as b from orch.lease('skip', 10) \gset
select is_empty(format($$ select * from orch.complete_many('skip', '[{"lease": "%s", "skip": "nothing to do"}, {"lease": "%s", "output": 1}]') $$, :'a', :'b'), 'a handler may skip its own task');
select is(pg_temp.task(:'run', 'a'), 'skipped', 'which is skipped then');
select is((select state || ' ' || coalesce(error::text, 'no error') from orch.attempts where run_id = :'run' and task_id = 'a'), 'skipped no error', 'and its attempt');
select is((select data ->> 'reason' from orch.events where run_id = :'run' and task_id = 'a' and kind = 'task_skipped'), 'nothing to do', 'the history tells the reason');
select is((select reason || ': ' || detail from orch.why(:'run', 'a')), 'its handler skipped it: nothing to do', 'and so does orch.why');
select is_empty(format('select 1 from orch.tasks where run_id = %L and task_id = ''a'' and (error is not null or output is not null)', :'run'), 'it has neither output nor error');
select is_empty(format($$ select * from orch.complete_many('skip', '[{"lease": "%s", "skip": "nothing to do"}]') $$, :'a'), 'the same again is no refusal');
select is((select status from orch.complete_many('skip', jsonb_build_array(jsonb_build_object('lease', :'a', 'output', 1)))), 'conflict', 'a success after it is one');
call pg_temp.lease_soon('skip');
select lease, task_id from leased \gset
select is(:'task_id'::text, 'one', 'a join on one_success runs');
select orch.complete(:'lease');
call pg_temp.lease_soon('skip');
select lease, task_id from leased \gset
select is(:'task_id'::text, 'after_one', 'and what follows it');
select orch.complete(:'lease');
call orch.await_run(:'run', '20 s');
select results_eq(
    format('select task_id || '' '' || state from orch.tasks where run_id = %L order by 1', :'run'),
    $$ values ('a skipped'), ('after_all skipped'), ('after_one succeeded'), ('all skipped'), ('alone skipped'), ('b succeeded'), ('one succeeded') $$,
    'a join on all_success is skipped, and its children'
);
select is(pg_temp.run(:'run'), 'succeeded', 'the run succeeds');
select is_empty(format('select 1 from orch.dead_letters where run_id = %L', :'run'), 'and nothing is a dead letter');
select results_eq(format('select task_id, state, output, error from orch.replay(%L)', :'run'), format('select task_id, state, output, error from (select null as task_id, state, output, error, -1 as task_no from orch.runs where run_id = %1$L
    union all select task_id, state, output, error, task_no from orch.tasks where run_id = %1$L) r order by task_no', :'run'), 'a replay says the same');

-- One by one, in the caller's transaction ---------------------------------------------------------

select orch.trigger('skip') as run \gset
select max(lease) filter (where task_id = 'a') as a, max(lease) filter (where task_id = 'b') as b from orch.lease('skip', 10) \gset
begin;
select orch.skip(:'a', 'not today');
rollback;
select is(pg_temp.task(:'run', 'a'), 'running', 'a skip that is rolled back has not happened');
select orch.skip(:'a', 'not today');
select orch.skip(:'b');
call orch.await_run(:'run', '20 s');
select is(pg_temp.run(:'run') || ' ' || (select count(*) from orch.tasks where run_id = :'run' and state = 'skipped'), 'succeeded 7', 'all skipped is a success');
select is(pg_temp.code(format('select orch.fail(%L, ''{"class": "handler"}'')', :'a')), 'OR011', 'a failure after it is refused');
select is(pg_temp.code(format('select orch.skip(%L, ''other'')', :'a')), 'OR011', 'and so is another reason');
select lives_ok(format('select orch.skip(%L, ''not today'')', :'a'), 'the same again is no error');
select is((select detail from orch.why(:'run', 'b')), 'It gave no reason.', 'a reason is optional');
select is(pg_temp.code($$ select orch.skip('nonsense') $$), 'OR010', 'what is no lease is refused');

select * from finish();
