-- The one way around the append-only history: a run taken away wholly, or its payloads, by an admin, on record.
\ir common.psql

create role erase_admin in role orch_admin;
create role erase_operator in role orch_operator;

-- The text of every row that hangs on a run.
create function pg_temp.everything(run uuid) returns text
language sql
as $$
    select concat(
        (select string_agg(x::text, ' ') from _orch.run x where run_id = run), (select string_agg(x::text, ' ') from _orch.task x where run_id = run),
        (select string_agg(x::text, ' ') from _orch.event x where run_id = run), (select string_agg(x::text, ' ') from _orch.log x where run_id = run),
        (select string_agg(x::text, ' ') from _orch.progress x where run_id = run), (select string_agg(x::text, ' ') from _orch.dead_letter x where run_id = run),
        (select string_agg(x::text, ' ') from _orch.idempotency x where run_id = run), (select string_agg(x::text, ' ') from _orch.signal x where run_id = run))
$$;

-- A run that has left something everywhere: a task retried after a timeout, one failed and redriven with another input, an SQL task with what it cost.
select pg_temp.define('erase', '{"a": {"retries": 1, "retry_delay_seconds": 60, "retry_jitter": 0, "timeout_seconds": 30}, "b": {"dependencies": ["a"], "input": {"told": "{{ input.who }}"}},
    "s": {"sql": "select $1::text as who", "params": ["{{ input.who }}"], "dependencies": ["b"]}}', '{"on_failure": "continue"}') as version \gset
create procedure pg_temp.play(inout run uuid, key text)
language plpgsql
as $$
declare
    v_worker text := orch.worker_start('erase', '{erase}', '{noop}');
    v_letter bigint;
begin
    run := orch.trigger('erase', '{"who": "Jane Roe"}', idempotency_key => key, tags => '{"who": "Jane Roe"}');
    commit;
    call pg_temp.lease_soon('erase');
    perform orch.heartbeat('erase', (select jsonb_object_agg(l.lease, '{"at": "Jane Roe"}'::jsonb) from leased l));
    commit;
    perform orch.log(l.lease, '[{"stream": "stdout", "line": "hello Jane Roe"}]') from leased l;
    perform orch.fail(l.lease, '{"class": "timeout", "message": "Jane Roe is slow"}') from leased l;
    commit;
    perform _orch.advance_clock('61 s');
    commit;
    call pg_temp.lease_soon('erase');
    perform orch.complete(l.lease, '{"met": "Jane Roe"}') from leased l;
    commit;
    call pg_temp.lease_soon('erase');
    perform orch.fail(l.lease, '{"class": "validation", "message": "Jane Roe is unknown"}') from leased l;
    commit;
    call orch.await_run(run, '20 s');
    select d.id into v_letter from orch.dead_letters d where d.run_id = run;
    perform orch.redrive(v_letter, '{"instead": "Jane Roe"}');
    commit;
    call pg_temp.lease_soon('erase');
    perform orch.complete(l.lease, '{"met": "Jane Roe again"}') from leased l;
    commit;
    call orch.await_run(run, '20 s');
end
$$;
create temp table played (run_id uuid);
do $$
declare
    v_run uuid;
begin
    call pg_temp.play(v_run, 'first');
    insert into played values (v_run);
    commit;
    call pg_temp.play(v_run, 'second');
    insert into played values (v_run);
end
$$;
select min(run_id::text)::uuid as gone, max(run_id::text)::uuid as erased from played \gset
select is(pg_temp.run(:'gone') || ' ' || pg_temp.run(:'erased'), 'succeeded succeeded', 'two runs are over');
select cmp_ok((select count(*) from regexp_matches(pg_temp.everything(:'erased'), 'Jane', 'g')), '>=', 10::bigint, 'and have left a name in many places');

-- Who may, and what ---------------------------------------------------------------------

select orch.trigger('erase', '{"who": "John"}') as open \gset
select throws_ok(format('select orch.delete_run(%L, ''x'')', :'open'), 'OR020', format('run %s is running', :'open'), 'a run that goes on cannot be deleted');
select throws_ok(format('select orch.erase(%L, ''x'')', :'open'), 'OR020', format('run %s is running', :'open'), 'nor erased');
select orch.cancel(:'open') as state \gset
select is(pg_temp.code($$ select orch.delete_run(gen_random_uuid(), 'x') $$), 'OR003', 'there has to be such a run');
select is(pg_temp.code(format('select orch.delete_run(%L, '' '')', :'gone')), '22023', 'and a reason');
select is(pg_temp.code(format('select orch.erase(%L, null)', :'gone')), '22004', 'which may not be null');
set role erase_operator;
select is(pg_temp.code(format('select orch.delete_run(%L, ''x'')', :'gone')), '42501', 'an operator may not delete');
select is(pg_temp.code(format('select orch.erase(%L, ''x'')', :'gone')), '42501', 'nor erase');
reset role;
select is_empty('select * from orch.audit where workflow = ''erase'' and action <> ''register''', 'what was refused leaves nothing in the audit trail');

begin;
select orch.delete_run(:'gone', 'a slip');
rollback;
select is(pg_temp.run(:'gone'), 'succeeded', 'a delete can be rolled back');
select is_empty('select * from orch.audit where workflow = ''erase'' and action <> ''register''', 'with its row in the audit trail');
select is(pg_temp.code('update _orch.event set actor = null where run_id = ' || quote_literal(:'gone')), '55000', 'and the history is as closed as before');

-- delete_run ------------------------------------------------------------------------------

set role erase_admin;
select orch.delete_run(:'gone', 'asked by the customer');
reset role;
select is(pg_temp.everything(:'gone'), '', 'a deleted run leaves nothing');
select is_empty(format('select * from orch.runs where run_id = %L', :'gone'), 'and is not shown');
select is(pg_temp.code(format('select orch.result(%L)', :'gone')), 'OR003', 'nor known');
select results_eq(
    $$ select actor, action, run_id, workflow, tenant, reason, details - 'events' from orch.audit where workflow = 'erase' and action <> 'register' $$,
    format($$ values ('role:erase_admin', 'delete_run', %L::uuid, 'erase', 'default', 'asked by the customer', '{"state": "succeeded", "tasks": 3, "log_lines": 1, "dead_letters": 1}'::jsonb) $$, :'gone'),
    'but for a row in the audit trail'
);
select orch.trigger('erase', '{"who": "another"}', idempotency_key => 'first') as another \gset
select isnt(:'another'::uuid, :'gone'::uuid, 'its idempotency key is free');
select orch.cancel(:'another') as state \gset
call orch.await_run(:'another', '20 s');
select is(pg_temp.code(format('select orch.delete_run(%L, ''x'')', :'gone')), 'OR003', 'it cannot be deleted twice');

-- erase -------------------------------------------------------------------------------------

create temp table before as
select kind, task_id, no, at, actor from orch.events where run_id = :'erased';
create temp table attempts as
select task_id, attempt, state, worker, started_at, finished_at from orch.attempts where run_id = :'erased';
set role erase_admin;
select ok(orch.erase(:'erased', 'article 17'), 'an erase says that it did');
select ok(not orch.erase(:'erased', 'once more'), 'and the next one that it did not');
reset role;
select doesnt_match(pg_temp.everything(:'erased'), 'Jane', 'nothing of the payloads is left');
select is(
    (select input #- '{erased,at}' from orch.runs where run_id = :'erased'),
    '{"erased": {"by": "role:erase_admin", "reason": "article 17"}}',
    'a tombstone stands in their place'
);
select ok((select (output #>> '{erased,at}')::timestamptz <= _orch.now() from orch.tasks where run_id = :'erased' and task_id = 'b'), 'with the time');
select bag_eq(format('select kind, task_id, no, at, actor from orch.events where run_id = %L', :'erased'), 'table before', 'the history has every event that it had');
select bag_eq(
    format('select task_id, attempt, state, worker, started_at, finished_at from orch.attempts where run_id = %L', :'erased'), 'table attempts',
    'and every attempt, each as it ended'
);
select is((select state from orch.attempts where run_id = :'erased' and task_id = 'a' and attempt = 1), 'timed_out', 'the timeout too');
select is((select string_agg(line, ' ') from orch.logs where run_id = :'erased'), '(erased)', 'a log line keeps its place');
select is_empty(format('select * from orch.replay_check() where run_id = %L', :'erased'), 'the rows are what the history tells');
select set_eq(format('select task_id, state from orch.replay(%L)', :'erased'),
    format('select null, state from orch.runs where run_id = %1$L union all select task_id, state from orch.tasks where run_id = %1$L', :'erased'), 'it replays');
select lives_ok(format('select * from orch.explain(%L)', :'erased'), 'it can be explained');
select lives_ok(format('select * from orch.why(%L)', :'erased'), 'and asked why');
select lives_ok(format('select orch.result(%L), orch.results(%L)', :'erased', :'erased'), 'its result is the tombstones');
select is(pg_temp.code($$ select orch.trigger('erase', '{"who": "Jane Roe"}', idempotency_key => 'second') $$), 'OR004', 'its key stays taken, for no input any more');
select results_eq($$ select action, reason from orch.audit where workflow = 'erase' and action <> 'register' $$, $$ values ('erase', 'article 17'), ('delete_run', 'asked by the customer') $$, 'one row tells of it');

-- One that failed: nothing runs again without its input.
select orch.trigger('erase', '{"who": "Jane Roe"}') as run \gset
call pg_temp.lease_soon('erase');
select orch.fail(lease, '{"class": "validation", "message": "Jane Roe is unknown"}') from leased \gset
call orch.await_run(:'run', '20 s');
select id as letter from orch.dead_letters where run_id = :'run' \gset
select orch.erase(:'run', 'article 17') as erased \gset
select throws_ok(format('select orch.retry(%L)', :'run'), 'OR020', format('run %s was erased', :'run'), 'an erased run cannot be retried');
select throws_ok(format('select orch.redrive(%s)', :'letter'), 'OR020', format('run %s was erased', :'run'), 'nor redriven');
select is((select resolution from orch.dead_letters where id = :'letter'), 'discarded', 'its dead letter is out of the way');
select is_empty(format('select * from orch.redrive(filter => ''{"run_id": "%s"}'')', :'run'), 'of those who redrive many');
select lives_ok(format('select orch.delete_run(%L, ''retention'')', :'run'), 'it can be deleted afterwards');

-- A run in code: its journal keeps what it is made of, and loses what it held.
select version from orch.register_code('erase-code', options => '{"queue": "erase-code"}') \gset
select orch.worker_start('erase', '{erase-code}', '{:code/erase-code@1,noop}') as worker \gset
select orch.trigger('erase-code', '"Jane Roe"') as run \gset
call pg_temp.lease_soon('erase');
select orch.record(lease, '[{"id": "local#1", "output": "Jane Roe"}, {"id": "bad#1", "error": {"class": "handler", "message": "Jane Roe"}}, {"id": "tags#1", "tags": {"who": "Jane Roe"}}]') from leased \gset
select orch.suspend(lease, '{"steps": [{"id": "greet#1", "handler": "noop", "input": {"to": "Jane Roe"}, "metadata": {"who": "Jane Roe"}}], "any": ["greet#1"]}') from leased \gset
call pg_temp.lease_soon('erase');
select orch.complete(lease, '"Hello Jane Roe"') from leased where task_id = 'greet#1' \gset
call pg_temp.lease_soon('erase');
select orch.complete(lease, '"Jane Roe"') from leased where task_id = 'main' \gset
call orch.await_run(:'run', '20 s');
create temp table tasks_before as select task_id, state, executor, handler from orch.tasks where run_id = :'run';
select orch.erase(:'run', 'article 17') as erased \gset
select doesnt_match(pg_temp.everything(:'run'), 'Jane', 'of a run in code nothing of the payloads is left either');
select set_eq(format('select task_id, state, executor, handler from orch.tasks where run_id = %L', :'run'), 'table tasks_before', 'its steps are still what they were');
select is_empty(format('select * from orch.replay_check() where run_id = %L', :'run'), 'and as the history tells');
select lives_ok(format('select orch.delete_run(%L, ''retention'')', :'run'), 'it can be deleted');

-- A run that started another and got a signal.
select pg_temp.define('erase-child', '{"only": {"noop": true, "input": "{{ input.who }}"}}') as version \gset
select pg_temp.define('erase-parent', '{"c": {"workflow": {"id": "erase-child"}, "input": {"who": "Jane Roe"}}, "s": {"signal": {"name": "go"}}, "e": {"noop": true, "input": "{{ tasks.s.output }}", "dependencies": ["s", "c"]}}'::jsonb) as version \gset
select orch.trigger('erase-parent') as run \gset
call pg_temp.wait_until(format('select pg_temp.task(%L, ''c'') = ''succeeded''', :'run'));
select run_id as child from orch.runs where parent_run_id = :'run' \gset
select throws_ok(format('select orch.delete_run(%L, ''x'')', :'child'), 'OR020', format('run %s belongs to a run that is running', :'child'), 'a run is not taken from one that started it and goes on');
select throws_ok(format('select orch.erase(%L, ''x'')', :'child'), 'OR020', format('run %s belongs to a run that is running', :'child'), 'nor erased');
select orch.signal(:'run', 'go', '"Jane Roe"');
call orch.await_run(:'run', '20 s');
select orch.erase(:'run', 'article 17') as erased \gset
select doesnt_match(pg_temp.everything(:'run'), 'Jane', 'what a signal brought is erased');
select is((select name || ' ' || coalesce(payload::text, '-') from orch.signals where run_id = :'run'), 'go -', 'that it came is not');
select is((select data ->> 'run_id' from orch.events where run_id = :'run' and kind = 'child_started'), :'child', 'nor which run was started');
select matches(pg_temp.everything(:'child'), 'Jane', 'whose payloads are its own');
select ok(orch.erase(:'child', 'article 17'), 'and are erased by themselves');
select lives_ok(format('select orch.delete_run(%L, ''x''), orch.delete_run(%L, ''x'')', :'run', :'child'), 'both can be deleted');
select is(pg_temp.everything(:'run') || pg_temp.everything(:'child'), '', 'and leave nothing');

-- The audit trail is for all who may look, and for nobody to change.
set role erase_operator;
select isnt_empty($$ select * from orch.audit where workflow = 'erase' and action <> 'register' $$, 'a viewer sees the audit trail');
reset role;
select throws_ok('update _orch.audit set reason = null', '55000', 'the audit trail is append-only', 'nobody changes it');
select throws_ok('delete from _orch.audit', '55000', 'the audit trail is append-only', 'nor deletes from it');
select throws_ok('truncate _orch.audit', '55000', 'the audit trail is append-only', 'nor empties it');
select is_empty('select * from orch.replay_check()', 'no run differs from its history');

drop role erase_admin, erase_operator;
select * from finish();
