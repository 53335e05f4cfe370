-- The leaves: keys and triggers of their own, bounds of whole UTC days, and a history that refuses to be changed.
begin;
set local client_min_messages = warning;
create extension if not exists pgtap;
select no_plan();

-- Far from now, so that no leaf of the steward is in the way.
select is(_orch.make_partitions('2099-03-01', 2), 14, 'two days are fourteen leaves');
select is(_orch.make_partitions('2099-03-01', 3), 7, 'what is there is not made again');
select is(_orch.make_partitions('2099-03-01', 0), 0, 'no days, no leaves');

select is(
    (select pg_get_expr(c.relpartbound, c.oid) from pg_class c where c.oid = '_orch.run_20990302'::regclass),
    $$FOR VALUES FROM ('03b50a10-3c00-0000-0000-000000000000') TO ('03b50f36-9800-0000-0000-000000000000')$$,
    'a leaf holds the ids of its UTC day'
);
select is(
    ('x' || left(replace('03b50a10-3c00-0000-0000-000000000000', '-', ''), 12))::bit(48)::bigint,
    (extract(epoch from timestamptz '2099-03-02 00:00:00+00') * 1000)::bigint,
    'the bound is the first millisecond of the day'
);
select is_empty(
    $$ select c.relname from pg_class c where c.relname ~ '^(run|task|event|log|progress|signal)_2099030[123]$' and c.relowner <> 'orch_engine'::regrole $$,
    'leaves belong to the engine''s role'
);
select is_empty(
    $$ select i.indexrelid::regclass from pg_index i where i.indrelid in ('_orch.run'::regclass, '_orch.task'::regclass, '_orch.event'::regclass, '_orch.log'::regclass, '_orch.progress'::regclass, '_orch.signal'::regclass) $$,
    'the parents have no key and no index, since a restore would meet it twice'
);
select is_empty(
    $$ select p.polname from pg_policy p join pg_class c on c.oid = p.polrelid where c.relnamespace = '_orch'::regnamespace $$,
    'no table has a policy, since a restore would meet it twice'
);
select results_eq(
    $$ select c.oid::regclass, array_agg(a.attname order by k.place)
       from pg_class c join pg_index i on i.indrelid = c.oid and i.indisprimary, unnest(i.indkey) with ordinality k (attnum, place)
       join pg_attribute a on a.attnum = k.attnum
       where a.attrelid = i.indrelid and c.relname ~ '^(run|task|event|log|progress|signal)_20990301$'
       group by 1 order by 1 $$,
    $$ values
        ('_orch.run_20990301'::regclass, '{run_id}'::name[]),
        ('_orch.task_20990301', '{run_id,task_no}'),
        ('_orch.event_20990301', '{run_id,task_no,no}'),
        ('_orch.log_20990301', '{run_id,task_no,attempt,line_no}'),
        ('_orch.progress_20990301', '{run_id,task_no,attempt}'),
        ('_orch.signal_20990301', '{run_id,no}') $$,
    'each leaf has its key'
);
select results_eq(
    $$ select c.oid::regclass, count(*) from pg_class c join pg_index i on i.indrelid = c.oid where c.relname ~ '^(run|task|event|log|progress|signal)_20990301$' group by 1 order by 1 $$,
    $$ values ('_orch.run_20990301'::regclass, 1::bigint), ('_orch.task_20990301', 1), ('_orch.event_20990301', 2), ('_orch.log_20990301', 1), ('_orch.progress_20990301', 1), ('_orch.signal_20990301', 1) $$,
    'and no index beside it but the one on the feed''s position'
);
select results_eq(
    $$ select c.oid::regclass from pg_class c where c.relname ~ '^(run|task|event|log|progress|signal)_20990301$' and 'fillfactor=28' = any (c.reloptions) order by 1 $$,
    $$ values ('_orch.run_20990301'::regclass), ('_orch.task_20990301'), ('_orch.progress_20990301'), ('_orch.signal_20990301') $$,
    'rows that change have room for three versions on their page'
);
select is_empty(
    $$ select d.objid::regclass from pg_depend d join pg_class c on c.oid = d.objid
       where d.deptype = 'e' and d.classid = 'pg_class'::regclass and c.relispartition $$,
    'leaves are no members of the extension'
);

-- Append-only -----------------------------------------------------------------------

insert into _orch.event (run_id, at, pos, task_no, no, kind)
values ('03b50a10-3c00-7000-8000-000000000001', '2099-03-02', 1, -1, 1, 1);

select throws_ok($$ update _orch.event set actor = 'x' where run_id = '03b50a10-3c00-7000-8000-000000000001' $$, '55000', 'the event log is append-only', 'an event cannot be changed by a superuser');
select throws_ok($$ delete from _orch.event where run_id = '03b50a10-3c00-7000-8000-000000000001' $$, '55000', 'the event log is append-only', 'an event cannot be deleted by a superuser');
select throws_ok($$ truncate _orch.event_20990302 $$, '55000', 'the event log is append-only', 'a leaf of events cannot be truncated');
select throws_ok($$ truncate _orch.event $$, '55000', 'the event log is append-only', 'the log cannot be truncated');
set local role orch_engine;
select throws_ok($$ update _orch.event_20990302 set actor = 'x' $$, '55000', 'the event log is append-only', 'an event cannot be changed by the owner, nor at its leaf');
select throws_ok($$ delete from _orch.event_20990302 $$, '55000', 'the event log is append-only', 'an event cannot be deleted by the owner');
reset role;
set local session_replication_role = replica;
select throws_ok($$ delete from _orch.event_20990302 $$, '55000', 'the event log is append-only', 'nor by a session that plays a replica');
set local session_replication_role = origin;
select is((select count(*) from _orch.event_20990302), 1::bigint, 'nothing changed');

-- Reading a run ------------------------------------------------------------------------

with w as (
    insert into _orch.workflow (workflow, version, version_id, created_at) values ('partitions', 1, 0, now()) returning workflow_id
), v as (
    insert into _orch.version (workflow_id, version, spec, created_by, created_at) select workflow_id, 1, '{"id": "partitions", "tasks": {"only": {"handler": "x"}}}', current_user, now() from w returning version_id
), p as (
    insert into _orch.version_task (version_id, task_no, task_id, executor, queue, level, is_finally, max_attempts, dependencies)
    select version_id, 0, 'only', 'handler', 'default', 0, false, 1, '{}' from v
), r as (
    insert into _orch.run (run_id, created_at, version_id, no, state, source)
    select '03b50a10-3c00-7000-8000-000000000001', now(), version_id, 1, 'F', 'manual' from v
)
insert into _orch.task (run_id, task_no, version_id, state) select '03b50a10-3c00-7000-8000-000000000001', 0, version_id, 'F' from v;
insert into _orch.event (run_id, at, pos, task_no, no, kind)
values ('03b50a10-3c00-7000-8000-000000000001', '2099-03-02', 2, 0, 1, 20);

create function pg_temp.lines(query text) returns setof text
language plpgsql
as $$
begin
    return query execute 'explain (costs off) ' || query;
end
$$;
create function pg_temp.touched(query text) returns setof text
language plpgsql
as $$
declare
    v_line text;
begin
    for v_line in execute 'explain (analyze, costs off, timing off, summary off) ' || query loop
        if v_line ~ ' on (run|task|event|log|progress|signal)_' and v_line !~ 'never executed|Bitmap Heap' then
            return next substring(v_line from ' on ((?:run|task|event|log|progress|signal)_\d+)') || case when v_line ~ 'Index' then ' by key' else ' by scan' end;
        end if;
    end loop;
end
$$;
set local enable_seqscan = off;
select set_eq(
    format('select pg_temp.touched(%L)', format('select * from orch.%s where run_id = ''03b50a10-3c00-7000-8000-000000000001''', v.name)),
    v.touched,
    format('one run in orch.%s is looked up by the keys of its own leaves', v.name)
)
from (values
    ('runs', array['run_20990302 by key', 'event_20990302 by key']),
    ('tasks', array['task_20990302 by key', 'event_20990302 by key', 'progress_20990302 by key']),
    ('attempts', array['event_20990302 by key', 'run_20990302 by key', 'progress_20990302 by key']),
    ('events', array['event_20990302 by key', 'run_20990302 by key'])
) as v (name, touched);
select matches(
    (select string_agg(l, e'\n') from pg_temp.lines($q$ select run_id from orch.runs order by run_id desc limit 5 $q$) l),
    'Limit.*Append',
    'the newest runs are read from the newest leaf on'
);
select doesnt_match(
    (select string_agg(l, e'\n') from pg_temp.lines($q$ select run_id from orch.runs order by run_id desc limit 5 $q$) l),
    'Sort',
    'without sorting them all'
);

select * from finish();
rollback;
