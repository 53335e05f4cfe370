-- Approvals: a person's decision that a task waits for without a worker; once, by whom, and with what words.
\ir common.psql
create role approvals_manager in role orch_viewer;
create role approvals_viewer in role orch_viewer;
create role approvals_operator in role orch_operator;

select pg_temp.define('approvals', '{"ask": {"approval": {"form": {"limit": "{{ input.limit }}"}, "timeout_seconds": 3600}}, "release": {"noop": true, "input": "{{ tasks.ask.output }}", "dependencies": ["ask"], "when": "$.tasks.ask.output.approved"}}');
select pg_temp.define('approvals-role', '{"ask": {"approval": {"roles": ["approvals_manager", "approvals_nobody"]}}}');

select orch.trigger('approvals', '{"limit": 5}') as run \gset
call pg_temp.wait_until(format('select exists (select from orch.approvals where run_id = %L)', :'run'));
select results_eq(
    format('select task_id, workflow, roles, form, due_at - since from orch.approvals where run_id = %L', :'run'),
    $$ values ('ask'::text, 'approvals'::text, null::jsonb, '{"limit": 5}'::jsonb, interval '1 h') $$,
    'what waits for a person can be seen, and what is asked'
);
select is((select reason from orch.why(:'run', 'ask')), 'waits for an approval', 'why says it');
select is((select kind from orch.timers where run_id = :'run'), 'approval', 'and the timers when it is over');
select is(pg_temp.code(format('select orch.approve(%L, ''release'')', :'run')), 'OR020', 'a task that is no approval cannot be decided');
select is(pg_temp.code(format('select orch.approve(%L, ''nothing'')', :'run')), '42704', 'nor one that is not there');
set role approvals_viewer;
select is(pg_temp.code(format('select orch.approve(%L, ''ask'')', :'run')), '42501', 'without roles a viewer may not decide');
set role approvals_operator;
select orch.approve(:'run', 'ask', comment => 'fine', form => '{"limit": 3}');
select lives_ok(format('select orch.approve(%L, ''ask'', true, ''fine'', ''{"limit": 3}'')', :'run'), 'the same decision again is no error');
select lives_ok(format('select orch.approve(%L, ''ask'')', :'run'), 'nor is a plain word to the same end');
select is(pg_temp.code(format('select orch.approve(%L, ''ask'', false)', :'run')), 'OR020', 'another one is');
select is(pg_temp.code(format('select orch.approve(%L, ''ask'', form => ''{"limit": 4}'')', :'run')), 'OR020', 'so is another form');
reset role;
call orch.await_run(:'run', '20 s');
select is(
    (select output from orch.runs where run_id = :'run'),
    '{"release": {"approved": true, "by": "approvals_operator", "comment": "fine", "form": {"limit": 3}}}',
    'an operator may, and what was said reaches the next task'
);
select is(pg_temp.story(:'run', 'ask'), 'started waiting succeeded', 'once in its history');
select is((select actor from orch.events where run_id = :'run' and task_id = 'ask' and kind = 'task_succeeded'), 'role:approvals_operator', 'with who it was');
select is_empty(format('select * from orch.approvals where run_id = %L', :'run'), 'nothing waits any more');

select orch.trigger('approvals', '{"limit": 5}') as run \gset
call pg_temp.wait_until(format('select exists (select from orch.approvals where run_id = %L)', :'run'));
begin;
select orch.approve(:'run', 'ask');
rollback;
select is(pg_temp.task(:'run', 'ask'), 'waiting', 'a decision that was rolled back never was');
select orch.approve(:'run', 'ask', false, 'too much');
call orch.await_run(:'run', '20 s');
select is(pg_temp.run(:'run') || ' ' || pg_temp.task(:'run', 'ask') || ' ' || pg_temp.task(:'run', 'release'), 'succeeded succeeded skipped', 'a refusal is an answer as well');

select orch.trigger('approvals', '{"limit": 5}') as run \gset
call pg_temp.wait_until(format('select exists (select from orch.approvals where run_id = %L)', :'run'));
select _orch.advance_clock('1 h') as now \gset
call orch.await_run(:'run', '20 s');
select is(pg_temp.run(:'run') || ' ' || pg_temp.task(:'run', 'ask'), 'failed timed_out', 'nobody decided in time');
select is(pg_temp.code(format('select orch.approve(%L, ''ask'')', :'run')), 'OR020', 'then it is too late');
select orch.retry(:'run');
call pg_temp.wait_until(format('select exists (select from orch.approvals where run_id = %L)', :'run'));
select orch.approve(:'run', 'ask');
call orch.await_run(:'run', '20 s');
select is(pg_temp.run(:'run'), 'succeeded', 'unless the run is reopened');

-- Roles --------------------------------------------------------------------------------------

select orch.trigger('approvals-role') as run \gset
call pg_temp.wait_until(format('select exists (select from orch.approvals where run_id = %L)', :'run'));
select alike((select detail from orch.why(:'run', 'ask')), '%"approvals_manager" or "approvals_nobody"%', 'why says whose members may decide');
set role approvals_operator;
select is(pg_temp.code(format('select orch.approve(%L, ''ask'')', :'run')), '42501', 'where roles are named an operator is not enough');
set role approvals_manager;
select lives_ok(format('select orch.approve(%L, ''ask'')', :'run'), 'a member of one of them may');
reset role;
call orch.await_run(:'run', '20 s');
select is((select output #>> '{ask,by}' from orch.runs where run_id = :'run'), 'approvals_manager', 'and did');
select results_eq(
    $$ select code, path from orch.validate('{"id": "w", "tasks": {"a": {"approval": {"roles": []}}, "b": {"approval": {"roles": [1]}}, "c": {"approval": true}, "d": {"approval": {}}}}') order by path $$,
    $$ values ('out_of_range'::text, '/tasks/a/approval/roles'::text), ('wrong_type', '/tasks/b/approval/roles/0'), ('wrong_type', '/tasks/c/approval') $$,
    'a definition names roles, or none'
);
select is_empty($$ select * from orch.replay_check() $$, 'the history leads to what the tables say');

drop role approvals_manager, approvals_viewer, approvals_operator;
select * from finish();
