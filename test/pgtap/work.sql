-- lease, settle, exchange, heartbeat, release, log: who gets which task, and what becomes of each result.
\ir common.psql
select pg_temp.define('work', '{"only": {"input": {"n": "{{ input.n }}"}, "timeout_seconds": 60, "metadata": {"m": 1}}}');
select orch.worker_start('work a', '{work}', '{noop}', version => '1.2', metadata => '{"host": "h"}') as worker \gset
select is(:'worker'::text, 'work a', 'a worker is known by the id that it gives');
select orch.worker_start('work b', '{work}', '{noop}') as worker \gset

-- What a lease tells ------------------------------------------------------------------

select orch.trigger('work', '{"n": 5}', traceparent => '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01') as run \gset
select lease, run_id, task_id, attempt, executor, handler, spec, input, deadline_at - _orch.now() as left, traceparent, idempotency_key from orch.lease('work a') \gset
select is(:'run_id'::text, :'run'::text, 'the run');
select is(:'task_id'::text, 'only', 'the task');
select is(:attempt, 1, 'the first attempt');
select is(:'executor' || ' ' || :'handler', 'handler noop', 'the executor and its handler');
select is(:'input'::jsonb, '{"n": 5}', 'the input with its templates resolved, types kept');
select ok(:'spec'::jsonb ?& '{handler,timeout_seconds,metadata}', 'the definition of the executor, with timeout and metadata');
select ok(:'left'::interval between '55 s' and '60 s', 'when the attempt times out');
select matches(:'traceparent'::text, '^00-0af7651916cd43dd8448eb211c80319c', 'the trace it belongs to');
select is(:'idempotency_key'::text, :'run' || ':only', 'a key that is the same in every attempt');
select matches(:'lease'::text, '^[A-Za-z0-9_-]{1,80}$', 'a lease is at most 80 plain characters');
select is(pg_temp.task(:'run', 'only') || ' ' || (select worker from orch.tasks where run_id = :'run'), 'running work a', 'the task is running, by that worker');
select is_empty($$ select * from orch.lease('work b', 10) $$, 'nobody else gets it');
select results_eq($$ select lease, status from orch.heartbeat('work a') $$, format('values (%L::text, ''ok''::text)', :'lease'), 'a heartbeat answers for each lease');
select is_empty($$ select * from orch.heartbeat('work b') $$, 'and for nobody else''s');
select is((select running from orch.workers where worker = 'work a'), 1, 'the view counts what a worker holds');
select is((select version || ' ' || (metadata ->> 'host') || ' ' || state from orch.workers where worker = 'work a'), '1.2 h alive', 'and shows what it told');

-- Settling ------------------------------------------------------------------------------

select orch.complete(:'lease', '{"done": true}');
select is(pg_temp.run(:'run'), 'succeeded', 'the last task ends the run in the same commit');
select is(orch.result(:'run'), '{"only": {"done": true}}', 'whose output is that of the tasks nobody depends on');
select is((select output from orch.tasks where run_id = :'run'), '{"done": true}', 'the task shows its output');
select results_eq(format('select * from orch.results(%L)', :'run'), $$ values ('only'::text, 'succeeded'::text, '{"done": true}'::jsonb) $$, 'results lists the tasks');
select is(pg_temp.story(:'run', 'only'), 'started succeeded', 'the history of the task');
select is(pg_temp.story(:'run'), 'triggered started succeeded', 'the history of the run');
select lives_ok(format('select orch.complete(%L, ''{"done": true}'')', :'lease'), 'the same result again is no error');
select is(pg_temp.code(format('select orch.complete(%L, ''{"done": false}'')', :'lease')), 'OR011', 'another result for it is refused');
select is(pg_temp.code(format('select orch.fail(%L, ''{"message": "no"}'')', :'lease')), 'OR011', 'and so is a failure');
select is(orch.result(:'run'), '{"only": {"done": true}}', 'the first result stands');
select is(pg_temp.code($$ select orch.complete('what is this', '1') $$), 'OR010', 'a text that is no lease is lost');
select is(pg_temp.code($$ select orch.complete(null, '1') $$), '22004', 'no lease at all');
select is(pg_temp.code($$ select orch.fail('x', '"text"') $$), '22023', 'an error is an object');

-- exchange: one commit for results and new tasks -----------------------------------------

select orch.trigger_many('work', array['{"n": 1}', '{"n": 2}', '{"n": 3}']::jsonb[]) as runs \g /dev/null
select is(
    (select array_agg(status || ' ' || input) from orch.exchange('work a', '[]', 2)),
    array['leased {"n": 1}', 'leased {"n": 2}'],
    'exchange leases, the oldest first'
);
select jsonb_agg(jsonb_build_object('lease', lease, 'output', 1)) as results from orch.heartbeat('work a') \gset
select is(
    (select array_agg(status || ' ' || input) from orch.exchange('work a', :'results', 5)),
    array['leased {"n": 3}'],
    'what was accepted has no row; the next task has one'
);
select is((select count(*) from orch.runs where workflow = 'work' and state = 'succeeded'), 3::bigint, 'the results are settled');
select lease as l3 from orch.heartbeat('work a') \gset

select run_id as r3 from orch.tasks where run_id = (select run_id from orch.runs where workflow = 'work' and input = '{"n": 3}') \gset
select is(
    (select array_agg(status || ' ' || lease) from orch.exchange('work b', jsonb_build_array(jsonb_build_object('lease', :'l3', 'output', 1)), 0)),
    array['not_yours ' || :'l3'],
    'a result for somebody else''s lease is not yours'
);
select results_eq(
    format('select lease, status from orch.complete_many(''work a'', %L)', jsonb_build_array(jsonb_build_object('lease', :'l3', 'output', repeat('x', 1100000)))),
    format('values (%L::text, ''too_large''::text)', :'l3'),
    'a result over the limit is too large'
);
select is(pg_temp.code(format('select orch.complete(%L, to_jsonb(repeat(''x'', 1100000)))', :'l3')), 'OR013', 'and raises where it is one');
call pg_temp.wait_until(format('select count(*) = 3 from orch.events where run_id = %L and kind = ''settle_refused''', :'r3'));
select is(pg_temp.task(:'r3', 'only'), 'running', 'nothing changed by that');
select results_eq(
    format('select status, lease from orch.complete_many(''work a'', %L)', jsonb_build_array(
        jsonb_build_object('lease', 'garbage', 'output', 1), jsonb_build_object('lease', :'l3', 'output', 1), jsonb_build_object('lease', :'l3', 'output', 2)
    )),
    format('values (''lost''::text, ''garbage''::text), (''conflict'', %L)', :'l3'),
    'one bad result keeps no other from being settled; two results for one lease in one call conflict'
);
select is_empty(
    format('select * from orch.complete_many(''work a'', %L)', jsonb_build_array(jsonb_build_object('lease', :'l3', 'output', 1))),
    'a duplicate is no refusal'
);
select is(
    (select array_agg(status) from orch.complete_many('work a', jsonb_build_array(jsonb_build_object('lease', :'l3', 'error', '{"message": "late"}'::jsonb)))), '{conflict}',
    'a failure after a success conflicts'
);
select set_has(
    format('select data ->> ''status'' from orch.events where run_id = %L and kind = ''settle_refused''', :'r3'),
    $$ values ('not_yours'), ('too_large'), ('conflict') $$,
    'each refusal is an event, that of a call that raised too'
);
select is(pg_temp.code($$ select * from orch.complete_many('work a', '{}') $$), '22023', 'results are an array');
select is(
    (select array_agg(status || ' ' || coalesce(lease, 'none')) from orch.complete_many('work a', '[{"output": 1}, 7, null, [], {"lease": 1}, {"lease": {"a": "b"}}, {"lease": null}, {"lease": "x"}]')),
    array['invalid none', 'invalid none', 'invalid none', 'invalid none', 'invalid 1', 'invalid {"a": "b"}', 'invalid none', 'lost x'],
    'an element that names no lease is answered by a row, with what it sent for one'
);
select orch.trigger('work', '{"n": 6}') as mixed \gset
select lease as mixed_lease from orch.lease('work a', 1) \gset
select is(
    (select array_agg(status || ' ' || coalesce(lease, 'none')) from orch.exchange('work a', jsonb_build_array(17, jsonb_build_object('lease', :'mixed_lease', 'output', 1), '{}'::jsonb), 0)),
    array['invalid none', 'invalid none'],
    'and keeps no other from being settled'
);
select is((select state from orch.runs where run_id = :'mixed'), 'succeeded', 'which it was');

-- In the worker's own transaction -----------------------------------------------------------

create table public.work_test_effect (what text);
select orch.trigger('work', '{"n": 6}') as run \gset
select lease from orch.lease('work a') \gset
begin;
insert into public.work_test_effect values ('first');
select orch.complete(:'lease', '"first"');
rollback;
select is((select count(*) from public.work_test_effect)::int || ' ' || pg_temp.task(:'run', 'only'), '0 running', 'effect and result roll back together');
begin;
insert into public.work_test_effect values ('second');
select orch.complete(:'lease', '"second"');
commit;
call orch.await_run(:'run', '20 s');
select is((select string_agg(what, ' ') from public.work_test_effect) || ' ' || pg_temp.run(:'run'), 'second succeeded', 'and are committed together');
drop table public.work_test_effect;

-- Failing -----------------------------------------------------------------------------------

select orch.trigger('work', '{"n": 7}') as run \gset
select lease from orch.lease('work a') \gset
select orch.fail(:'lease', '{"class": "handler", "code": "E7", "message": "seven", "exit_code": 3}');
call orch.await_run(:'run', '20 s');
select is(pg_temp.run(:'run') || ' ' || pg_temp.task(:'run', 'only'), 'failed failed', 'with no retries a failure is the end');
select is((select error ->> 'message' from orch.tasks where run_id = :'run'), 'seven', 'the task shows its error');
select matches((select error ->> 'message' from orch.runs where run_id = :'run'), 'only', 'the run''s error names the task');
select is(orch.result(:'run'), null, 'a run that failed has no result');
select lives_ok(format('select orch.fail(%L, ''{"class": "handler", "code": "E7", "message": "seven", "exit_code": 3}'')', :'lease'), 'the same failure again is no error');

-- Routes --------------------------------------------------------------------------------------

select pg_temp.define('work-handlers', '{"a": {"handler": "known"}, "b": {"handler": "unknown"}, "c": {"command": "true"}}');
select orch.trigger('work-handlers') as run \gset
select orch.worker_start('work c', '{work-handlers}', '{known}') as worker \gset
select orch.worker_start('work d', '{work-handlers}') as worker \gset
select is((select array_agg(task_id) from orch.lease('work c', 10)), '{a}', 'a worker gets the handlers that it has, never an unknown one');
select is((select array_agg(task_id) from orch.lease('work d', 10)), '{c}', 'without handlers it gets commands');
select is(pg_temp.task(:'run', 'b'), 'ready', 'what nobody serves waits');

-- Priority and age ------------------------------------------------------------------------------

select pg_temp.define('work-priority');
select orch.worker_start('work e', '{work-priority}', '{noop}') as worker \gset
select orch.trigger('work-priority', '"low"', priority => -5) as low \gset
select orch.trigger('work-priority', '"first"') as one \gset
select orch.trigger('work-priority', '"second"') as two \gset
select orch.trigger('work-priority', '"high"', priority => 5) as high \gset
select run_id as got_1 from orch.lease('work e') \gset
select run_id as got_2 from orch.lease('work e') \gset
select run_id as got_3 from orch.lease('work e') \gset
select run_id as got_4 from orch.lease('work e') \gset
select is(array[:'got_1', :'got_2', :'got_3', :'got_4']::uuid[], array[:'high', :'one', :'two', :'low']::uuid[], 'higher priority first, then the older');

-- Giving back ---------------------------------------------------------------------------------

select pg_temp.define('work-release');
select orch.worker_start('work f', '{work-release}', '{noop}') as worker \gset
select orch.trigger('work-release') as run \gset
select lease as l1 from orch.lease('work f') \gset
select is_empty(format('select * from orch.release(array[%L])', :'l1'), 'a lease is given back');
select is(pg_temp.task(:'run', 'only'), 'ready', 'and the task is ready at once');
select lease as l2, attempt as a2 from orch.lease('work f') \gset
select is((select max_attempts - attempt from orch.tasks where run_id = :'run'), 0, 'without using up an attempt: the one that is allowed is still to come');
select isnt(:'l1'::text, :'l2'::text, 'the new lease is another one');
select is(pg_temp.code(format('select orch.complete(%L)', :'l1')), 'OR010', 'the old one is lost');
select results_eq(format('select * from orch.release(array[%L, ''x''])', :'l1'), format('values (%L::text, ''lost''::text), (''x'', ''lost'')', :'l1'), 'and cannot be given back again');
select is(orch.worker_stop('work f'), 1, 'a worker that stops gives back what it holds');
select is(pg_temp.task(:'run', 'only'), 'ready', 'and that is ready at once too');
select is((select state from orch.workers where worker = 'work f'), 'stopped', 'it is stopped');
select is(replace(pg_temp.story(:'run', 'only'), ' settle_refused', ''), 'started released started released', 'all of which is history');
select set_eq(format('select attempt, state from orch.attempts where run_id = %L', :'run'), format('values (1, ''released''::text), (%s, ''released'')', :a2), 'and in the view of attempts');

-- Log lines --------------------------------------------------------------------------------------

select orch.trigger('work', '{"n": 8}') as run \gset
select lease from orch.lease('work a') \gset
select is(orch.log(:'lease', '[{"stream": "stdout", "line": "one", "at": "2030-01-01T00:00:00Z"}, {"stream": "stderr", "line": "two"}]'), 2, 'lines are stored');
select is(orch.log(:'lease', '[{"stream": "stdout", "line": "three"}]'), 1, 'and more of them');
select results_eq(
    format('select task_id, attempt, stream, line from orch.logs where run_id = %L order by line_no', :'run'),
    $$ values ('only'::text, 1, 'stdout'::text, 'one'::text), ('only', 1, 'stderr', 'two'), ('only', 1, 'stdout', 'three') $$,
    'and read in their order'
);
select orch.complete(:'lease');
select is(pg_temp.code(format('select orch.log(%L, ''[{"stream": "stdout", "line": "late"}]'')', :'lease')), 'OR010', 'not any more when the attempt is over');

-- Unknown workers ---------------------------------------------------------------------------------

select is_empty($$ select * from orch.lease('work unannounced', 0) $$, 'a worker that never started may call');
select results_eq($$ select queues, handlers from orch.workers where worker = 'work unannounced' $$, $$ values ('{default}'::text[], null::text[]) $$, 'and has the defaults');

select * from finish();
