-- What attempts tell of how far they are: stored with heartbeats, bounded, shown, given to the next attempt.
\ir common.psql
create function pg_temp.told(run uuid) returns text
language sql
as $$ select string_agg(a.attempt || ':' || coalesce(a.progress::text, '-'), ' ' order by a.attempt) from orch.attempts a where a.run_id = run $$;
create function pg_temp.beat(worker text, details jsonb) returns text
language sql
as $$ select string_agg(h.status, ' ' order by h.status) from orch.heartbeat(worker, details) h $$;

select pg_temp.define('progress', '{"only": {"retries": 3, "retry_delay_seconds": 0, "metadata": {"m": 1}}}');
select orch.worker_start('progress', '{progress}', '{noop}') as worker \gset
select orch.trigger('progress') as run \gset
select lease, spec from orch.lease('progress') \gset
select ok(not :'spec'::jsonb ? 'progress', 'a first attempt has nothing to go on from');

-- Stored, at most once a second ------------------------------------------------------------

select is(pg_temp.told(:'run'), '1:-', 'nothing is told yet');
select results_eq(format('select * from orch.heartbeat(''progress'', jsonb_build_object(%L, 10))', :'lease'), format('values (%L::text, ''ok''::text)', :'lease'), 'a heartbeat with progress');
select is(pg_temp.told(:'run'), '1:10', 'is shown with the attempt');
select is((select progress from orch.tasks where run_id = :'run'), '10', 'and with the task');
select is(pg_temp.beat('progress', jsonb_build_object(:'lease', 11)), 'ok', 'what is told within the same second is not refused');
select is(pg_temp.told(:'run'), '1:10', 'but not stored');
select _orch.advance_clock('2 s') as now \gset
select pg_temp.beat('progress', jsonb_build_object(:'lease', '{"row": 12}'::jsonb)) as status \gset
select is(pg_temp.told(:'run'), '1:{"row": 12}', 'a later one replaces it, any JSON');
select _orch.advance_clock('2 s') as now \gset
select is(pg_temp.beat('progress', jsonb_build_object(:'lease', null)), 'ok', 'a null asks only');
select is(pg_temp.beat('progress', null), 'ok', 'and so does a heartbeat without details');
select is(pg_temp.told(:'run'), '1:{"row": 12}', 'what was told stays');

-- Bounded ---------------------------------------------------------------------------------

select is(pg_temp.beat('progress', jsonb_build_object(:'lease', repeat('x', 4095))), 'too_large', 'more than 4 KiB is too large');
select is(pg_temp.told(:'run'), '1:{"row": 12}', 'and not stored');
select is(pg_temp.beat('progress', jsonb_build_object(:'lease', repeat('x', 4094))), 'ok', '4 KiB are not');
select _orch.advance_clock('2 s') as now \gset
select is(pg_temp.beat('progress', jsonb_build_object(:'lease', (select jsonb_agg(1) from generate_series(1, 2047)))), 'ok', 'the blanks that jsonb writes do not count');
select is(pg_temp.beat('progress', jsonb_build_object(:'lease', (select jsonb_agg(1) from generate_series(1, 2048)))), 'too_large', 'characters do');
select is(pg_temp.code($$ select orch.heartbeat('progress', '[1]') $$), '22023', 'details that are no object');
select orch.trigger('progress') as other \gset
select lease as lease2 from orch.lease('progress', 1, '10 s') \gset
select is(
    (select string_agg(h.status, ' ' order by h.lease = :'lease2') from orch.heartbeat('progress', jsonb_build_object(:'lease', repeat('x', 5000), :'lease2', 5)) h),
    'too_large ok',
    'only the lease whose progress is too large is told so'
);
select is(pg_temp.told(:'other'), '1:5', 'the other one is stored');
select _orch.advance_clock('8 s') as now \gset
select is(pg_temp.beat('progress', jsonb_build_object(:'lease2', repeat('x', 5000))), 'ok too_large', 'what is too large');
select _orch.advance_clock('8 s') as now \gset
select is(pg_temp.beat('progress', null), 'ok ok', 'extends its lease all the same');

-- For the next attempt ----------------------------------------------------------------------

select _orch.advance_clock('2 s') as now \gset
select pg_temp.beat('progress', jsonb_build_object(:'lease', '{"row": 20}'::jsonb)) as status \gset
select orch.fail(:'lease', '{"class": "transient", "message": "again"}');
call pg_temp.wait_until(format('select pg_temp.task(%L, ''only'') = ''ready''', :'run'));
select is(pg_temp.beat('progress', jsonb_build_object(:'lease', 21)), 'lost ok', 'progress of a lease that is over is lost');
select is(pg_temp.told(:'run'), '1:{"row": 20}', 'and not stored');
call pg_temp.lease_soon('progress');
select lease, spec from leased \gset
select is(:'spec'::jsonb -> 'progress', '{"row": 20}', 'the next attempt gets what the one before told last');
select ok(:'spec'::jsonb ?& '{handler,metadata}', 'beside what it gets anyhow');
select orch.release(array[:'lease']);
call pg_temp.lease_soon('progress');
select lease, spec from leased \gset
select is(:'spec'::jsonb -> 'progress', '{"row": 20}', 'an attempt that told nothing hides nothing');
select is(pg_temp.told(:'run'), '1:{"row": 20} 2:- 3:-', 'each attempt shows its own');
select pg_temp.beat('progress', jsonb_build_object(:'lease', '{"row": 30}'::jsonb)) as status \gset
select is(pg_temp.told(:'run'), '1:{"row": 20} 2:- 3:{"row": 30}', 'as it tells it');
select orch.complete(:'lease');
select is(pg_temp.told(:'run'), '1:{"row": 20} 2:- 3:{"row": 30}', 'and they stay with the run');

-- A run that is reopened ------------------------------------------------------------------------

select pg_temp.define('progress-again', '{"bad": {}}', '{"finally": {"tidy": {"handler": "noop"}}}');
select orch.worker_start('again', '{progress-again,default}', '{noop}') as worker \gset
select orch.trigger('progress-again') as run \gset
call pg_temp.lease_soon('again');
select lease from leased \gset
select pg_temp.beat('again', jsonb_build_object(:'lease', 1)) as status \gset
select orch.fail(:'lease', '{"class": "validation", "message": "no"}');
call pg_temp.lease_soon('again');
select lease from leased \gset
select pg_temp.beat('again', jsonb_build_object(:'lease', 2)) as status \gset
select orch.complete(:'lease');
call orch.await_run(:'run', '20 s');
select orch.retry(:'run');
call pg_temp.lease_soon('again');
select lease, spec from leased \gset
select is(:'spec'::jsonb -> 'progress', '1', 'a task that failed goes on where it was');
select pg_temp.beat('again', jsonb_build_object(:'lease', 3)) as status \gset
select orch.fail(:'lease', '{"class": "validation", "message": "no"}');
call pg_temp.lease_soon('again');
select lease, spec from leased \gset
select is(:'spec'::jsonb -> 'progress', null, 'one that succeeded begins anew');
select orch.complete(:'lease');
call orch.await_run(:'run', '20 s');
select count(*) as redriven from orch.redrive((select id from orch.dead_letters where run_id = :'run' and resolution is null), '{"other": true}') \gset
call pg_temp.lease_soon('again');
select lease, spec from leased \gset
select is(:'spec'::jsonb -> 'progress', null, 'and so does one with another input');
select orch.worker_stop('again') as given_back \gset

-- Without details -------------------------------------------------------------------------------

select is((select count(*) from orch.heartbeat('progress')), 1::bigint, 'a lease is held');
begin;
select count(*) as beats from orch.heartbeat('progress') \gset
select count(*) as beats from orch.heartbeat('progress', jsonb_build_object(:'lease2', null)) \gset
select pg_current_xact_id_if_assigned() is null as wrote_nothing \gset
commit;
select ok(:'wrote_nothing', 'a heartbeat without details writes nothing, nor does one that only asks');
select orch.worker_stop('progress') as given_back \gset

select * from finish();
