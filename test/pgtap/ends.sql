-- How runs end and go on: cancel, finally, fail_fast and continue, dead letters, redrive, discard, retry.
\ir common.psql

-- Cancel --------------------------------------------------------------------------------------

select pg_temp.define('ends', '{"a": {}, "b": {"dependencies": ["a"]}}');
select orch.worker_start('ends', '{ends}', '{noop}') as worker \gset
select orch.trigger('ends') as run \gset
select is(orch.cancel(:'run'), 'cancelling', 'cancel answers with the new state');
call orch.await_run(:'run', '20 s');
select is(pg_temp.run(:'run') || ' ' || pg_temp.task(:'run', 'a') || ' ' || pg_temp.task(:'run', 'b'), 'cancelled cancelled cancelled', 'what had not started is cancelled at once');
select is(pg_temp.story(:'run'), 'triggered started cancel_requested cancelled', 'and the history tells who wanted it');
select is(pg_temp.code(format('select orch.cancel(%L)', :'run')), 'OR020', 'a run that is over cannot be cancelled');
select is(pg_temp.code($$ select orch.cancel(gen_random_uuid()) $$), 'OR003', 'nor can an unknown one');
select is_empty($$ select * from orch.lease('ends') $$, 'nobody gets its tasks');

select orch.trigger('ends') as run \gset
select lease from orch.lease('ends') \gset
select orch.cancel(:'run') as state \gset
call pg_temp.wait_until($$ select (select status from orch.heartbeat('ends')) is distinct from 'ok' $$);
select is(coalesce((select status from orch.heartbeat('ends')), 'gone'), 'cancel', 'the worker of a running task learns by its heartbeat');
select orch.fail(:'lease', '{"class": "cancelled", "message": "stopped"}');
call orch.await_run(:'run', '20 s');
select is(pg_temp.run(:'run') || ' ' || pg_temp.task(:'run', 'a'), 'cancelled cancelled', 'and when it has stopped the run is cancelled');

begin;
select orch.trigger('ends') as run \gset
select orch.cancel(:'run') as state \gset
commit;
call orch.await_run(:'run', '20 s');
select is(pg_temp.run(:'run'), 'cancelled', 'a run may be triggered and cancelled in one transaction');

-- finally ---------------------------------------------------------------------------------------

select pg_temp.define('ends-finally', '{"a": {}}', '{"finally": {"clean": {"handler": "noop", "input": {"state": "{{ run.state }}", "failed": "{{ run.failed_tasks }}"}}}}');
select orch.worker_start('ends', '{ends-finally}', '{noop}') as worker \gset
select orch.trigger('ends-finally') as run \gset
select lease from orch.lease('ends') \gset
select orch.fail(:'lease', '{"class": "validation", "message": "no"}');
call pg_temp.lease_soon('ends');
select lease, task_id, input from leased \gset
select is(:'task_id'::text, 'clean', 'finally tasks run when a run has failed');
select is(:'input'::jsonb, '{"state": "failed", "failed": ["a"]}', 'and see how it ends and what failed');
select is(pg_temp.run(:'run'), 'running', 'meanwhile the run is not over');
select orch.complete(:'lease');
call orch.await_run(:'run', '20 s');
select is(pg_temp.run(:'run'), 'failed', 'then it is');

select orch.trigger('ends-finally') as run \gset
select orch.cancel(:'run') as state \gset
call pg_temp.wait_until(format('select pg_temp.task(%L, ''clean'') = ''ready''', :'run'));
call pg_temp.lease_soon('ends');
select lease, task_id from leased \gset
select is(:'task_id' || ' ' || pg_temp.run(:'run'), 'clean cancelling', 'finally tasks run when a run is cancelled');
select orch.complete(:'lease');
call orch.await_run(:'run', '20 s');
select is(pg_temp.run(:'run'), 'cancelled', 'which is then cancelled');
select orch.trigger('ends-finally') as run \gset
select orch.cancel(:'run', force => true) as state \gset
call orch.await_run(:'run', '20 s');
select is(pg_temp.run(:'run') || ' ' || pg_temp.task(:'run', 'clean'), 'cancelled cancelled', 'force leaves them out');

-- fail_fast and continue ----------------------------------------------------------------------

select pg_temp.define('ends-fast', '{"bad": {}, "other": {}, "then": {"dependencies": ["other"]}, "after": {"dependencies": ["bad"]}}');
select orch.worker_start('ends', '{ends-fast}', '{noop}') as worker \gset
select orch.trigger('ends-fast') as run \gset
select max(lease) filter (where task_id = 'bad') as bad, max(lease) filter (where task_id = 'other') as other from orch.lease('ends', 2) \gset
select orch.fail(:'bad', '{"class": "validation", "message": "no"}');
call pg_temp.wait_until(format('select pg_temp.task(%L, ''then'') = ''cancelled''', :'run'));
select is(pg_temp.task(:'run', 'after') || ' ' || pg_temp.task(:'run', 'then'), 'upstream_failed cancelled', 'fail_fast: what hangs on the failure is upstream_failed, what had not started is cancelled');
select orch.fail(:'other', '{"class": "cancelled"}');
call orch.await_run(:'run', '20 s');
select is(pg_temp.run(:'run'), 'failed', 'and the run fails');

select pg_temp.define('ends-continue', '{"bad": {}, "other": {}, "then": {"dependencies": ["other"]}, "after": {"dependencies": ["bad"]}}', '{"on_failure": "continue"}');
select orch.worker_start('ends', '{ends-continue}', '{noop}') as worker \gset
select orch.trigger('ends-continue') as run \gset
select max(lease) filter (where task_id = 'bad') as bad, max(lease) filter (where task_id = 'other') as other from orch.lease('ends', 2) \gset
select orch.fail(:'bad', '{"class": "validation", "message": "no"}');
select orch.complete(:'other');
call pg_temp.lease_soon('ends');
select lease from leased where task_id = 'then' \gset
select orch.complete(:'lease');
call orch.await_run(:'run', '20 s');
select is(
    pg_temp.run(:'run') || ' ' || pg_temp.task(:'run', 'then') || ' ' || pg_temp.task(:'run', 'after'), 'failed succeeded upstream_failed',
    'continue: independent branches go on, and the run fails in the end'
);

-- Dead letters -----------------------------------------------------------------------------------

select pg_temp.define('ends-letter', '{"a": {"input": {"n": 1}}, "b": {"dependencies": ["a"], "input": "{{ tasks.a.output }}"}}');
select orch.worker_start('ends', '{ends-letter}', '{noop}') as worker \gset
select orch.trigger('ends-letter') as run \gset
select lease from orch.lease('ends') \gset
select orch.fail(:'lease', '{"class": "validation", "code": "E", "message": "bad row 17"}');
call orch.await_run(:'run', '20 s');
select results_eq(
    format('select task_id, workflow, state, error ->> ''message'', attempts, resolution, input from orch.dead_letters where run_id = %L', :'run'),
    $$ values ('a'::text, 'ends-letter'::text, 'failed'::text, 'bad row 17'::text, 1, null::text, '{"n": 1}'::jsonb) $$,
    'a task that fails for good leaves a dead letter'
);
select id as letter from orch.dead_letters where run_id = :'run' \gset
select results_eq(
    format('select * from orch.redrive(%s, input => ''{"n": 2}'')', :'letter'), format('values (%L::uuid, ''a''::text)', :'run'),
    'redrive reopens its run'
);
select is(pg_temp.run(:'run') || ' ' || pg_temp.task(:'run', 'b'), 'running pending', 'which is running again, with its downstream');
select is((select resolution || ' by ' || resolved_by from orch.dead_letters where id = :letter), 'redriven by ' || current_user, 'the letter is resolved');
select is(pg_temp.code(format('select * from orch.redrive(%s)', :'letter')), 'OR020', 'and cannot be redriven twice');
call pg_temp.lease_soon('ends');
select lease, input, attempt from leased \gset
select is(:'input'::jsonb, '{"n": 2}', 'the task gets the new input');
select is(:attempt, 2, 'attempts go on counting');
select orch.complete(:'lease', '"good"');
call pg_temp.lease_soon('ends');
select lease, task_id, input from leased \gset
select is(:'task_id' || ' ' || :'input', 'b "good"', 'and the downstream runs');
select orch.complete(:'lease', '"end"');
call orch.await_run(:'run', '20 s');
select is(pg_temp.run(:'run'), 'succeeded', 'to the end');
select is(pg_temp.story(:'run'), 'triggered started failed reopened succeeded', 'which the history tells');

-- What the engine runs by itself counts its attempts as well.
select pg_temp.define('ends-again', '{"a": {}}', '{"finally": {"told": {"noop": true}, "nap": {"sleep": 1}}}') as version \gset
select orch.worker_start('ends', '{ends-again}', '{noop}') as worker \gset
select orch.trigger('ends-again') as run \gset
call pg_temp.lease_soon('ends');
select orch.fail(lease, '{"class": "validation"}') from leased \gset
call pg_temp.wait_until(format('select pg_temp.task(%L, ''nap'') = ''waiting''', :'run'));
select _orch.advance_clock('2 s') as now \gset
call orch.await_run(:'run', '20 s');
select orch.retry(:'run') as state \gset
call pg_temp.lease_soon('ends');
select orch.complete(lease) from leased \gset
call pg_temp.wait_until(format('select pg_temp.task(%L, ''nap'') = ''waiting''', :'run'));
select _orch.advance_clock('2 s') as now \gset
call orch.await_run(:'run', '20 s');
select results_eq(
    format('select task_id, array_agg(attempt order by attempt)::int[] from orch.attempts where run_id = %L group by 1 order by 1', :'run'),
    $$ values ('a'::text, '{1,2}'::int[]), ('nap', '{1,2}'), ('told', '{1,2}') $$, 'attempts after a reopening have numbers of their own'
);
select orch.worker_start('ends', '{ends-letter}', '{noop}') as worker \gset

select orch.trigger('ends-letter') as run \gset
select lease from orch.lease('ends') \gset
select orch.fail(:'lease', '{"class": "validation", "code": "E", "message": "bad row 18"}');
call orch.await_run(:'run', '20 s');
select is(
    (select fingerprint from orch.dead_letters where run_id = :'run'), (select fingerprint from orch.dead_letters where id = :letter),
    'the same kind of error has the same fingerprint, whatever its numbers'
);
select id as letter from orch.dead_letters where run_id = :'run' \gset
select lives_ok(format('select orch.discard(%s)', :'letter'), 'a dead letter can be put aside');
select is((select resolution from orch.dead_letters where id = :letter) || ' ' || pg_temp.run(:'run'), 'discarded failed', 'its run stays as it ended');
select is(pg_temp.code(format('select orch.discard(%s)', :'letter')), 'OR020', 'once');
select is(pg_temp.code('select orch.discard(-1)') || ' ' || pg_temp.code('select * from orch.redrive(-1)'), '42704 42704', 'there is no such letter');

select pg_temp.define('ends-letters', '{"x": {}, "y": {}}', '{"on_failure": "continue"}');
select orch.worker_start('ends', '{ends-letters}', '{noop}') as worker \gset
select array_agg(run_id) as runs from orch.trigger_many('ends-letters', array['1', '2']::jsonb[]) \gset
select count(*) from orch.complete_many('ends', (select jsonb_agg(jsonb_build_object('lease', lease, 'error', jsonb_build_object('class', 'validation', 'message', 'no'))) from orch.lease('ends', 4))) \g /dev/null
call pg_temp.wait_until($$ select bool_and(state = 'failed') from orch.runs where workflow = 'ends-letters' $$);
select is((select count(*) from orch.dead_letters where workflow = 'ends-letters' and resolution is null), 4::bigint, 'four tasks of two runs');
select is(pg_temp.code($$ select * from orch.redrive(filter => '{"colour": "red"}') $$), '22023', 'a filter has known keys only');
select is(pg_temp.code($$ select * from orch.redrive(filter => '[]') $$), '22023', 'and is an object');
select is((select count(*) from orch.redrive(filter => '{"workflow": "ends-letters", "task_id": "x", "limit": 1}')), 2::bigint, 'one letter is redriven with all of its run');
select is((select count(*) from orch.redrive(filter => '{"workflow": "ends-letters"}')), 2::bigint, 'then all that are left');
select is_empty($$ select * from orch.redrive(filter => '{"workflow": "ends-letters"}') $$, 'then none');

-- retry(run) ------------------------------------------------------------------------------------

select pg_temp.define('ends-retry', '{"a": {}, "b": {"dependencies": ["a"]}, "c": {"dependencies": ["b"]}}');
select orch.worker_start('ends', '{ends-retry}', '{noop}') as worker \gset
select orch.trigger('ends-retry') as run \gset
select lease from orch.lease('ends') \gset
select orch.complete(:'lease', '"kept"');
call pg_temp.lease_soon('ends');
select lease from leased \gset
select is(pg_temp.code(format('select orch.retry(%L)', :'run')), 'OR020', 'a run that goes on cannot be retried');
select orch.fail(:'lease', '{"class": "validation", "message": "no"}');
call orch.await_run(:'run', '20 s');
select is(orch.retry(:'run'), 'running', 'a failed run is reopened');
select is((select resolution from orch.dead_letters where run_id = :'run'), 'redriven', 'which resolves its dead letters');
call pg_temp.lease_soon('ends');
select lease, task_id, attempt from leased \gset
select is(:'task_id' || ' ' || :attempt, 'b 2', 'from its failed task on; what succeeded is kept');
select orch.complete(:'lease');
call pg_temp.lease_soon('ends');
select lease from leased \gset
select orch.complete(:'lease');
call orch.await_run(:'run', '20 s');
select is(pg_temp.run(:'run') || ' ' || pg_temp.task(:'run', 'a') || ' ' || (select output from orch.tasks where run_id = :'run' and task_id = 'a'), 'succeeded succeeded "kept"', 'to its end');
select is(pg_temp.code(format('select orch.retry(%L)', :'run')), 'OR020', 'a run that succeeded is not retried');
select is(pg_temp.code($$ select orch.retry(gen_random_uuid()) $$), 'OR003', 'nor is an unknown one');

-- What one look decides ------------------------------------------------------------------------

select pg_temp.define('ends-order', '{"z": {"noop": true}, "y": {"noop": true, "dependencies": ["z"]}, "x": {"noop": true, "dependencies": ["y"]}}');
select orch.trigger('ends-order') as run \gset
call orch.await_run(:'run', '20 s');
select is((select string_agg(task_id || ' ' || kind, ', ' order by pos) from orch.events where run_id = :'run' and task_id is not null),
    'z task_started, z task_succeeded, y task_started, y task_succeeded, x task_started, x task_succeeded', 'is told in the order of cause and effect');

-- An input that did not resolve is replaced, not resolved again.
select from orch.register('{"id": "ends-unresolved", "defaults": {"queue": "ends"}, "tasks": {"here": {"noop": true, "input": "{{ input.missing }}"}}}');
select from orch.register('{"id": "ends-unresolved-leased", "defaults": {"queue": "ends"}, "tasks": {"there": {"handler": "noop", "input": "{{ input.missing }}"}}}');
select orch.worker_start('ends', '{ends}', '{noop}') as worker \gset
select orch.trigger('ends-unresolved') as here, orch.trigger('ends-unresolved-leased') as there \gset
call orch.await_run(:'here', '20 s');
select is((select count(*) from orch.lease('ends')), 0::bigint, 'a task whose input does not resolve is not given out');
call orch.await_run(:'there', '20 s');
select bag_eq(
    format('select run_id, error ->> ''code'' from orch.dead_letters where run_id in (%L, %L)', :'here', :'there'),
    format('values (%L::uuid, ''template_unresolved''), (%L, ''template_unresolved'')', :'here', :'there'),
    'a template that finds nothing is a dead letter, here and at a worker'
);
select is(
    (select count(*) from orch.dead_letters as d cross join lateral orch.redrive(d.id, input => '{"found": 1}') where d.run_id in (:'here', :'there')), 2::bigint,
    'both are redriven with an input'
);
call orch.await_run(:'here', '20 s');
select is(orch.result(:'here'), '{"here": {"found": 1}}', 'which is what the one in the engine goes on with');
call pg_temp.lease_soon('ends');
select is((select input from orch.tasks where run_id = :'there'), '{"found": 1}', 'and the one at a worker');
select orch.complete((select lease from leased), '"done"');
call orch.await_run(:'there', '20 s');
select is(pg_temp.run(:'there'), 'succeeded', 'which ends');

select * from finish();
