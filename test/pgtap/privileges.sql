-- The roles themselves, what they own, a closed private schema, pinned functions. Who may do what with each object is test/sql/rights.sql.
begin;
set local client_min_messages = warning;
create extension if not exists pgtap;
select no_plan();

create temp view ours as
select p.oid::regprocedure::text as signature, p.*
from pg_proc as p
where p.pronamespace in ('orch'::regnamespace, '_orch'::regnamespace);

create temp view relations as
select c.*
from pg_class as c
where c.relnamespace in ('orch'::regnamespace, '_orch'::regnamespace)
    and c.relkind in ('r', 'p', 'v', 'S');

-- Roles -------------------------------------------------------------------------

select is_empty(
    $$ select rolname from pg_roles
       where rolname in ('orch_engine', 'orch_admin', 'orch_operator', 'orch_worker', 'orch_viewer', 'orch_bridge')
           and (rolcanlogin or rolsuper or rolbypassrls or rolcreaterole or rolcreatedb or rolreplication) $$,
    'no role of ours logs in or has an attribute of power'
);
select is_empty(
    $$ select m.member::regrole from pg_auth_members m where m.roleid = 'orch_engine'::regrole $$,
    'nobody is a member of the engine''s role'
);
select is_empty(
    $$ select m.roleid::regrole from pg_auth_members m where m.member = 'orch_engine'::regrole $$,
    'the engine''s role is a member of nothing'
);
select ok(pg_has_role('orch_admin', 'orch_operator', 'usage'), 'an admin is an operator');
select ok(pg_has_role('orch_admin', 'orch_worker', 'usage'), 'an admin is a worker');
select ok(pg_has_role('orch_operator', 'orch_viewer', 'usage'), 'an operator is a viewer');
select ok(not pg_has_role('orch_worker', 'orch_viewer', 'member'), 'a worker is no viewer: it sees no payload but that of its own tasks');
select ok(not pg_has_role('orch_viewer', 'orch_operator', 'member'), 'a viewer is no operator');
select results_eq(
    $$ select r.rolname, pg_has_role('orch_bridge', r.oid, 'member'), pg_has_role('orch_bridge', r.oid, 'usage') from pg_roles r
       where r.rolname in ('orch_admin', 'orch_engine', 'orch_operator', 'orch_viewer', 'orch_worker') order by 1 $$,
    $$ values ('orch_admin'::name, true, false), ('orch_engine', false, false), ('orch_operator', true, false), ('orch_viewer', true, false), ('orch_worker', true, false) $$,
    'a bridge can become each of the four, and has the rights of none'
);

-- Ownership ---------------------------------------------------------------------

select is_empty($$ select oid::regclass from relations where relowner <> 'orch_engine'::regrole $$, 'every relation belongs to the engine''s role');
select is_empty($$ select signature from ours where proowner <> 'orch_engine'::regrole $$, 'every function belongs to the engine''s role');
select schema_owner_is('orch', 'orch_engine', 'the public schema belongs to the engine''s role');
select schema_owner_is('_orch', 'orch_engine', 'the private schema belongs to the engine''s role');

-- The private schema and the public ---------------------------------------------------

select is_empty(
    $$ select r.rolname from pg_roles r
       where not r.rolsuper and r.rolname not in ('orch_engine', 'pg_read_all_data', 'pg_write_all_data')
           and (has_schema_privilege(r.rolname, '_orch', 'usage') or has_schema_privilege(r.rolname, '_orch', 'create')) $$,
    'the private schema is closed to all'
);
select is_empty(
    $$ select c.oid::regclass, r.rolname from relations c, pg_roles r
       where c.relnamespace = '_orch'::regnamespace
           and c.relkind <> 'S'
           and not r.rolsuper and r.rolname not in ('orch_engine', 'pg_read_all_data', 'pg_write_all_data')
           and has_table_privilege(r.oid, c.oid, 'select, insert, update, delete, truncate, references, trigger') $$,
    'nobody has a right on a private table'
);
select is_empty(
    $$ select r.rolname from pg_roles r where not r.rolsuper and r.rolname <> 'orch_engine' and has_schema_privilege(r.rolname, 'orch', 'create') $$,
    'nobody can create in the public schema'
);
select is_empty(
    $$ select signature from ours where proacl is null
       union all
       select o.signature from ours o, aclexplode(o.proacl) a where a.grantee = 0 $$,
    'no function can be executed by the public'
);
select is_empty(
    $$ select c.oid::regclass from relations c, aclexplode(c.relacl) a where a.grantee = 0 $$,
    'no relation can be read by the public'
);

select is_empty(
    $$ select o.signature from ours o left join pg_init_privs i on i.objoid = o.oid and i.classoid = 'pg_proc'::regclass where i.initprivs is distinct from o.proacl
       union all
       select c.oid::regclass::text from relations c left join pg_init_privs i on i.objoid = c.oid and i.classoid = 'pg_class'::regclass and i.objsubid = 0
       where not c.relispartition and i.initprivs is distinct from c.relacl
       union all
       select n.nspname from pg_namespace n left join pg_init_privs i on i.objoid = n.oid and i.classoid = 'pg_namespace'::regclass
       where n.nspname in ('orch', '_orch') and i.initprivs is distinct from n.nspacl $$,
    'the grants are those that the extension came with, so pg_dump writes out none of them'
);

-- Pinned ------------------------------------------------------------------------------

select is_empty(
    $$ select signature from ours
       where prolang <> (select oid from pg_language where lanname = 'c')
           and not coalesce(proconfig @> array['search_path=pg_catalog, pg_temp'], false) $$,
    'every function that is not C has its search_path pinned'
);
select is_empty(
    $$ select signature from ours
       where prolang = (select oid from pg_language where lanname = 'c')
           and (prosecdef or proconfig is not null) $$,
    'no C entry is a definer or carries a setting: it reads its true caller, and could not sleep otherwise'
);
select results_eq(
    $$ select signature from ours where prosecdef order by 1 $$,
    $$ values ('_orch.make_partitions(date,integer)'), ('orch.create_event_ticket(timestamp with time zone)'), ('orch.engine_time()'), ('orch.export_position(text)'), ('orch.readiness()'),
        ('orch.set_export_position(text,bigint)'), ('orch.span_page(bigint,integer)'), ('orch.tokens_ended(text[],text[],timestamp with time zone[])'),
        ('orch.use_event_ticket(bytea)') $$,
    'the only definer functions are the steward''s and those of bridges'
);
select is_empty(
    $$ select p.oid::regprocedure from pg_proc p, lateral aclexplode(p.proacl) a
       where p.pronamespace in ('orch'::regnamespace, '_orch'::regnamespace) and p.prosecdef and a.grantee not in (select oid from pg_roles where rolname in ('orch_engine', 'orch_bridge'))
           and p.proname not in ('create_event_ticket', 'engine_time', 'readiness') $$,
    'which nobody but a bridge may call, save for three that show nothing'
);
select is_empty(
    $$ select signature from ours where prolang = (select oid from pg_language where lanname = 'c') and proparallel <> 'u' $$,
    'no C entry runs in a parallel worker'
);

-- Tried, not only looked up -------------------------------------------------------------

create function pg_temp.try(role text, statement text) returns text
language plpgsql
as $$
begin
    execute format('set local role %I', role);
    execute statement;
    reset role;
    return 'allowed';
exception
    when insufficient_privilege then
        return 'refused';
    when others then
        return 'allowed';
end
$$;

select is(pg_temp.try('orch_worker', $$ select orch.register('{}') $$), 'refused', 'a worker cannot define');
select is(pg_temp.try('orch_worker', $$ select orch.trigger('x') $$), 'refused', 'a worker cannot trigger');
select is(pg_temp.try('orch_worker', $$ table orch.runs $$), 'refused', 'a worker cannot read the runs');
select is(pg_temp.try('orch_viewer', $$ select orch.trigger('x') $$), 'refused', 'a viewer cannot trigger');
select is(pg_temp.try('orch_viewer', $$ select orch.cancel(gen_random_uuid()) $$), 'refused', 'a viewer cannot cancel');
select is(pg_temp.try('orch_viewer', $$ select orch.lease('x') $$), 'refused', 'a viewer cannot lease');
select is(pg_temp.try('orch_operator', $$ select orch.register('{}') $$), 'refused', 'an operator cannot define');
select is(pg_temp.try('orch_operator', $$ select orch.lease('x') $$), 'refused', 'an operator cannot lease');
select is(pg_temp.try('orch_admin', $$ select orch.register('{}') $$), 'allowed', 'an admin gets as far as the definition');
select is(pg_temp.try('orch_admin', $$ select count(*) from _orch.run $$), 'refused', 'not even an admin reads a private table');
select is(pg_temp.try('orch_admin', $$ select _orch.advance_clock('1 s') $$), 'refused', 'not even an admin moves the clock');
select is(pg_temp.try('orch_admin', $$ select _orch.jump_wall_clock('1 s') $$), 'refused', 'nor lets it jump');
select is(pg_temp.try('orch_admin', $$ select _orch.make_partitions(current_date, 1) $$), 'refused', 'not even an admin makes partitions');

create function pg_temp.read_all(role text) returns setof text
language plpgsql
as $$
declare
    v_view regclass;
begin
    for v_view in select c.oid from relations as c where c.relkind = 'v' loop
        begin
            execute format('set local role %I', role);
            execute format('select * from %s limit 1', v_view);
            reset role;
        exception
            when insufficient_privilege then
                return next v_view || ': ' || sqlerrm;
        end;
    end loop;
end
$$;
grant select on relations to public;
select results_eq(
    $$ select pg_temp.read_all('orch_viewer') $$,
    $$ values ('orch.tokens: permission denied for view tokens') $$,
    'a viewer can read every view but that of tokens, with all that the views call'
);
select is_empty($$ select pg_temp.read_all('orch_admin') $$, 'an admin can read every view');

select * from finish();
rollback;
