-- Everything public has a sentence that reads well in \df+ and \d+.
begin;
set local client_min_messages = warning;
create extension if not exists pgtap;
select no_plan();

select is_empty(
    $$ select p.oid::regprocedure from pg_proc p
       where p.pronamespace in ('orch'::regnamespace, '_orch'::regnamespace) and obj_description(p.oid, 'pg_proc') is null $$,
    'every function has a comment'
);
select is_empty(
    $$ select c.oid::regclass from pg_class c
       where c.relnamespace in ('orch'::regnamespace, '_orch'::regnamespace)
           and c.relkind in ('r', 'p', 'v') and not c.relispartition and obj_description(c.oid, 'pg_class') is null $$,
    'every table and view has a comment'
);
select is_empty(
    $$ select c.oid::regclass, a.attname from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attnum > 0
       where c.relnamespace = 'orch'::regnamespace and c.relkind = 'v' and col_description(c.oid, a.attnum) is null $$,
    'every column of every view has a comment'
);
select is_empty(
    $$ select n.nspname from pg_namespace n where n.nspname in ('orch', '_orch') and obj_description(n.oid, 'pg_namespace') is null $$,
    'both schemas have a comment'
);
select is_empty(
    $$ select d.description from pg_description d join pg_proc p on p.oid = d.objoid and d.classoid = 'pg_proc'::regclass
       where p.pronamespace = 'orch'::regnamespace and (d.description !~ '\.$' or d.description ~ '^\s' or d.description ~ '\n') $$,
    'the comment of a function is whole sentences on one line'
);
select is_empty(
    $$ select p.oid::regprocedure from pg_proc p
       where p.pronamespace = 'orch'::regnamespace and p.pronargs > 0 and (p.proargnames is null or '' = any (p.proargnames)) $$,
    'every argument has a name to call it by'
);

-- The columns that the interface names, in its order; more may follow them.
create temp table promised (view text, columns text);
insert into promised values
    ('workflows', 'workflow, version, name, owner, paused, tags, created_at'),
    ('versions', 'workflow, version, spec, created_at, created_by'),
    ('runs', 'run_id, workflow, version, tenant, state, source, idempotency_key, input, output, error, tags, priority, parent_run_id, created_at, run_at, started_at, finished_at, deadline_at'),
    ('tasks', 'run_id, task_id, task_no, name, state, executor, handler, queue, attempt, max_attempts, dependencies, input, output, error, worker, ready_at, started_at, finished_at'),
    ('attempts', 'run_id, task_id, attempt, state, worker, error, started_at, finished_at, duration'),
    ('events', 'pos, run_id, task_id, no, kind, at, actor, data'),
    ('logs', 'run_id, task_id, attempt, at, stream, line'),
    ('dead_letters', 'id, run_id, task_id, workflow, error, attempts, fingerprint, created_at, resolution'),
    ('workers', 'worker, state, version, queues, handlers, running, started_at, last_seen_at, metadata'),
    ('queues', 'queue, ready, running, waiting, oldest_ready_at, workers, paused'),
    ('timers', 'run_id, task_id, kind, due_at'),
    ('signals', 'run_id, no, name, payload, sender, sent_at, taken_by'),
    ('approvals', 'run_id, task_id, workflow, roles, form, since, due_at'),
    ('circuits', 'circuit, tenant, state, failures_in_row, opened_at, half_open_at, waiting'),
    ('metrics', 'place, name, type, unit, help, sample, labels, value'),
    ('audit', 'at, actor, action, run_id, workflow, tenant, reason, details'),
    ('hooks', 'hook, workflow, format, signature_header, input, tenant, created_at, created_by'),
    ('notifications', 'name, workflow, events, url, tenant, created_at, created_by'),
    ('deliveries', 'run_id, notification, event, about, workflow, dead_letter, at, state, attempts, finished_at, tenant'),
    ('tokens', 'name, role, tenant, created_at, created_by, expires_at, revoked_at, last_used_at'),
    ('health', 'check, status, detail, hint');
select is(
    left((
        select string_agg(a.attname, ', ' order by a.attnum)
        from pg_attribute a
        where a.attrelid = ('orch.' || p.view)::regclass and a.attnum > 0 and not a.attisdropped
    ), length(p.columns)),
    p.columns,
    'orch.' || p.view || ' begins with the columns that the interface names'
)
from promised p;

select set_eq(
    $$ select relname::text from pg_class where relnamespace = 'orch'::regnamespace and relkind = 'v' $$,
    $$ select view from promised $$,
    'no view is missing, and none stands outside the interface'
);
select is_empty(
    $$ select c.oid::regclass from pg_class c where c.relnamespace = 'orch'::regnamespace and c.relkind = 'v' and pg_relation_is_updatable(c.oid, true) <> 0 $$,
    'no view can be written to'
);
select is_empty(
    $$ select c.relname from pg_class c
       where c.relnamespace = 'orch'::regnamespace and c.relkind = 'v' and not coalesce(c.reloptions @> array['security_barrier=true'], false) $$,
    'every view is a security barrier'
);

select * from finish();
rollback;
