-- trigger and its forms: in the caller's transaction, once for one key, in bulk, later.
\ir common.psql
select pg_temp.define('trigger');

-- One run ---------------------------------------------------------------------------------

select orch.trigger('trigger', '{"a": 1}', tags => '{"team": "billing"}', priority => 7, source => 'api', traceparent => '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01') as run \gset
select results_eq(
    format('select workflow, version, tenant, state, source, input, tags, priority, output, error from orch.runs where run_id = %L', :'run'),
    $$ values ('trigger'::text, 1, 'default'::text, 'running'::text, 'api'::text, '{"a": 1}'::jsonb, '{"team": "billing"}'::jsonb, 7, null::jsonb, null::jsonb) $$,
    'a run has what it was triggered with'
);
select is(pg_temp.story(:'run'), 'triggered started', 'its history begins');
select is((select actor from orch.events where run_id = :'run' and kind = 'run_triggered'), 'role:' || current_user, 'with who did it');
select is((select data -> 'input' from orch.events where run_id = :'run' and kind = 'run_triggered'), '{"a": 1}', 'and with the input');
select is(pg_temp.task(:'run', 'only'), 'ready', 'its root is ready');
select orch.trigger('trigger') as run2 \gset
select is((select source from orch.runs where run_id = :'run2'), 'manual', 'a source that is not stated is manual');
select matches(:'run'::text, '^........-....-7', 'a run id is a UUID v7');

select is(pg_temp.code($$ select orch.trigger('nobody') $$), 'OR002', 'an unknown workflow');
select is(pg_temp.code($$ select orch.trigger('trigger', version => 9) $$), 'OR002', 'an unknown version');
select is(pg_temp.code($$ select orch.trigger('trigger', source => 'schedule') $$), '22023', 'sources of the engine are not for callers');
select is(pg_temp.code($$ select orch.trigger('trigger', priority => 1001) $$), '22023', 'a priority out of range');
select is(pg_temp.code($$ select orch.trigger('trigger', timeout => '-1 s') $$), '22023', 'a timeout that is over before it begins');
select is(pg_temp.code($$ select orch.trigger('trigger', tags => '[]') $$), '22023', 'tags that are no object');
select is(pg_temp.code($$ select orch.trigger('trigger', idempotency_key => '') $$), '22023', 'an empty key');
select is(pg_temp.code($$ select orch.trigger(null) $$), '22004', 'no workflow at all');

-- In the caller's transaction ------------------------------------------------------------

begin;
select orch.trigger('trigger', '{"t": "rolled back"}', idempotency_key => 'trigger rolled back') as gone \gset
rollback;
select is_empty(format('select from orch.runs where run_id = %L', :'gone'), 'a trigger that is rolled back leaves no run');
select is_empty(format('select from orch.events where run_id = %L', :'gone'), 'and no event');
select is(
    (select created from orch.trigger_run('trigger', '{"t": "again"}', idempotency_key => 'trigger rolled back')),
    true,
    'and its key is free'
);

begin;
select orch.trigger('trigger', '{"t": "kept"}') as kept \gset
savepoint s;
select orch.trigger('trigger', '{"t": "undone"}') as undone \gset
rollback to s;
select orch.trigger('trigger', '{"t": "after"}') as after \gset
commit;
select set_eq(
    format('select run_id from orch.runs where run_id in (%L, %L, %L)', :'kept', :'undone', :'after'),
    array[:'kept'::uuid, :'after'],
    'a savepoint takes back what was triggered after it, and nothing else'
);
select orch.worker_start('trigger worker', '{trigger}', '{noop}') as worker \gset
select is_empty(format('select from orch.lease(''trigger worker'', 100) where run_id in (%L, %L)', :'gone', :'undone'), 'what was taken back is leased to nobody');

-- Once for one key -------------------------------------------------------------------------

select run_id as first, created as first_created, state as first_state from orch.trigger_run('trigger', '{"b": 1, "a": [1.0]}', idempotency_key => 'k') \gset
select ok(:'first_created', 'a key that is new makes a run');
select is(:'first_state'::text, 'running', 'and tells its state');
select results_eq(
    $$ select run_id, created from orch.trigger_run('trigger', '{"a": [1], "b": 1}', idempotency_key => 'k') $$,
    format('values (%L::uuid, false)', :'first'),
    'the same key and content, by jsonb equality, is the same run'
);
select is(orch.trigger('trigger', '{"a": [1], "b": 1}', idempotency_key => 'k'), :'first'::uuid, 'for people too');
select is(pg_temp.code($$ select orch.trigger('trigger', '{"a": [2], "b": 1}', idempotency_key => 'k') $$), 'OR004', 'other content is refused');
select pg_temp.define('trigger-other');
select isnt(orch.trigger('trigger-other', '{"a": [1], "b": 1}', idempotency_key => 'k'), :'first'::uuid, 'a key belongs to one workflow');
select is((select idempotency_key from orch.runs where run_id = :'first'), 'k', 'the run shows its key');
-- A day of the last century has no leaf, as one that was dropped.
insert into _orch.idempotency select w.workflow_id, k, '00d00000-0000-7000-8000-000000000001' from _orch.workflow w, unnest(array['old', 'old too']) k where w.workflow = 'trigger';
select run_id as anew, created as created_anew from orch.trigger_run('trigger', '{"x": 1}', idempotency_key => 'old') \gset
select is(:'created_anew'::text, 't', 'a key whose run went away with its day is free');
select is(orch.trigger('trigger', '{"x": 1}', idempotency_key => 'old'), :'anew'::uuid, 'and stands for the new run then');
select is(pg_temp.code($$ select orch.trigger('trigger', '{"x": 2}', idempotency_key => 'old') $$), 'OR004', 'with its input');
select results_eq(
    $$ select position, created from orch.trigger_many('trigger', array['{"x": 1}', '{"x": 3}', '{"x": 3}']::jsonb[], array['old', 'old too', 'old too']) $$,
    $$ values (1, false), (2, true), (3, false) $$,
    'in a batch as well, the first of two alike'
);

-- From a table trigger ----------------------------------------------------------------------

create table public.trigger_test_order (id int);
create function public.trigger_test_start() returns trigger
language plpgsql
as $$
begin
    perform orch.trigger('trigger', jsonb_build_object('orders', (select jsonb_agg(n.id order by n.id) from new_rows n)), source => 'event');
    return null;
end
$$;
create trigger start after insert on public.trigger_test_order
referencing new table as new_rows
for each statement execute function public.trigger_test_start();
insert into public.trigger_test_order values (1), (2), (3);
select is(
    (select count(*) from orch.runs where workflow = 'trigger' and source = 'event' and input = '{"orders": [1, 2, 3]}'),
    1::bigint,
    'a row inserted in a table triggers a run in the same transaction'
);
begin;
insert into public.trigger_test_order values (4);
rollback;
select is((select count(*) from orch.runs where workflow = 'trigger' and source = 'event'), 1::bigint, 'and none when that is rolled back');
drop table public.trigger_test_order;
drop function public.trigger_test_start();

-- In bulk -----------------------------------------------------------------------------------

select pg_temp.define('trigger-many');
select results_eq(
    $$ select "position", created from orch.trigger_many('trigger-many', array['{"n": 1}', '{"n": 2}', '{"n": 3}']::jsonb[]) order by 1 $$,
    $$ values (1, true), (2, true), (3, true) $$,
    'a run for each input, by its position'
);
select is((select array_agg((input ->> 'n')::int order by run_id) from orch.runs where workflow = 'trigger-many'), '{1,2,3}', 'their ids are in the order of the inputs');
select results_eq(
    $$ select "position", created from orch.trigger_many('trigger-many', array['{"n": 4}', '{"n": 5}', '{"n": 4}']::jsonb[], array['four', null, 'four']) order by 1 $$,
    $$ values (1, true), (2, true), (3, false) $$,
    'keys hold within one call'
);
select is(pg_temp.code($$ select * from orch.trigger_many('trigger-many', array['{"n": 6}', '{"n": 7}']::jsonb[], array['six', 'four']) $$), 'OR004', 'one conflict refuses them all');
select is((select count(*) from orch.runs where workflow = 'trigger-many'), 5::bigint, 'all or none');
select is(pg_temp.code($$ select * from orch.trigger_many('trigger-many', array['{}', '{}']::jsonb[], array['x']) $$), '2202E', 'keys are as many as inputs');
select is_empty($$ select * from orch.trigger_many('trigger-many', '{}') $$, 'no inputs, no runs');
select lives_ok($$ select count(*) from orch.trigger_many('trigger-many', (select array_agg(jsonb_build_object('bulk', n)) from generate_series(1, 3000) n)) $$, 'thousands in one statement');
select is((select count(*) from orch.runs where workflow = 'trigger-many' and input ? 'bulk'), 3000::bigint, 'are all there');

select orch.worker_start('trigger bulk worker', '{trigger-many}', '{noop}') as worker \gset
select count(*) as leased from orch.lease('trigger bulk worker', 4000) \gset
select cmp_ok(:leased, '>', 0, 'and can be leased');

select pg_temp.define('trigger-query');
select is(orch.trigger_query('trigger-query', $$ select jsonb_build_object('n', n) from generate_series(1, 2500) n $$), 2500::bigint, 'a query makes a run of each row');
select is(orch.trigger_query('trigger-query', $$ select jsonb_build_object('n', n), 'key ' || n / 2 * 0 from generate_series(1, 1) n $$), 1::bigint, 'its second column is the key');
select is(orch.trigger_query('trigger-query', $$ select jsonb_build_object('n', n), 'key ' || n / 2 * 0 from generate_series(1, 1) n $$), 0::bigint, 'which counts a run once');
select is(pg_temp.code($$ select orch.trigger_query('trigger-query', 'select 1') $$), '42804', 'the first column is jsonb');
select isnt(pg_temp.code($$ select orch.trigger_query('trigger-query', 'delete from pg_class') $$), 'no error', 'a statement that changes something is no query');
set role orch_operator;
select is(pg_temp.code($$ select orch.trigger_query('trigger-query', 'select to_jsonb(r) from _orch.run r') $$), '42501', 'a query runs with the rights of its caller');
reset role;

-- Later, and not too many at once ------------------------------------------------------------

select orch.trigger('trigger', run_at => _orch.now() + interval '1 hour') as later \gset
select is(pg_temp.run(:'later'), 'scheduled', 'a run for later is scheduled');
select is((select kind from orch.timers where run_id = :'later'), 'run_at', 'by a timer that can be seen');
select _orch.advance_clock('61 minutes') as now \gset
call pg_temp.wait_until(format('select pg_temp.run(%L) = ''running''', :'later'));
select is(pg_temp.run(:'later'), 'running', 'and starts when its time has come');

select pg_temp.define('trigger-queue', more => '{"max_active_runs": 1}');
select orch.trigger('trigger-queue') as one \gset
select orch.trigger('trigger-queue') as two \gset
select is(pg_temp.run(:'one') || ' ' || pg_temp.run(:'two'), 'running queued', 'the second run of a workflow that allows one waits');
select orch.worker_start('trigger queue worker', '{trigger-queue}', '{noop}') as worker \gset
select lease from orch.lease('trigger queue worker') \gset
select orch.complete(:'lease', '1');
call pg_temp.wait_until(format('select pg_temp.run(%L) = ''running''', :'two'));
select is(pg_temp.run(:'one') || ' ' || pg_temp.run(:'two'), 'succeeded running', 'and starts when the first is over');
select pg_temp.define('trigger-reject', more => '{"max_active_runs": 1, "when_full": "reject"}');
select orch.trigger('trigger-reject', idempotency_key => 'r') as one \gset
select is(pg_temp.code($$ select orch.trigger('trigger-reject') $$), 'OR005', 'or is refused where the workflow says so');
select is(orch.trigger('trigger-reject', idempotency_key => 'r'), :'one'::uuid, 'but a key that is known is looked at before any limit');

select * from finish();
