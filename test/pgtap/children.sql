-- Child runs: what goes down to them, what comes back, and how one's end is the other's.
\ir common.psql
create function pg_temp.child(run uuid) returns uuid
language sql
as $$ select c.run_id from orch.runs c where c.parent_run_id = run order by c.run_id desc limit 1 $$;

-- What goes down, what comes back ---------------------------------------------------------

select pg_temp.define('children-leaf', '{"work": {"input": "{{ input.n }}"}}');
select pg_temp.define('children', '{"call": {"workflow": {"id": "children-leaf", "input": {"n": "{{ input.n }}"}}}, "then": {"noop": true, "input": "{{ tasks.call.output.work }}", "dependencies": ["call"]}}');
select orch.worker_start('children', '{children-leaf}', '{noop}') as worker \gset
select orch.trigger('children', '{"n": 7}', priority => 3, traceparent => '00-11-22-01') as run \gset
call pg_temp.lease_soon('children');
select lease, run_id as child, input as given, traceparent as trace from leased \gset
select is((select input from orch.runs where run_id = :'child'), '{"n": 7}', 'the child has the input that the task gives it');
select results_eq(
    format('select source, priority, parent_run_id, tenant, state from orch.runs where run_id = %L', :'child'),
    format($$ values ('child'::text, 3, %L::uuid, 'default'::text, 'running'::text) $$, :'run'),
    'the priority of its parent, and whose it is'
);
select is(:'trace'::text, '00-11-22-01', 'and the trace');
select is(pg_temp.task(:'run', 'call'), 'waiting', 'its parent waits without a worker');
select is((select reason from orch.why(:'run', 'call')), 'waits for a child run', 'why says for what');
select alike((select detail from orch.why(:'run', 'call')), format('Run %s of workflow "children-leaf" is running%%', :'child'), 'and which');
select is((select detail ->> 'child' from orch.explain(:'run') where task_id = 'call'), :'child', 'explain as well');
select orch.complete(:'lease', '{"sum": 49}');
call orch.await_run(:'run', '20 s');
select is((select output from orch.runs where run_id = :'run'), '{"then": {"sum": 49}}', 'the output of the child is that of the task');
select is(pg_temp.story(:'run', 'call'), 'started child_started child_ended succeeded', 'as the history says');
select is((select data ->> 'run_id' from orch.events where run_id = :'run' and kind = 'child_started'), :'child', 'with the child''s id');

-- Failures and retries -----------------------------------------------------------------------

select pg_temp.define('children-fails', '{"bad": {"sql": "select 1/0"}}');
select pg_temp.define('children-retries', '{"call": {"workflow": {"id": "children-fails"}, "retries": 2, "retry_delay_seconds": 10, "retry_jitter": 0, "retry_on": ["child_failed"]}, "never": {"noop": true, "dependencies": ["call"]}}');
select orch.trigger('children-retries') as run \gset
call pg_temp.wait_until(format('select pg_temp.task(%L, ''call'') = ''scheduled''', :'run'));
select _orch.advance_clock('10 s') as now \gset
call pg_temp.wait_until(format('select attempt = 2 and state = ''scheduled'' from orch.tasks where run_id = %L and task_id = ''call''', :'run'));
select _orch.advance_clock('20 s') as now \gset
call orch.await_run(:'run', '20 s');
select is((select count(*) from orch.runs where parent_run_id = :'run'), 3::bigint, 'a child with three attempts that always fails ran three times');
select is(pg_temp.run(:'run') || ' ' || pg_temp.task(:'run', 'call') || ' ' || pg_temp.task(:'run', 'never'), 'failed failed upstream_failed', 'then its parent fails');
select is((select error ->> 'run_id' from orch.tasks where run_id = :'run' and task_id = 'call'), pg_temp.child(:'run')::text, 'with the id of the last');
select is((select error #>> '{error,tasks,0}' from orch.tasks where run_id = :'run' and task_id = 'call'), 'bad', 'and its error');
select is((select attempt || ' of ' || max_attempts from orch.tasks where run_id = :'run' and task_id = 'call'), '3 of 3', 'attempts are counted as for any task');
select results_eq(
    format('select attempt, state from orch.attempts where run_id = %L and task_id = ''call'' order by 1', :'run'),
    $$ values (1, 'failed'::text), (2, 'failed'), (3, 'failed') $$,
    'and listed'
);
select orch.retry(:'run');
call pg_temp.wait_until(format('select attempt = 4 and state = ''scheduled'' from orch.tasks where run_id = %L and task_id = ''call''', :'run'));
select is((select count(*) from orch.runs where parent_run_id = :'run'), 4::bigint, 'a retry of the run starts another child');
select orch.cancel(:'run');
call orch.await_run(:'run', '20 s');

select pg_temp.define('children-unknown', '{"call": {"workflow": {"id": "children-nobody"}, "retries": 5}}');
select is((select severity || ' ' || code from orch.validate('{"id": "w", "tasks": {"call": {"workflow": {"id": "children-nobody"}}}}')), 'warning unknown_workflow', 'a child that nobody has registered is a warning');
select orch.trigger('children-unknown') as run \gset
call orch.await_run(:'run', '20 s');
select is((select error ->> 'code' from orch.tasks where run_id = :'run'), 'unknown_workflow', 'and an error of the task when it starts');

-- Cancelling, both ways ------------------------------------------------------------------------

select pg_temp.define('children-wait', '{"wait": {"signal": {"name": "s"}}, "last": {"noop": true, "input": "{{ tasks.wait.output }}", "dependencies": ["wait"]}}');
select pg_temp.define('children-cancel', '{"call": {"workflow": {"id": "children-wait"}}}');
select pg_temp.define('children-abandon', '{"call": {"workflow": {"id": "children-wait", "parent_close": "abandon"}}}');
select pg_temp.define('children-grand', '{"call": {"workflow": {"id": "children-cancel"}}}');
select orch.trigger('children-grand') as run \gset
call pg_temp.wait_until(format('select exists (select from orch.runs c join orch.runs g on g.parent_run_id = c.run_id where c.parent_run_id = %L)', :'run'));
select pg_temp.child(:'run') as child \gset
select pg_temp.child(:'child') as grandchild \gset
select orch.cancel(:'run');
call orch.await_run(:'grandchild', '20 s');
call orch.await_run(:'run', '20 s');
select is(pg_temp.run(:'run') || ' ' || pg_temp.run(:'child') || ' ' || pg_temp.run(:'grandchild'), 'cancelled cancelled cancelled', 'a cancel reaches children and theirs');
select is((select actor from orch.events where run_id = :'child' and kind = 'run_cancel_requested'), 'engine', 'by the engine');

select orch.trigger('children-abandon') as run \gset
call pg_temp.wait_until(format('select pg_temp.child(%L) is not null', :'run'));
select pg_temp.child(:'run') as child \gset
select orch.cancel(:'run');
call orch.await_run(:'run', '20 s');
select orch.signal(:'child', 's', '1');
call orch.await_run(:'child', '20 s');
select is(pg_temp.run(:'run') || ' ' || pg_temp.run(:'child'), 'cancelled succeeded', 'one that is abandoned goes on');

select orch.trigger('children-cancel') as run \gset
call pg_temp.wait_until(format('select pg_temp.child(%L) is not null', :'run'));
select pg_temp.child(:'run') as child \gset
select orch.cancel(:'child');
call orch.await_run(:'run', '20 s');
select is(pg_temp.run(:'run') || ' ' || pg_temp.task(:'run', 'call'), 'failed cancelled', 'a child that was cancelled cancels the task that waits for it');
select is((select error ->> 'code' from orch.tasks where run_id = :'run'), 'child_cancelled', 'which says so');
select is((select count(*) from orch.runs where parent_run_id = :'run'), 1::bigint, 'and is not tried again');

-- Timeouts -----------------------------------------------------------------------------------

select pg_temp.define('children-limit', '{"call": {"workflow": {"id": "children-wait"}, "timeout_seconds": 60}}');
select orch.trigger('children-limit') as run \gset
call pg_temp.wait_until(format('select pg_temp.child(%L) is not null', :'run'));
select pg_temp.child(:'run') as child \gset
select is((select kind from orch.timers where run_id = :'run'), 'workflow', 'a task''s timeout is among the timers');
select _orch.advance_clock('60 s') as now \gset
call orch.await_run(:'run', '20 s');
call orch.await_run(:'child', '20 s');
select is(pg_temp.task(:'run', 'call') || ' ' || pg_temp.run(:'child'), 'timed_out cancelled', 'then the child is cancelled');

select pg_temp.define('children-short', '{"wait": {"signal": {"name": "s"}}}', '{"timeout_seconds": 60}');
select pg_temp.define('children-of-short', '{"call": {"workflow": {"id": "children-short"}}}');
select orch.trigger('children-of-short') as run \gset
call pg_temp.wait_until(format('select pg_temp.child(%L) is not null', :'run'));
select _orch.advance_clock('60 s') as now \gset
call orch.await_run(:'run', '20 s');
select is(pg_temp.task(:'run', 'call') || ' ' || pg_temp.run(pg_temp.child(:'run')), 'timed_out timed_out', 'a child that took too long did so for its parent');

-- Not waiting, places, recursion ----------------------------------------------------------------

select pg_temp.define('children-loose', '{"call": {"workflow": {"id": "children-wait", "wait": false}}, "then": {"noop": true, "input": "{{ tasks.call.output.run_id }}", "dependencies": ["call"]}}');
select orch.trigger('children-loose') as run \gset
call orch.await_run(:'run', '20 s');
select pg_temp.child(:'run') as child \gset
select is((select output ->> 'then' from orch.runs where run_id = :'run'), :'child', 'without waiting the task succeeds at once, with the child''s id');
select is(pg_temp.story(:'run', 'call'), 'started child_started succeeded', 'in one step');
select is(pg_temp.run(:'child'), 'running', 'and the child goes on');
select orch.cancel(:'child');

select pg_temp.define('children-one', '{"wait": {"signal": {"name": "s"}}}', '{"max_active_runs": 1}');
select pg_temp.define('children-both', '{"a": {"workflow": {"id": "children-one"}}, "b": {"workflow": {"id": "children-one"}}}');
select orch.trigger('children-both') as run \gset
call pg_temp.wait_until(format('select count(*) = 2 from orch.runs where parent_run_id = %L', :'run'));
select set_eq(format('select state from orch.runs where parent_run_id = %L', :'run'), $$ values ('running'::text), ('queued') $$, 'a child waits for a place as any run');
select orch.signal(run_id, 's') from orch.runs where parent_run_id = :'run';
call orch.await_run(:'run', '20 s');
select is(pg_temp.run(:'run'), 'succeeded', 'and gets one');

select pg_temp.define('children-full', '{"wait": {"signal": {"name": "s"}}}', '{"max_active_runs": 1, "when_full": "reject"}');
select pg_temp.define('children-of-full', '{"call": {"workflow": {"id": "children-full"}, "retries": 1, "retry_delay_seconds": 10, "retry_jitter": 0}}');
select orch.trigger('children-full') as full \gset
select orch.trigger('children-of-full') as run \gset
call pg_temp.wait_until(format('select pg_temp.task(%L, ''call'') = ''scheduled''', :'run'));
select is((select error ->> 'class' from orch.tasks where run_id = :'run'), 'resource', 'one that is rejected is tried again');
select orch.signal(:'full', 's');
call orch.await_run(:'full', '20 s');
select _orch.advance_clock('10 s') as now \gset
call pg_temp.wait_until(format('select pg_temp.child(%L) is not null', :'run'));
select orch.signal(pg_temp.child(:'run'), 's');
call orch.await_run(:'run', '20 s');
select is(pg_temp.run(:'run') || ' ' || pg_temp.story(:'run', 'call'), 'succeeded started retry_scheduled timer_fired started child_started child_ended succeeded', 'when there is room');

select results_eq(
    $$ select code, path from orch.validate('{"id": "children-ring", "tasks": {"a": {"noop": true}, "b": {"workflow": {"id": "children-ring"}, "dependencies": ["a"]}}}') $$,
    $$ values ('endless_recursion'::text, '/tasks/b/workflow'::text) $$,
    'a workflow that starts itself without a condition is refused'
);
select is_empty(
    $$ select * from orch.validate('{"id": "children-ring", "tasks": {"a": {"noop": true, "when": "$.input.n > 0"}, "b": {"workflow": {"id": "children-ring"}, "dependencies": ["a"]}}}') $$,
    'with a condition on the way it is not'
);
select pg_temp.define('children-there', '{"go": {"workflow": {"id": "children-back"}}}');
select throws_ok($$ select pg_temp.define('children-back', '{"go": {"workflow": {"id": "children-there"}}}') $$, 'OR001', null, 'nor may two start each other');
select alike((select detail from orch.validate('{"id": "children-back", "tasks": {"go": {"workflow": {"id": "children-there"}}}}')), '%children-back -> children-there -> children-back%', 'the way is told');

select pg_temp.define('children-deep', '{"down": {"workflow": {"id": "children-deep"}, "when": "$.input.on == true", "input": {"on": true}}}');
select orch.trigger('children-deep', '{"on": true}') as run \gset
call orch.await_run(:'run', '60 s');
select is(pg_temp.run(:'run'), 'failed', 'a recursion that does not end is ended');
select is((select count(*) from orch.tasks t where error ->> 'code' = 'recursion_too_deep'), 1::bigint, 'with an error that says so');
select results_eq(
    $$ select code, path from orch.validate('{"id": "w", "tasks": {"a": {"workflow": {}}, "b": {"workflow": "w"}, "c": {"workflow": {"id": "children", "wait": 1}}, "d": {"workflow": {"id": "children", "parent_close": "kill"}}}}') order by path $$,
    $$ values ('missing_key'::text, '/tasks/a/workflow'::text), ('wrong_type', '/tasks/b/workflow'), ('wrong_type', '/tasks/c/workflow/wait'), ('unknown_value', '/tasks/d/workflow/parent_close') $$,
    'a definition says which'
);
select is_empty($$ select * from orch.replay_check() $$, 'the history leads to what the tables say');

select * from finish();
