-- What orch.metrics counts, against what happened.
\ir common.psql
create role metrics_viewer in role orch_viewer;
create role metrics_worker in role orch_worker;
create function pg_temp.metric(sample text, labels jsonb default '{}') returns double precision
language sql
as $$ select m.value from orch.metrics as m where m.sample = metric.sample and m.labels = metric.labels $$;
create function pg_temp.state(of text, state text) returns double precision
language sql
as $$ select pg_temp.metric('orch_' || of, jsonb_build_object('state', state)) $$;
-- What other tests left would end in the middle of this one.
select orch.cancel(r.run_id, true) from orch.runs as r where r.state in ('queued', 'scheduled', 'running') \g /dev/null
select _orch.advance_clock('61 seconds') is null as moved \gset
call pg_temp.wait_until($$ select not exists (select from orch.runs where state not in ('succeeded', 'failed', 'timed_out', 'cancelled')) $$);
create temp table before as select m.sample, m.labels, m.value from orch.metrics as m;
create function pg_temp.more(sample text, labels jsonb default '{}') returns double precision
language sql
as $$ select pg_temp.metric(sample, labels) - coalesce((select b.value from before as b where b.sample = more.sample and b.labels = more.labels), 0) $$;
-- Of all workflows: the one here may be among those that share a label, when many came before.
create function pg_temp.more_of_all(sample text, le text default null) returns double precision
language sql
as $$ select sum(v.value * v.sign) from (select m.sample, m.labels, m.value, 1 from orch.metrics as m union all select b.sample, b.labels, b.value, -1 from before as b) as v (sample, labels, value, sign)
    where v.sample = more_of_all.sample and (le is null or v.labels ->> 'le' = le) $$;
create function pg_temp.ended(of text, state text) returns double precision
language sql
as $$ select pg_temp.more('orch_' || of || '_finished_total', jsonb_build_object('state', state)) $$;

-- Runs and tasks by state ------------------------------------------------------------------------------

select pg_temp.define('metrics', '{"a": {"queue": "metrics"}, "b": {"queue": "metrics", "dependencies": ["a"], "retries": 1, "retry_delay_seconds": 60, "retry_jitter": 0}}');
select pg_temp.define('metrics_wait', '{"a": {"sleep": 3600}}');
select pg_temp.define('metrics_full', '{"a": {"queue": "metrics_full"}}', '{"max_active_runs": 1}');
select orch.worker_start('metrics', '{metrics}', '{noop}') as worker \gset
select orch.trigger('metrics') as run \gset
select orch.trigger('metrics', run_at => now() + interval '1 day') as later \gset
select orch.trigger('metrics_wait') as waits \gset
select orch.trigger('metrics_full') as full \gset
select orch.trigger('metrics_full') as queued \gset
call pg_temp.wait_until($$ select pg_temp.more('orch_tasks', '{"state": "waiting"}') = 1 $$);
select is(pg_temp.more('orch_runs', '{"state": "running"}'), 3.0::float8, 'runs that run');
select is(pg_temp.more('orch_runs', '{"state": "scheduled"}'), 1.0::float8, 'runs whose time has not come');
select is(pg_temp.more('orch_runs', '{"state": "queued"}'), 1.0::float8, 'runs that wait for a place');
select is(pg_temp.more('orch_runs_triggered_total'), 5.0::float8, 'all were triggered');
select is(pg_temp.more('orch_tasks', '{"state": "ready"}'), 2.0::float8, 'tasks that are ready');
select is(pg_temp.metric('orch_queue_ready', '{"queue": "metrics"}'), 1.0::float8, 'by queue');
select is(pg_temp.metric('orch_queue_workers', '{"queue": "metrics"}'), 1.0::float8, 'with its worker');
select is(pg_temp.metric('orch_queue_workers', '{"queue": "metrics_full"}'), 0.0::float8, 'or nobody');

select _orch.advance_clock('7 seconds') is null as moved \gset
select ok(pg_temp.metric('orch_queue_oldest_ready_seconds', '{"queue": "metrics"}') >= 7, 'the age of the oldest');
select lease from orch.lease('metrics', 1, '1 hour') \gset
select is(pg_temp.more('orch_tasks', '{"state": "running"}'), 1.0::float8, 'a lease');
select is(pg_temp.metric('orch_task_queueing_seconds_count', '{"queue": "metrics"}'), 1.0::float8, 'how long it waited is measured');
select is(pg_temp.metric('orch_task_queueing_seconds_bucket', '{"queue": "metrics", "le": "5.0"}'), 0.0::float8, 'more than five seconds');
select is(pg_temp.metric('orch_task_queueing_seconds_bucket', '{"queue": "metrics", "le": "+Inf"}'), 1.0::float8, 'and in the last bucket for sure');
select ok(pg_temp.metric('orch_task_queueing_seconds_sum', '{"queue": "metrics"}') >= 7, 'seven seconds');
select _orch.advance_clock('20 seconds') is null as moved \gset
select orch.complete(:'lease');
select is(pg_temp.metric('orch_task_duration_seconds_bucket', '{"queue": "metrics", "le": "10.0"}'), 0.0::float8, 'the attempt took longer than ten seconds');
select is(pg_temp.metric('orch_task_duration_seconds_bucket', '{"queue": "metrics", "le": "30.0"}'), 1.0::float8, 'and less than thirty');
select is(pg_temp.ended('tasks', 'succeeded'), 1.0::float8, 'it succeeded');

-- A failure, its retry, its dead letter ------------------------------------------------------------------

select lease from orch.lease('metrics', 1, '1 hour') \gset
select orch.fail(:'lease', '{"class": "transient", "message": "first"}');
select is(pg_temp.more('orch_task_retries_total'), 1.0::float8, 'a retry');
select is(pg_temp.more('orch_tasks', '{"state": "scheduled"}'), 1.0::float8, 'that waits for its time');
select _orch.advance_clock('61 seconds') is null as moved \gset
call pg_temp.wait_until($$ select pg_temp.more('orch_tasks', '{"state": "scheduled"}') = 0 $$);
select lease from orch.lease('metrics', 1, '1 second') \gset
select _orch.advance_clock('2 seconds') is null as moved \gset
call orch.await_run(:'run', '20 s');
select is(pg_temp.more('orch_lease_expiries_total'), 1.0::float8, 'a worker that fell silent');
select is(pg_temp.more('orch_dead_letters_total'), 1.0::float8, 'a dead letter');
select is(pg_temp.more('orch_dead_letters_open'), 1.0::float8, 'that is open');
select is(pg_temp.ended('runs', 'failed'), 1.0::float8, 'the run failed');
select is(pg_temp.more('orch_runs', '{"state": "running"}'), 2.0::float8, 'and runs no more');
select is(pg_temp.more_of_all('orch_run_duration_seconds_count'), 1.0::float8, 'what it took is measured');
select is(pg_temp.more_of_all('orch_run_duration_seconds_bucket', '60.0'), 0.0::float8, 'more than a minute');
select is(pg_temp.more('orch_attempts_started_total'), 4.0::float8, 'in three attempts, beside the task that sleeps');
select orch.retry(:'run') as state \gset
select is(pg_temp.more('orch_runs_reopened_total'), 1.0::float8, 'reopened');
select is(pg_temp.more('orch_runs', '{"state": "running"}'), 3.0::float8, 'it runs again');
select is(pg_temp.more('orch_dead_letters_open'), 0.0::float8, 'and nothing is open');
select is(pg_temp.more('orch_dead_letters_total'), 1.0::float8, 'the counter stays');

-- Cancelled, each from where it was ---------------------------------------------------------------------

select orch.cancel(r) from unnest(array[:'run', :'later', :'waits', :'queued', :'full']::uuid[]) as r \g /dev/null
call pg_temp.wait_until($$ select pg_temp.ended('runs', 'cancelled') = 5 $$);
select results_eq(
    $$ select m.labels ->> 'state', m.value - b.value from orch.metrics as m join before as b using (sample, labels) where m.sample in ('orch_runs', 'orch_tasks') and m.labels <> '{"state": "ready"}' order by m.sample, 1 $$,
    $$ values ('cancelling', 0::float8), ('paused', 0), ('queued', 0), ('running', 0), ('scheduled', 0), ('running', 0), ('scheduled', 0), ('waiting', 0) $$,
    'no run and no task is left in any state'
);

-- What does not happen is not counted ---------------------------------------------------------------------

truncate before;
insert into before select m.sample, m.labels, m.value from orch.metrics as m;
begin;
select orch.trigger('metrics') as undone \gset
rollback;
begin;
savepoint s;
select orch.trigger('metrics') as undone \gset
rollback to s;
savepoint t;
select orch.trigger('metrics_wait') as kept \gset
release t;
commit;
select is(pg_temp.more('orch_runs_triggered_total'), 1.0::float8, 'a rollback counts nothing, of a transaction or of a savepoint');
select is(pg_temp.more('orch_runs', '{"state": "running"}'), 1.0::float8, 'nor among the runs');
select orch.cancel(:'kept') as state \gset
select orch.trigger_many('metrics', (select array_agg('{}'::jsonb) from generate_series(1, 500))) offset 500;
select is(pg_temp.more('orch_runs_triggered_total'), 501.0::float8, 'many at once');

-- Names are bounded, and each tenant's own ------------------------------------------------------------------

set orch.tenant = 'metrics_tenant';
select pg_temp.define('metrics_secret', '{"a": {"queue": "metrics_secret"}}');
select orch.worker_start('metrics_secret', '{metrics_secret}', '{noop}') as worker \gset
select orch.trigger('metrics_secret') as run \gset
select lease from orch.lease('metrics_secret') \gset
select orch.complete(:'lease');
select isnt_empty($$ select from orch.metrics where labels ->> 'queue' = 'metrics_secret' and sample = 'orch_task_queueing_seconds_count' $$, 'a tenant sees its own queues');
reset orch.tenant;
select is_empty($$ select from orch.metrics as m where m::text like '%metrics_secret%' $$, 'and nobody else does');
select pg_temp.define('metrics_many_' || i, format('{"a": {"queue": "metrics_many_%s"}}', i)::jsonb) from generate_series(1, 60) as i \g /dev/null
select orch.trigger('metrics_many_' || i) from generate_series(1, 60) as i \g /dev/null
select orch.worker_start('metrics_many', (select array_agg('metrics_many_' || i) from generate_series(1, 60) as i), '{noop}') as worker \gset
select count(*) as leased from orch.lease('metrics_many', 60) \gset
select is(:leased, 60, 'tasks of sixty queues');
select ok((select count(*) <= 51 from orch.metrics where sample = 'orch_queue_ready'), 'at most fifty queues have a name');
select ok((select count(*) <= 48 from orch.metrics where sample = 'orch_task_queueing_seconds_count'), 'and fewer have timings');
select ok(pg_temp.metric('orch_task_queueing_seconds_count', '{"queue": "other"}') > 0, 'the others share one');

-- The shape ----------------------------------------------------------------------------------------------------

select is_empty($$ select sample, labels from orch.metrics group by 1, 2 having count(*) > 1 $$, 'no sample is there twice');
select is_empty($$ select sample from orch.metrics where value is null or help = '' or (type = 'counter' and sample !~ '_total$') or (unit <> '' and name !~ ('_' || unit || '$')) $$, 'each has what a scraper wants');
select is_empty(
    $$ select from (select value < lag(value) over (partition by name, labels - 'le' order by case labels ->> 'le' when '+Inf' then 'inf' else labels ->> 'le' end::float8) as falls
        from orch.metrics where sample like '%\_bucket') as b where falls $$,
    'buckets only rise'
);
set role metrics_viewer;
select lives_ok('select * from orch.metrics', 'a viewer may look');
set role metrics_worker;
select throws_ok('select * from orch.metrics', '42501', null, 'a worker may not');
reset role;
drop role metrics_viewer, metrics_worker;
select * from finish();
