-- Workflows in code, as a client plays them: register, lease, history, record, suspend, outcomes.
\ir common.psql

-- A worker's word for one lease: `take` leases the next run of a workflow in code, `step` works one task of a handler.
create function pg_temp.journal(lease text) returns text
language sql
as $$ select string_agg(h.no || ' ' || h.id || ' ' || h.state || coalesce(' ' || h.output::text, '') || coalesce(' ' || (h.error ->> 'message'), ''), ', ' order by h.no) from orch.history(lease) h $$;
create function pg_temp.same_as_replayed(run uuid) returns boolean
language sql
as $$
    select not exists (
        (select t.task_id, t.state, t.attempt, o.output from orch.tasks t join orch.results(run) o using (task_id) where t.run_id = run
         except select r.task_id, r.state, r.attempt, r.output from orch.replay(run) r)
    ) and not exists (select from orch.replay_check() c where c.run_id = run)
$$;

-- register_code ------------------------------------------------------------------------------------

select results_eq($$ select * from orch.register_code('code') $$, $$ values ('code'::text, 1, true) $$, 'a workflow in code is registered');
select results_eq($$ select * from orch.register_code('code', '1') $$, $$ values ('code'::text, 1, false) $$, 'the same again is no new version');
select results_eq($$ select * from orch.register_code('code', '2') $$, $$ values ('code'::text, 2, true) $$, 'another label is');
select results_eq($$ select * from orch.register_code('code', '1') $$, $$ values ('code'::text, 1, false) $$, 'a worker of the first label beside it changes nothing');
select is(pg_temp.code($$ select orch.register_code('code', 'a b') $$), '22023', 'a label is an identifier');
select is(pg_temp.code($$ select orch.register_code('code', options => '{"tasks": {}}') $$), '22023', 'an option that is none');
select is(pg_temp.code($$ select orch.register_code('code', options => '{"priority": 1e9}') $$), 'OR001', 'one that is out of range');
select is(pg_temp.code($$ select orch.register('{"id": "code x", "tasks": {"a": {"code": {"workflow": "w", "version": "1"}}}}'::text) $$), 'OR001', 'a definition has no code');
select matches((select hint from orch.validate('{"id": "x", "tasks": {"a": {"code": {}}}}'::text)), 'orch.register_code', 'and says where it goes');
select results_eq($$ select executor, handler, queue, route from (select t.executor, t.handler, t.queue, r.handler as route from _orch.version_task t join _orch.route r using (route_id) where t.task_id = 'main' and t.handler = 'code' order by t.version_id limit 1) x $$,
    $$ values ('code'::text, 'code'::text, 'default'::text, ':code/code@1'::text) $$, 'its one task is main, on a route of its label');

-- From beginning to end ----------------------------------------------------------------------------

select version from orch.register_code('code-flow', options => '{"queue": "code-flow"}') \gset
select orch.worker_start('code', '{code-flow}', '{:code/code-flow@1}') as worker \gset
select orch.worker_start('code steps', '{code-flow}', '{greet,fail}') as worker \gset
select orch.trigger('code-flow', '{"who": "world"}', tags => '{"a": 1}') as run \gset
select lease, task_id, attempt, executor, handler, spec, input from orch.lease('code') \gset
select is(:'task_id' || ' ' || :'executor' || ' ' || :'handler' || ' ' || :'attempt', 'main code code-flow 1', 'a run in code is leased whole');
select is(:'input'::jsonb, '{"who": "world"}', 'with the input of the run');
select is(:'spec'::jsonb, '{"code": {"workflow": "code-flow", "version": "1"}}', 'and what to run');
select is_empty(format('select * from orch.history(%L)', :'lease'), 'its journal is empty');

select orch.record(:'lease', '[{"id": "now#1", "output": 1}, {"id": "local#1", "output": {"n": 1}}, {"id": "bad#1", "error": {"class": "handler", "message": "no"}}]');
select is(pg_temp.journal(:'lease'), '1 now#1 succeeded 1, 2 local#1 succeeded {"n": 1}, 3 bad#1 failed no', 'steps in place are over when they are recorded');
select is(pg_temp.story(:'run', 'local#1'), 'step_recorded', 'and one event each');
select lives_ok(format('select orch.record(%L, ''[{"id": "local#1", "output": {"n": 1}}]'')', :'lease'), 'the same again is passed over');
select is((select count(*)::int from orch.history(:'lease')), 3, 'and adds nothing');
select is(pg_temp.code(format('select orch.record(%L, ''[{"id": "local#1", "output": 2}]'')', :'lease')), 'OR011', 'another content of that id is refused');
select is(pg_temp.code(format('select orch.record(%L, ''[{"id": "x#1", "output": 1}, {"id": "x#1", "output": 1}]'')', :'lease')), '22023', 'an id stands once in a call');
select is(pg_temp.code(format('select orch.record(%L, ''[{"id": "x#1"}]'')', :'lease')), '22023', 'an entry without content');
select is(pg_temp.code(format('select orch.record(%L, ''[{"id": "x#1", "sql": "select 1"}]'')', :'lease')), '22023', 'SQL is not started by code');
select is(pg_temp.code(format('select orch.record(%L, ''[{"id": "x#1", "handler": "greet", "retries": -1}]'')', :'lease')), '22023', 'settings are those of a task');

select orch.suspend(:'lease', '{"steps": [{"id": "greet#1", "handler": "greet", "input": {"to": "{{ nobody }}"}, "timeout_seconds": 60, "retries": 1}], "any": ["greet#1"]}') as answer \gset
select is(:'answer'::text, 'suspended', 'code that waits gives its run back');
select is(pg_temp.task(:'run', 'main') || ' ' || (select attempt from orch.tasks where run_id = :'run' and task_id = 'main'), 'waiting 0', 'main waits, the number of its attempt is given back');
select is_empty($$ select * from orch.heartbeat('code') $$, 'the worker holds nothing');
select is(orch.suspend(:'lease', '{"any": ["greet#1"]}'), 'suspended', 'the same answer again, should the first be lost');
select is(pg_temp.code(format('select orch.record(%L, ''[{"id": "x#1", "output": 1}]'')', :'lease')), 'OR010', 'nothing else is taken under that lease');
select is(pg_temp.code(format('select * from orch.history(%L)', :'lease')), 'OR010', 'nor told');
select is(pg_temp.code(format('select orch.complete(%L, ''1'')', :'lease')), 'OR010', 'nor is it settled');
select results_eq(format('select reason, detail from orch.why(%L, ''main'')', :'run'), $$ values ('waits for its steps'::text, 'It waits for "greet#1" (ready).'::text) $$, 'why');
select results_eq(format('select task_no, state, executor, handler, queue, max_attempts, input from orch.tasks where run_id = %L and task_id = ''greet#1''', :'run'),
    $$ values (4, 'ready'::text, 'handler'::text, 'greet'::text, 'code-flow'::text, 2, '{"to": "{{ nobody }}"}'::jsonb) $$, 'the step is a task like any');
select ok(pg_temp.same_as_replayed(:'run'), 'rebuilt from the history');

select lease as step, task_id, executor, handler, spec, input, deadline_at is not null as limited, idempotency_key from orch.lease('code steps') \gset
select is(:'task_id' || ' ' || :'executor' || ' ' || :'handler' || ' ' || :'limited', 'greet#1 handler greet t', 'any worker does it');
select is(:'input'::jsonb, '{"to": "{{ nobody }}"}', 'with its input as it is: braces are no template');
select is(:'idempotency_key'::text, :'run' || ':greet#1', 'under a key of its own');
select orch.fail(:'step', '{"class": "transient", "message": "once"}');
select is(pg_temp.task(:'run', 'greet#1'), 'scheduled', 'its policy tries it again');
select _orch.advance_clock('5 s') as now \gset
call pg_temp.lease_soon('code steps');
select orch.complete(lease, '{"hello": true}') from leased \gset
select is(pg_temp.task(:'run', 'main'), 'ready', 'its end wakes main in the same commit');
select lease, attempt from orch.lease('code') \gset
select is(:attempt, 1, 'the attempt has its number still');
select is((select string_agg(attempt || ' ' || state, ', ' order by started_at) from orch.attempts where run_id = :'run' and task_id = 'main'), '1 suspended, 1 running', 'attempts tells both');
select is((select h.output from orch.history(:'lease', 3) h), '{"hello": true}', 'the history goes on behind a number');
select is((select h.definition from orch.history(:'lease', 3) h), '{"id": "greet#1", "handler": "greet", "timeout_seconds": 60, "retries": 1}', 'definitions without their input');
select is((select count(*)::int from orch.history(:'lease', 0, 2)), 2, 'in pages');

select orch.record(:'lease', '[{"id": "colour#1", "tags": {"colour": "red"}, "seen": ["greet#1"]}]');
select is((select tags from orch.runs where run_id = :'run'), '{"a": 1, "colour": "red"}', 'tags are merged into those of the run');
select is(orch.suspend(:'lease', '{"any": ["greet#1", "wait#1"], "steps": [{"id": "wait#1", "sleep": 3600}]}'), 'go_on', 'what is over already needs no wait');
select is((select string_agg(o.id || ' ' || o.state, ', ') from orch.outcomes(:'lease', '{greet#1,wait#1}') o), 'greet#1 succeeded', 'outcomes has those that are over');
select is(orch.suspend(:'lease', '{"all": ["greet#1", "wait#1"]}'), 'suspended', 'all of them is another matter');
select results_eq(format('select task_id, kind from orch.timers where run_id = %L', :'run'), $$ values ('wait#1'::text, 'sleep'::text) $$, 'a wait is a timer');
select is(pg_temp.story(:'run', 'wait#1'), 'added started timer_created', 'with its history');
select matches((select detail from orch.why(:'run', 'main')), 'wait#1" \(waiting\)', 'why');
select _orch.advance_clock('61 minutes') as now \gset
call pg_temp.wait_until(format('select pg_temp.task(%L, ''main'') = ''ready''', :'run'));
select is(pg_temp.story(:'run', 'wait#1'), 'added started timer_created timer_fired succeeded', 'that fired');
select is(replace(pg_temp.story(:'run', 'main'), ' settle_refused', ''), 'started suspended woken started suspended woken', 'the story of main');
select lease from orch.lease('code') \gset
-- A suspend is a statement of its own: in a subtransaction it is refused.
select is(pg_temp.code(format('select orch.suspend(%L, ''{"any": ["wait#1"]}'')', :'lease')), '25001', 'to wait is no part of a transaction');
\set ON_ERROR_STOP off
\set VERBOSITY sqlstate
select orch.suspend(:'lease', '{"all": []}');
select is(:'LAST_ERROR_SQLSTATE'::text, '22023', 'to wait for nothing');
select orch.suspend(:'lease', '{"any": ["never#1"]}');
select is(:'LAST_ERROR_SQLSTATE'::text, '22023', 'or for what was never started');
\set ON_ERROR_STOP on
select orch.complete(:'lease', '"done"');
select is(pg_temp.run(:'run'), 'succeeded', 'what its function returns ends the run');
select is(orch.result(:'run'), '"done"', 'and is its result');
select is((select output from orch.runs where run_id = :'run'), '"done"', 'as the view has it');
select is((select count(*)::int from orch.results(:'run')), 7, 'results tells all of its steps');
select is((select string_agg(distinct task_id, ' ' order by task_id) from orch.events where run_id = :'run'), 'bad#1 colour#1 greet#1 local#1 main now#1 wait#1', 'so do events');
select ok(pg_temp.same_as_replayed(:'run'), 'rebuilt from the history');
select is((select output from orch.replay(:'run') where task_id is null), '"done"', 'with its output');
select isnt_empty(format('select * from orch.explain(%L)', :'run'), 'explain tells of it');
select isnt_empty(format('select * from orch.why(%L)', :'run'), 'and why');
select isnt((select orch.graph(:'run'::text)), null, 'and the graph');
select is((select count(distinct task_id)::int from orch.events_after(0, 100000, :'run')), 7, 'the feed names them');

-- The end with something open ----------------------------------------------------------------------

select orch.trigger('code-flow') as run \gset
select lease from orch.lease('code') \gset
select orch.record(:'lease', '[{"id": "greet#1", "handler": "greet"}, {"id": "greet#2", "handler": "greet"}, {"id": "wait#1", "sleep": 3600}]');
select lease as step from orch.lease('code steps') \gset
select orch.complete(:'lease', '1');
call pg_temp.wait_until(format('select pg_temp.task(%L, ''wait#1'') = ''cancelled'' and pg_temp.task(%L, ''greet#2'') = ''cancelled''', :'run', :'run'));
select pass('what is open when the function returns is cancelled');
select is(pg_temp.run(:'run'), 'running', 'the run waits for what runs');
call pg_temp.wait_until($$ select status = 'cancel' from orch.heartbeat('code steps') $$);
select pass('which is told to stop');
select orch.fail(:'step', '{"class": "cancelled"}');
call orch.await_run(:'run', '20 s');
select is(pg_temp.run(:'run'), 'succeeded', 'and then it is over');
select ok(pg_temp.same_as_replayed(:'run'), 'rebuilt from the history');

-- Failure, and retry of the run --------------------------------------------------------------------

select orch.trigger('code-flow') as run \gset
select lease from orch.lease('code') \gset
select orch.record(:'lease', '[{"id": "one#1", "output": 1}, {"id": "fail#1", "handler": "fail", "retries": 0}]');
select lease as step from orch.lease('code steps') \gset
select orch.fail(:'step', '{"class": "validation", "message": "first"}');
select is_empty(format('select * from orch.dead_letters where run_id = %L', :'run'), 'a failed step is no dead letter: its code sees to it');
select is(pg_temp.run(:'run'), 'running', 'and does not fail the run');
select orch.record(:'lease', '[{"id": "fail#2", "handler": "fail", "retries": 0, "seen": ["fail#1"]}]');
select lease as step from orch.lease('code steps') \gset
select orch.fail(:'step', '{"class": "validation", "message": "second"}');
select is((select string_agg(o.id || ' ' || (o.error ->> 'message'), ', ') from orch.outcomes(:'lease', '{fail#1,fail#2}') o), 'fail#1 first, fail#2 second', 'outcomes in the order of their ends');
select orch.record(:'lease', '[{"id": "place#1", "error": {"class": "handler", "message": "third"}}]');
select orch.fail(:'lease', '{"class": "handler", "code": "Oops", "message": "second"}', false);
call orch.await_run(:'run', '20 s');
select is((select state || ' ' || (error ->> 'code') from orch.runs where run_id = :'run'), 'failed Oops', 'what the code throws is the error of its run');
select is((select task_id from orch.dead_letters where run_id = :'run'), 'main', 'and a dead letter');
select ok(pg_temp.same_as_replayed(:'run'), 'rebuilt from the history');
select is(orch.retry(:'run'), 'running', 'a retry goes on from its journal');
call pg_temp.lease_soon('code');
select lease, attempt from leased \gset
select is(pg_temp.journal(:'lease'), '1 one#1 succeeded 1, 2 fail#1 failed first, 3 fail#2 ready, 4 place#1 pending', 'a failure that the code went on from stays; what ended it is begun again');
select ok(pg_temp.same_as_replayed(:'run'), 'rebuilt from the history');
select lease as step, attempt from orch.lease('code steps') \gset
select orch.complete(:'step', '2');
select orch.record(:'lease', '[{"id": "place#1", "output": 3, "seen": ["fail#2"]}]');
select is(pg_temp.journal(:'lease'), '1 one#1 succeeded 1, 2 fail#1 failed first, 3 fail#2 succeeded 2, 4 place#1 succeeded 3', 'and filled');
select orch.complete(:'lease', '[1, 2]');
call orch.await_run(:'run', '20 s');
select is(pg_temp.run(:'run'), 'succeeded', 'to its end');
select ok(pg_temp.same_as_replayed(:'run'), 'rebuilt from the history');

-- In a transaction of the worker's own -------------------------------------------------------------

create table pg_temp.account (name text);
select orch.trigger('code-flow') as run \gset
select lease from orch.lease('code') \gset
begin;
insert into account values ('ann');
select orch.record(:'lease', '[{"id": "account#1", "output": 1}]');
rollback;
select is((select count(*)::int from orch.history(:'lease')), 0, 'a step is recorded with the work that it did, or not at all');
begin;
insert into account values ('ann');
select orch.record(:'lease', '[{"id": "account#1", "output": 1}]');
commit;
select is(pg_temp.journal(:'lease') || ', ' || (select count(*) from account), '1 account#1 succeeded 1, 1', 'exactly once');
select orch.complete(:'lease', '1');

-- A lost worker ------------------------------------------------------------------------------------

select orch.trigger('code-flow') as run \gset
select lease from orch.lease('code', 1, '2 s') \gset
select orch.record(:'lease', '[{"id": "one#1", "output": 1}]');
select _orch.advance_clock('10 s') as now \gset
call pg_temp.wait_until(format('select pg_temp.task(%L, ''main'') = ''scheduled''', :'run'));
select is(pg_temp.code(format('select orch.record(%L, ''[{"id": "two#1", "output": 2}]'')', :'lease')), 'OR010', 'whoever lost the lease records nothing more');
\set ON_ERROR_STOP off
select orch.suspend(:'lease', '{"any": ["one#1"]}');
select is(:'LAST_ERROR_SQLSTATE'::text, 'OR010', 'nor suspends');
\set ON_ERROR_STOP on
select is(pg_temp.code(format('select orch.park(%L, ''{"message": "x"}'')', :'lease')), 'OR010', 'nor parks');
select is(pg_temp.code(format('select orch.continue_as_new(%L, ''{}'')', :'lease')), 'OR010', 'nor goes on as another');
select is(pg_temp.code(format('select * from orch.outcomes(%L, ''{one#1}'')', :'lease')), 'OR010', 'nor asks');
select _orch.advance_clock('30 s') as now \gset
call pg_temp.lease_soon('code');
select lease, attempt from leased \gset
select is(:attempt, 2, 'the next attempt');
select is(pg_temp.journal(:'lease'), '1 one#1 succeeded 1', 'has what was recorded');

-- Non-determinism ----------------------------------------------------------------------------------

select orch.park(:'lease', '{"class": "validation", "code": "non_deterministic", "message": "one#1 is no more"}');
select results_eq(format('select state, reason from orch.why(%L, ''main'')', :'run'), $$ values ('waiting'::text, 'parked'::text) $$, 'a run whose code has changed is parked');
select matches((select detail from orch.why(:'run', 'main')), 'one#1 is no more', 'and says why');
select ok(pg_temp.same_as_replayed(:'run'), 'rebuilt from the history');
select version from orch.register_code('code-flow', options => '{"queue": "code-flow"}') \gset
select is(pg_temp.task(:'run', 'main'), 'ready', 'a worker that registers its code wakes it');
select lease from orch.lease('code') \gset
select orch.park(:'lease', '{"class": "validation", "message": "still"}');
select lives_ok(format('select orch.unpark(%L)', :'run'), 'a person may as well');
select is(pg_temp.code(format('select orch.unpark(%L)', :'run')), 'OR020', 'once');
select lease from orch.lease('code') \gset

-- On as a new run ----------------------------------------------------------------------------------

select orch.continue_as_new(:'lease', '{"n": 1}') as next \gset
select is(orch.result(:'run'), jsonb_build_object('continued_as', :'next'), 'a run ends and tells which one goes on');
select is(orch.continue_as_new(:'lease', '{"n": 1}'), :'next', 'the same answer again');
select is((select input || jsonb_build_object('source', source) from orch.runs where run_id = :'next'), '{"n": 1, "source": "continued"}', 'the next one');

-- Cancel -------------------------------------------------------------------------------------------

call pg_temp.lease_soon('code');
select lease from leased \gset
select is(orch.suspend(:'lease', '{"steps": [{"id": "wait#1", "sleep": 3600}, {"id": "greet#1", "handler": "greet"}], "any": ["wait#1"]}'), 'suspended', 'one that waits');
select orch.cancel(:'next') as state \gset
call orch.await_run(:'next', '20 s');
select is((select string_agg(task_id || ' ' || state, ', ' order by task_no) from orch.tasks where run_id = :'next'), 'main cancelled, wait#1 cancelled, greet#1 cancelled', 'is cancelled at once, with all that it started');
select ok(pg_temp.same_as_replayed(:'next'), 'rebuilt from the history');
select orch.trigger('code-flow') as run \gset
select lease from orch.lease('code') \gset
select orch.record(:'lease', '[{"id": "wait#1", "sleep": 3600}, {"id": "long#1", "handler": "greet"}]');
select lease as running from orch.lease('code steps') \gset
select orch.cancel(:'run') as state \gset
call pg_temp.wait_until($$ select status = 'cancel' from orch.heartbeat('code') $$);
select is(orch.suspend(:'lease', '{"any": ["long#1"]}'), 'go_on', 'nor is it suspended on a step that still runs: it would end in its row, and clean up nothing');
select orch.complete(:'running', '1');
select is(orch.suspend(:'lease', '{"steps": [{"id": "undo#1", "output": 1}, {"id": "greet#1", "handler": "greet"}], "any": ["greet#1"]}'), 'go_on', 'code that runs may still record, and starts nothing any more');
select orch.fail(:'lease', '{"class": "cancelled"}');
call orch.await_run(:'run', '20 s');
select is((select string_agg(task_id || ' ' || state, ', ' order by task_no) from orch.tasks where run_id = :'run'), 'main cancelled, wait#1 cancelled, long#1 succeeded, undo#1 succeeded, greet#1 cancelled', 'until it has ended itself');
select is(pg_temp.run(:'run'), 'cancelled', 'and its run');
select ok(pg_temp.same_as_replayed(:'run'), 'rebuilt from the history');

select version from orch.register_code('code-timed', options => '{"queue": "code-timed", "timeout_seconds": 60}') \gset
select orch.worker_start('code timed', '{code-timed}', '{:code/code-timed@1}') as worker \gset
select orch.trigger('code-timed') as run \gset
select lease from orch.lease('code timed') \gset
select orch.suspend(:'lease', '{"steps": [{"id": "long#1", "sleep": 3600}], "any": ["long#1"]}') as answer \gset
select _orch.advance_clock('61 s') as now \gset
call orch.await_run(:'run', '20 s');
select is((select r.state || ', ' || string_agg(t.task_id || ' ' || t.state, ', ' order by task_no) from orch.runs r join orch.tasks t using (run_id) where run_id = :'run' group by r.state), 'timed_out, main cancelled, long#1 cancelled', 'a run that waits past its timeout is over');
select ok(pg_temp.same_as_replayed(:'run'), 'rebuilt from the history');

-- Signals, approvals and children ------------------------------------------------------------------

select orch.trigger('code-flow') as run \gset
select lease from orch.lease('code') \gset
select orch.signal(:'run', 'go', '1');
select orch.record(:'lease', '[{"id": "go#1", "signal": {"name": "go"}}]');
select is((select string_agg(o.id || ' ' || o.state || ' ' || o.output::text, ', ') from orch.outcomes(:'lease', '{go#1}') o), 'go#1 succeeded 1', 'a signal that came before is taken at once');
select orch.suspend(:'lease', '{"steps": [{"id": "go#2", "signal": {"name": "go"}, "timeout_seconds": 3600}, {"id": "go#3", "signal": {"name": "go"}}, {"id": "never#1", "signal": {"name": "never"}, "timeout_seconds": 60}], "all": ["go#2", "go#3"]}') as answer \gset
select matches((select detail from orch.why(:'run', 'main')), 'go#2" \(waiting\) and "go#3" \(waiting\)', 'one that is waited for');
begin;
select orch.signal(:'run', 'go', '2'), orch.signal(:'run', 'go', '{"n": 3}');
commit;
call pg_temp.wait_until(format('select pg_temp.task(%L, ''main'') = ''ready''', :'run'));
select lease from orch.lease('code') \gset
select is((select string_agg(o.id || ' ' || o.output::text, ', ') from orch.outcomes(:'lease', '{go#2,go#3,never#1}') o), 'go#2 2, go#3 {"n": 3}', 'two at once come in their order, each once');
select is(orch.suspend(:'lease', '{"any": ["never#1"]}'), 'suspended', 'one that does not come');
select _orch.advance_clock('61 s') as now \gset
call pg_temp.lease_soon('code');
select lease from leased \gset
select is((select string_agg(o.id || ' ' || o.state, ', ') from orch.outcomes(:'lease', '{never#1}') o), 'never#1 timed_out', 'ends by its timeout');
select is_empty(format('select * from orch.dead_letters where run_id = %L', :'run'), 'which is no dead letter');
select orch.record(:'lease', '[{"id": "fine#1", "signal": {"name": "fine"}, "seen": ["never#1"]}]');
select orch.signal(:'run', 'late', '"kept"');
select orch.continue_as_new(:'lease', '{}') as next \gset
call pg_temp.wait_until(format('select pg_temp.run(%L) = ''succeeded''', :'run'));
select ok(pg_temp.same_as_replayed(:'run'), 'rebuilt from the history');
call pg_temp.lease_soon('code');
select lease from leased \gset
select orch.record(:'lease', '[{"id": "late#1", "signal": {"name": "late"}}]');
select is((select output from orch.outcomes(:'lease', '{late#1}')), '"kept"', 'a signal that nobody took goes on with the next run');

select pg_temp.define('code-child', '{"only": {"input": {"n": "{{ input.n }}"}}}') as version \gset
select orch.worker_start('code child', '{code-child}', '{noop}') as worker \gset
select is(orch.suspend(:'lease', '{"steps": [{"id": "child#1", "workflow": {"id": "code-child"}, "input": {"n": "{{ 5 }}"}}, {"id": "ok#1", "approval": {"roles": ["orch_operator"]}}], "all": ["child#1", "ok#1"]}'), 'suspended', 'children and approvals are waited for alike');
call pg_temp.lease_soon('code child');
select lease as step, input from leased \gset
select is(:'input'::jsonb, '{"n": "{{ 5 }}"}', 'a child has its input as it is');
select orch.complete(:'step', '"child"');
select orch.approve(:'next', 'ok#1', comment => 'fine') as approved \gset
call pg_temp.lease_soon('code');
select lease from leased \gset
select is((select string_agg(o.id || ' ' || o.state || ' ' || (o.output - 'by')::text, ', ' order by o.id) from orch.outcomes(:'lease', '{child#1,ok#1}') o),
    'child#1 succeeded {"only": "child"}, ok#1 succeeded {"form": null, "comment": "fine", "approved": true}', 'and bring what they brought');
select orch.record(:'lease', '[{"id": "child#2", "workflow": {"id": "code-child"}}, {"id": "child#3", "workflow": {"id": "code-child", "parent_close": "abandon"}}, {"id": "child#4", "workflow": {"id": "code-flow"}}]');
select is((select count(*)::int from orch.runs where parent_run_id = :'next'), 4, 'children are runs');
select orch.complete(:'lease', '1');
call orch.await_run(:'next', '20 s');
call pg_temp.wait_until(format($$ select count(*) = 2 from orch.runs where parent_run_id = %L and state = 'cancelled' $$, :'next'));
select is((select string_agg(state, ' ' order by run_id) from orch.runs where parent_run_id = :'next'), 'succeeded cancelled running cancelled', 'the end of code ends its children, but for those that it abandons');
select ok(pg_temp.same_as_replayed(:'next'), 'rebuilt from the history');
select orch.cancel(run_id) as abandoned from orch.runs where parent_run_id = :'next' and state = 'running' \gset

-- Batches -----------------------------------------------------------------------------------------

select orch.worker_start('code both', '{code-flow}', '{greet,:code/code-flow@1}') as worker \gset
select orch.trigger('code-flow') as run \gset
select lease from orch.exchange('code both') \gset
select status, task_id, lease as step from orch.exchange('code both', jsonb_build_array(jsonb_build_object('lease', :'lease', 'suspend', '{"steps": [{"id": "greet#1", "handler": "greet"}], "any": ["greet#1"]}'::jsonb))) \gset
select is(:'status' || ' ' || :'task_id', 'leased greet#1', 'an exchange suspends code and leases what it waits for, in one commit');
select status, task_id, lease from orch.exchange('code both', jsonb_build_array(jsonb_build_object('lease', :'step', 'output', 1))) \gset
select is(:'status' || ' ' || :'task_id', 'leased main', 'and the next settles that and leases the code');
select is((select status from orch.exchange('code both', jsonb_build_array(jsonb_build_object('lease', :'lease', 'suspend', '{"any": ["greet#1"]}'::jsonb)))), 'go_on', 'what is over already is told');
select is((select string_agg(status, ' ') from orch.exchange('code both', jsonb_build_array(jsonb_build_object('lease', :'lease', 'suspend', '{"any": ["nope#1"]}'::jsonb), jsonb_build_object('lease', 'none', 'suspend', '{}'::jsonb)))),
    'invalid lost', 'an element that is wrong is refused by itself');
select is((select status from orch.exchange('code', jsonb_build_array(jsonb_build_object('lease', :'lease', 'suspend', '{"any": ["greet#1"]}'::jsonb)))), 'not_yours', 'and so is that of another worker');
select is((select count(*)::int from orch.exchange('code both', jsonb_build_array(jsonb_build_object('lease', :'lease', 'output', 'done', 'steps', '[{"id": "last#1", "output": 2, "seen": ["greet#1"]}]'::jsonb)))), 0, 'steps come with the result');
select is(pg_temp.run(:'run') || ' ' || pg_temp.task(:'run', 'last#1'), 'succeeded succeeded', 'in one commit');
select is((select count(*)::int from orch.exchange('code both', jsonb_build_array(jsonb_build_object('lease', :'lease', 'output', 'done', 'steps', '[{"id": "last#1", "output": 2, "seen": ["greet#1"]}]'::jsonb)))), 0, 'the same again is no refusal');
select ok(pg_temp.same_as_replayed(:'run'), 'rebuilt from the history');

-- A long journal ----------------------------------------------------------------------------------

select orch.trigger('code-flow') as run \gset
select lease from orch.lease('code') \gset
create procedure pg_temp.record_many(lease text, steps int, batch int)
language plpgsql
as $$
begin
    for v_first in 1 .. steps by batch loop
        perform orch.record(lease, (select jsonb_agg(jsonb_build_object('id', 's#' || k, 'output', k)) from generate_series(v_first, v_first + batch - 1) as k));
        commit;
    end loop;
end
$$;
call pg_temp.record_many(:'lease', 5000, 100);
select is((select count(*) || ' ' || sum(output::int) from generate_series(0, 4) as page, orch.history(:'lease', page * 1000, 1000)), '5000 12502500', '5,000 steps are read back in pages');
select orch.complete(:'lease', '1');
select is(pg_temp.run(:'run'), 'succeeded', 'and the run ends');

select is_empty('select * from orch.replay_check()', 'all runs are what their history tells');
select * from finish();
