-- Where the time of a run went, and what its SQL tasks cost.
\ir common.psql
-- Time is moved, so it passes only where the test lets it; what the statements themselves take is rounded away.
create function pg_temp.times(run uuid) returns table (task_id text, critical boolean, state text, attempts int, queued interval, running interval, waiting interval)
language sql
as $$
    select e.task_id, e.on_critical_path, e.state, e.attempts, date_trunc('minute', e.queued + '10 s'), date_trunc('minute', e.running + '10 s'), date_trunc('minute', e.waiting + '10 s')
    from orch.explain(run) e
$$;

select pg_temp.define(
    'explain',
    '{"a": {"retries": 1, "retry_delay_seconds": 600, "retry_max_delay_seconds": 600, "retry_jitter": 0}, "b": {"dependencies": ["a"]}, "c": {"dependencies": ["a"]}, "d": {"dependencies": ["b", "c"]}, "s": {"sleep": 60}}',
    '{"finally": {"z": {"handler": "noop", "queue": "explain"}}}'
);
select orch.trigger('explain') as run \gset
call pg_temp.wait_until(format('select pg_temp.task(%L, ''s'') = ''waiting''', :'run'));
select _orch.advance_clock('1 min') as now \gset
call pg_temp.wait_until(format('select pg_temp.task(%L, ''s'') = ''succeeded''', :'run'));
select _orch.advance_clock('1 min') as now \gset
select orch.worker_start('explain', '{explain}', '{noop}') as worker \gset
call pg_temp.lease_soon('explain');
select lease from leased \gset
select orch.fail(:'lease', '{"class": "transient", "message": "once more"}');
select is((select state || ' ' || (detail -> 'error' ->> 'message') from orch.explain(:'run') where task_id = 'a'), 'scheduled once more', 'a task that waits for its retry says why');
select is((select finished_after from orch.explain(:'run') where task_id = 'a'), null, 'and has not finished');
select is((select queued from orch.explain(:'run') where task_id = 'd'), null, 'of one that cannot begin yet nothing is known');
select _orch.advance_clock('11 min') as now \gset
call pg_temp.wait_until(format('select pg_temp.task(%L, ''a'') = ''ready''', :'run'));
call pg_temp.lease_soon('explain');
select lease from leased \gset
select _orch.advance_clock('20 s') as now \gset
select orch.heartbeat('explain') \g /dev/null
select _orch.advance_clock('20 s') as now \gset
select orch.heartbeat('explain') \g /dev/null
select _orch.advance_clock('20 s') as now \gset
select orch.complete(:'lease');
call pg_temp.lease_soon('explain');
select lease as b from leased \gset
select orch.complete(:'b');
select _orch.advance_clock('2 min') as now \gset
call pg_temp.lease_soon('explain');
select lease as c from leased \gset
select orch.complete(:'c');
call pg_temp.lease_soon('explain');
select lease as d from leased \gset
select orch.complete(:'d');
call pg_temp.lease_soon('explain');
select lease as z from leased \gset
select _orch.advance_clock('25 s') as now \gset
select orch.complete(:'z');
call orch.await_run(:'run', '20 s');
select results_eq(
    format('select * from pg_temp.times(%L) where task_id is not null order by 1', :'run'),
    $$ values
        ('a'::text, true, 'succeeded'::text, 2, '3 min'::interval, '1 min'::interval, '10 min'::interval),
        ('b', false, 'succeeded', 1, '0', '0', '0'),
        ('c', true, 'succeeded', 1, '2 min', '0', '0'),
        ('d', true, 'succeeded', 1, '0', '0', '0'),
        ('s', false, 'succeeded', 1, '0', '0', '1 min'),
        ('z', true, 'succeeded', 1, '0', '0', '0') $$,
    'queueing, running and waiting are told apart, over all attempts'
);
select results_eq(
    format('select * from pg_temp.times(%L) where task_id is null', :'run'),
    $$ values (null::text, null::boolean, 'succeeded'::text, 7, '5 min'::interval, '1 min'::interval, '10 min'::interval) $$,
    'the run has the times of its critical path'
);
select is((select detail -> 'critical_path' from orch.explain(:'run') where task_id is null), '["a", "c", "d", "z"]', 'which is told in its order');
select is((select round((detail ->> 'makespan_seconds')::numeric / 60) from orch.explain(:'run') where task_id is null), 16::numeric, 'its makespan');
select is((select round((detail ->> 'queueing_share')::numeric, 1) from orch.explain(:'run') where task_id is null), 0.3, 'and the share of queueing in it');
select is((select detail ->> 'after' from orch.explain(:'run') where task_id = 'd'), 'c', 'a task tells whom it waited for last');
select is((select detail ->> 'worker' from orch.explain(:'run') where task_id = 'd'), 'explain', 'and who ran it');
select is((select detail -> 'error' from orch.explain(:'run') where task_id = 'a'), null, 'an error that was overcome is not told');
select is((select array_agg(task_id order by n) from (select task_id, row_number() over () as n from orch.explain(:'run')) e where task_id in ('a', 'd', 'z') or n = 1), array[null, 'a', 'd', 'z'], 'the run first, then its tasks as they began');
select ok((select bool_and(started_after >= '0' and finished_after >= started_after) from orch.explain(:'run')), 'offsets are from the trigger on');
select is(pg_temp.code($$ select * from orch.explain(gen_random_uuid()) $$), 'OR003', 'an unknown run');

-- What SQL tasks cost -------------------------------------------------------------------------------

create table explain_effect (n int);
select version from orch.register($json$ {
    "id": "explain-sql",
    "tasks": {
        "many": {"sql": "insert into explain_effect select generate_series(1, 1000)"},
        "reads": {"sql": "select count(*) from explain_effect", "dependencies": ["many"]},
        "broken": {"sql": "insert into explain_effect select 1 / (n - 500) from explain_effect", "retries": 0, "dependencies": ["reads"]}
    }
} $json$) \gset
select orch.trigger('explain-sql') as run \gset
call orch.await_run(:'run', '30 s');
select is((select (detail -> 'sql' ->> 'rows')::int from orch.explain(:'run') where task_id = 'many'), 1000, 'a SQL task tells its rows');
select ok(
    (select (s ->> 'wal_bytes')::bigint > 1000 * 30 and (s ->> 'buffers_hit')::bigint > 0 and (s ->> 'buffers_dirtied')::bigint > 0 and (s ->> 'duration_ms')::float8 > 0 and s ? 'buffers_read' and s ? 'buffers_written'
     from (select detail -> 'sql' as s from orch.explain(:'run') where task_id = 'many') e),
    'its WAL, buffers and duration'
);
select is((select detail -> 'sql' -> 'plan' from orch.explain(:'run') where task_id = 'many'), null, 'and no plan where none is wanted');
select is((select (detail -> 'sql' ->> 'wal_bytes')::bigint from orch.explain(:'run') where task_id = 'reads'), 0::bigint, 'a task that only reads writes no WAL');
select ok((select detail -> 'sql' ? 'buffers_hit' and not detail -> 'sql' ? 'rows' and detail -> 'error' ->> 'class' = 'validation' from orch.explain(:'run') where task_id = 'broken'), 'one that fails tells what it cost until then');
select ok((select data ? 'output' and data -> 'sql' ->> 'rows' = '1000' from orch.events where run_id = :'run' and task_id = 'many' and kind = 'task_succeeded'), 'all of it stands in the history');
select is((select data -> 'sql' from orch.events_after(0, 100000, :'run') where task_id = 'many' and kind = 'task_succeeded'), (select data -> 'sql' from orch.events where run_id = :'run' and task_id = 'many' and kind = 'task_succeeded'), 'and in the feed');
select is((select output from orch.tasks where run_id = :'run' and task_id = 'many'), '{"rows": [], "row_count": 1000}', 'beside the output, not in it');

-- A setting of the role counts from the start of its runner.
create role explain_planned login;
grant orch_admin to explain_planned;
grant all on explain_effect to explain_planned;
alter role explain_planned set orch.log_plan_min_duration = 0;
set role explain_planned;
select version from orch.register($json$ {"id": "explain-planned", "tasks": {"planned": {"sql": "select count(*) from explain_effect where n > $1", "params": [5]}}} $json$) \gset
select orch.trigger('explain-planned') as run \gset
reset role;
call orch.await_run(:'run', '30 s');
select matches(
    (select detail -> 'sql' ->> 'plan' from orch.explain(:'run') where task_id = 'planned'),
    'Aggregate .*actual rows=1 .*Seq Scan on explain_effect .*actual rows=995 .*Filter: \(n > ',
    'a plan with its rows, from orch.log_plan_min_duration on'
);

select * from finish();
