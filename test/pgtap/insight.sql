-- Why a run waits, the feed of events, results, and what the views tell.
\ir common.psql
create function pg_temp.reasons(run uuid, task text default null) returns text
language sql
as $$ select string_agg(coalesce(w.task_id, 'run') || ': ' || w.reason, ', ' order by w.task_id nulls first) from orch.why(run, task) w $$;

-- why --------------------------------------------------------------------------------------------

select pg_temp.define('insight', '{"a": {}, "b": {"dependencies": ["a"]}, "c": {"dependencies": ["b"]}}');
select orch.trigger('insight') as run \gset
select isnt_empty(format('select * from orch.why(%L)', :'run'), 'why answers for a run that waits');
select isnt(pg_temp.reasons(:'run', 'a'), null, 'and for a task of it');
select matches((select detail || coalesce(hint, '') from orch.why(:'run', 'a')), 'worker', 'which waits for a worker');
select matches((select detail || coalesce(hint, '') from orch.why(:'run', 'b')), '"?a"?', 'another waits for its parent, by name');
select is(pg_temp.code($$ select * from orch.why(gen_random_uuid()) $$), 'OR003', 'an unknown run');
select isnt(pg_temp.code(format('select * from orch.why(%L, ''nobody'')', :'run')), 'no error', 'an unknown task');
select orch.worker_start('insight', '{insight}', '{noop}') as worker \gset
select lease from orch.lease('insight') \gset
select matches((select reason || detail from orch.why(:'run', 'a')), 'insight', 'a running task names its worker');
select orch.fail(:'lease', '{"class": "validation", "message": "seventeen"}');
call orch.await_run(:'run', '20 s');
select matches((select string_agg(reason || coalesce(detail, ''), ' ') from orch.why(:'run')), 'seventeen|"?a"?', 'a failed run says what failed');
select ok((select bool_and(reason <> '' and coalesce(detail, 'x.') ~ '\.$' and coalesce(hint, 'x.') ~ '\.$') from orch.why(:'run')), 'in whole sentences');

-- The feed -----------------------------------------------------------------------------------------

select max(pos) as before from orch.events \gset
select pg_temp.define('insight-feed');
select orch.worker_start('insight', '{insight-feed}', '{noop}') as worker \gset
select orch.trigger('insight-feed', '{"i": 1}') as run \gset
select lease from orch.lease('insight') \gset
select orch.complete(:'lease', '{"o": 2}');
select results_eq(
    format('select run_id, task_id, kind, data from orch.events_after(%s) where run_id = %L', :before, :'run'),
    format($$ values
        (%1$L::uuid, null::text, 'run_triggered'::text, '{"input": {"i": 1}}'::jsonb),
        (%1$L, null, 'run_started', '{}'),
        (%1$L, 'only', 'task_started', '{"attempt": 1}'),
        (%1$L, 'only', 'task_succeeded', '{"attempt": 1, "output": {"o": 2}}'),
        (%1$L, null, 'run_succeeded', '{}') $$, :'run'),
    'the feed goes on after a position, in the order of what happened'
);
select results_eq(
    format('select pos, run_id, task_id, no, kind, at, actor, data from orch.events_after(%s) where run_id = %L', :before, :'run'),
    format('select pos, run_id, task_id, no, kind, at, actor, data from orch.events where run_id = %L order by pos', :'run'),
    'with the columns of orch.events'
);
select is((select count(*) from orch.events_after(:before, run => :'run')), 5::bigint, 'of one run');
select is((select count(*) from orch.events_after(:before, 2)), 2::bigint, 'at most so many');
select is_empty('select * from orch.events_after((select max(pos) from orch.events))', 'and nothing after the last');
select is(pg_temp.code('select * from orch.events_after(0, -1)'), '22023', 'a count that is none');
call orch.await_events(:before, '10 s');
select pass('await_events returns at once where there is something');
select throws_ok(format('select * from orch.events_after(%s) e, lateral (select 1 / 0 where e.kind is null) x; update orch.events set actor = ''me''', :before), null, null, 'the view cannot be written');

begin;
select orch.trigger('insight-feed') as open \gset
select is_empty(format('select * from orch.events_after(%s, run => %L)', :before, :'open'), 'the feed does not show what is not committed, not even its own');
commit;
call pg_temp.wait_until(format('select exists (select from orch.events_after(%s, run => %L))', :before, :'open'));
select is((select string_agg(kind, ' ' order by pos) from orch.events_after(:before, run => :'open')), 'run_triggered run_started', 'but afterwards');

-- Results ------------------------------------------------------------------------------------------

select is(orch.result(:'run'), '{"only": {"o": 2}}', 'the result of a run');
select is(orch.result(:'open'), null, 'that goes on is null');
select is(pg_temp.code('select orch.result(gen_random_uuid())'), 'OR003', 'the result of an unknown run');
select is(pg_temp.code('select * from orch.results(gen_random_uuid())'), 'OR003', 'the results of an unknown run');
select pg_temp.define('insight-output', '{"a": {}, "b": {"dependencies": ["a"]}}', '{"output": {"from": "{{ tasks.a.output.v }}", "and": "{{ input.w }}"}}');
select orch.worker_start('insight', '{insight-output}', '{noop}') as worker \gset
select orch.trigger('insight-output', '{"w": true}') as run \gset
select lease from orch.lease('insight') \gset
select orch.complete(:'lease', '{"v": [1, 2]}');
call pg_temp.lease_soon('insight');
select lease from leased \gset
select orch.complete(:'lease');
call orch.await_run(:'run', '20 s');
select is(orch.result(:'run'), '{"from": [1, 2], "and": true}', 'the output of a definition is what the run returns');
select is((select output from orch.runs where run_id = :'run'), '{"from": [1, 2], "and": true}', 'and what the view shows');
select matches(orch.graph(:'run'::uuid), 'succeeded', 'the graph of a run shows the states');
select matches(orch.graph(:'run'::uuid, 'mermaid'), 'b', 'in each form');

-- Queues and health ----------------------------------------------------------------------------------

select pg_temp.define('insight-queue');
select orch.worker_start('insight', '{insight-queue}', '{noop}') as worker \gset
select count(*) from orch.trigger_many('insight-queue', array['1', '2', '3']::jsonb[]) \g /dev/null
select lease from orch.lease('insight') \gset
select results_eq(
    $$ select ready, running, waiting, workers, oldest_ready_at is not null from orch.queues where queue = 'insight-queue' $$,
    $$ values (2::bigint, 1::bigint, 0::bigint, 1, true) $$,
    'a queue shows its depth and who serves it'
);
select results_eq(
    $$ select "check" from orch.health order by 1 $$,
    $$ values ('circuits'), ('dead_letters'), ('engine'), ('memory'), ('oldest_snapshot'), ('partitions'), ('redis'), ('steward'), ('workers') $$,
    'health has a row for each check'
);
select is((select status from orch.health where "check" = 'engine'), 'ok', 'the engine is well');
select is((select status from orch.health where "check" = 'partitions'), 'ok', 'there are partitions ahead');
select pg_temp.define('insight-nobody');
select orch.trigger('insight-nobody') as run \gset
select matches((select detail from orch.health where "check" = 'workers'), 'insight-nobody', 'work that nobody serves is pointed out');

select * from finish();
