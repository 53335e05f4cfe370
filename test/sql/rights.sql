-- Who may do what with each object of ours: one line an object, one column a role. What a new function, view or table allows has to be decided here: copy
-- build/regress/results/rights.out to expected/ when it is as it should be.
--
-- First what the catalogue grants, then, behind a slash where it differs, what happened when the role tried. For a function x is to execute; for the rest the letters are those of
-- an access control list: r read, a insert, w update, d delete, D truncate, U usage, C create. `nobody` was granted nothing and so shows what
-- the public has.
set client_min_messages = warning;
-- Unaligned, so that a new object is one new line.
\pset format unaligned
\pset fieldsep ' | '
\pset footer off
\pset null '-'
create role rights_nobody;
begin;

create temp table roles (name) as
select unnest('{orch_admin,orch_operator,orch_worker,orch_viewer,orch_bridge,rights_nobody}'::name[]);
create temp table answers (kind text, object text, role name, granted text, tried text);

-- The SQLSTATE of what a role does, all of which is undone.
create function pg_temp.attempt(role name, statement text) returns text
language plpgsql
as $$
begin
    execute format('set local role %I', role);
    execute statement;
    raise exception using errcode = 'ZZ000';
exception
    when others then
        return sqlstate;
end
$$;

insert into answers
select 'schema', n.nspname, r.name,
    concat(case when has_schema_privilege(r.name, n.oid, 'usage') then 'U' end, case when has_schema_privilege(r.name, n.oid, 'create') then 'C' end),
    concat(
        case when pg_temp.attempt(r.name, format('select %I.no_such_function()', n.nspname)) <> '42501' then 'U' end,
        case when pg_temp.attempt(r.name, format('create view %I.rights_view as select 1', n.nspname)) <> '42501' then 'C' end
    )
from pg_namespace n, roles r
where n.nspname in ('orch', '_orch');

-- With nulls for arguments: the right is looked at before the function is.
insert into answers
select p.kind, p.signature, r.name,
    case when has_function_privilege(r.name, p.oid, 'execute') then 'x' end,
    case when pg_temp.attempt(r.name, p.call) <> '42501' then 'x' end
from (
    select p.oid,
        case p.prokind when 'p' then 'procedure' else 'function' end,
        p.oid::regprocedure::text,
        format('%s %I.%I(%s)', case p.prokind when 'p' then 'call' else 'select' end, n.nspname, p.proname,
            (select string_agg('null::' || format_type(t, null), ', ' order by i) from unnest(p.proargtypes) with ordinality a (t, i)))
    from pg_proc p
    join pg_namespace n on n.oid = p.pronamespace
    where n.nspname in ('orch', '_orch')
) p (oid, kind, signature, call), roles r;

insert into answers
select c.kind, c.name, r.name,
    concat_ws('',
        case when has_table_privilege(r.name, c.oid, 'select') then 'r' end,
        case when has_table_privilege(r.name, c.oid, 'insert') then 'a' end,
        case when has_table_privilege(r.name, c.oid, 'update') then 'w' end,
        case when has_table_privilege(r.name, c.oid, 'delete') then 'd' end,
        case when has_table_privilege(r.name, c.oid, 'truncate') then 'D' end,
        case when has_table_privilege(r.name, c.oid, 'references') then 'x' end,
        case when has_table_privilege(r.name, c.oid, 'trigger') then 't' end
    ),
    concat_ws('',
        case when pg_temp.attempt(r.name, format('select * from %s limit 1', c.name)) = 'ZZ000' then 'r' end,
        case when pg_temp.attempt(r.name, format('insert into %s default values', c.name)) = 'ZZ000' then 'a' end,
        case when pg_temp.attempt(r.name, format('update %s set %I = %2$I', c.name, c.first_column)) = 'ZZ000' then 'w' end,
        case when pg_temp.attempt(r.name, format('delete from %s', c.name)) = 'ZZ000' then 'd' end,
        case when pg_temp.attempt(r.name, format('truncate %s', c.name)) = 'ZZ000' then 'D' end
    )
from (
    select c.oid, case c.relkind when 'v' then 'view' else 'table' end, c.oid::regclass::text,
        (select a.attname from pg_attribute a where a.attrelid = c.oid and a.attnum = 1)
    from pg_class c
    where c.relnamespace in ('orch'::regnamespace, '_orch'::regnamespace) and c.relkind in ('r', 'p', 'v', 'm', 'f')
        and not c.relispartition
) c (oid, kind, name, first_column), roles r;

insert into answers
select 'sequence', c.oid::regclass, r.name,
    concat(
        case when has_sequence_privilege(r.name, c.oid, 'usage') then 'U' end,
        case when has_sequence_privilege(r.name, c.oid, 'select') then 'r' end,
        case when has_sequence_privilege(r.name, c.oid, 'update') then 'w' end
    ),
    concat(
        case when pg_temp.attempt(r.name, format('select nextval(%L)', c.oid::regclass)) = 'ZZ000' then 'U' end,
        case when pg_temp.attempt(r.name, format('select * from %s', c.oid::regclass)) = 'ZZ000' then 'r' end,
        case when pg_temp.attempt(r.name, format('select setval(%L, 1)', c.oid::regclass)) = 'ZZ000' then 'w' end
    )
from pg_class c, roles r
where c.relnamespace in ('orch'::regnamespace, '_orch'::regnamespace) and c.relkind = 'S';

insert into answers
select 'type', t.oid::regtype, r.name,
    case when has_type_privilege(r.name, t.oid, 'usage') then 'U' end,
    case when pg_temp.attempt(r.name, format('select null::%s', t.oid::regtype)) = 'ZZ000' then 'U' end
from pg_type t
left join pg_class c on c.oid = t.typrelid, roles r
where t.typnamespace in ('orch'::regnamespace, '_orch'::regnamespace) and t.typcategory <> 'A' and (t.typrelid = 0 or c.relkind = 'c');

insert into answers
select 'setting', s.name, r.name, case when s.context = 'user' or has_parameter_privilege(r.name, s.name, 'set') then 'w' end,
    case when pg_temp.attempt(r.name, format('set %s = %L', s.name, s.setting)) = 'ZZ000' then 'w' end
from pg_settings s, roles r
where s.name like 'orch.%';

create temp view cells as
select kind, object, role, case when tried = granted then granted else granted || '/' || tried end as cell
from (select kind, object, role, coalesce(nullif(granted, ''), '-') as granted, coalesce(nullif(tried, ''), '-') as tried from answers) a;

select kind, object,
    max(cell) filter (where role = 'orch_admin') as admin,
    max(cell) filter (where role = 'orch_operator') as operator,
    max(cell) filter (where role = 'orch_worker') as worker,
    max(cell) filter (where role = 'orch_viewer') as viewer,
    max(cell) filter (where role = 'rights_nobody') as nobody
from cells
group by kind, object
order by kind, object collate "C";

-- All that a bridge may do by itself; what orch.tenant and orch.token say counts in its sessions.
select kind, object, cell as bridge
from cells
where role = 'orch_bridge' and cell <> '-'
order by kind, object collate "C";

-- What is granted to the public, to a single column, on a day's leaf, by default, or to anybody but our roles; then kinds of objects that are not looked at above.
select o.object, a.privilege_type, a.grantee::regrole
from (
    select p.oid::regprocedure::text, coalesce(p.proacl, acldefault('f', p.proowner)), p.pronamespace from pg_proc p
    union all
    select c.oid::regclass::text, c.relacl, c.relnamespace from pg_class c
    union all
    select c.oid::regclass || '.' || t.attname, t.attacl, c.relnamespace from pg_class c join pg_attribute t on t.attrelid = c.oid
    union all
    select n.nspname, n.nspacl, n.oid from pg_namespace n
    union all
    select concat('default ', d.defaclobjtype), d.defaclacl, d.defaclnamespace from pg_default_acl d
) o (object, acl, namespace), aclexplode(o.acl) a
where o.namespace in ('orch'::regnamespace, '_orch'::regnamespace)
    and (a.grantee::regrole::text not in ('orch_engine', 'orch_admin', 'orch_operator', 'orch_worker', 'orch_viewer', 'orch_bridge')
        or a.grantee <> 'orch_engine'::regrole and (o.object like '%.%.%' or o.object ~ '_\d{8}$' or o.object like 'default%'));
select d.classid::regclass::text as kind, case when d.classid in ('pg_proc'::regclass, 'pg_class'::regclass, 'pg_type'::regclass, 'pg_namespace'::regclass) then '' else d.objid::text end as object
from pg_depend d
where d.refclassid = 'pg_extension'::regclass and d.refobjid = (select oid from pg_extension where extname = 'orch') and d.deptype = 'e'
group by 1, 2
order by 1, 2;

-- Functions that run as somebody else, and what each has pinned; views that do not read as their owner behind a barrier.
select p.oid::regprocedure as definer, p.proowner::regrole as owner, p.proconfig as settings
from pg_proc p
where p.pronamespace in ('orch'::regnamespace, '_orch'::regnamespace) and p.prosecdef
order by p.oid::regprocedure::text collate "C";
select p.oid::regprocedure as not_pinned
from pg_proc p
join pg_language l on l.oid = p.prolang
where p.pronamespace in ('orch'::regnamespace, '_orch'::regnamespace) and l.lanname <> 'c' and not coalesce(p.proconfig @> '{"search_path=pg_catalog, pg_temp"}', false);
select c.oid::regclass as open_view, c.reloptions
from pg_class c
where c.relnamespace = 'orch'::regnamespace and c.relkind = 'v' and not coalesce(c.reloptions @> '{security_barrier=true}' and not c.reloptions && '{security_invoker=true,security_invoker=on}', false);

rollback;
drop role rights_nobody;
