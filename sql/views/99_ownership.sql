-- Everything belongs to orch_engine, so that no object of ours runs with a superuser's rights: views read as it, definer functions run as it, and the
-- C entries become it around their statements. Last of all, the steward is asked for.
do $ownership$
declare
    v_object record;
begin
    for v_object in
        select
            o.kind,
            o.name,
            o.owner <> 'orch_engine'::regrole as foreign_owner,
            o.acl is not null as has_grants
        from (
            select 'schema', format('%I', n.nspname), n.nspowner, n.nspacl, n.oid
            from pg_namespace as n
            union all
            select 'table', format('%I.%I', c.relnamespace::regnamespace, c.relname), c.relowner, c.relacl, c.relnamespace
            from pg_class as c
            where c.relkind in ('r', 'p', 'v')
                and not c.relispartition
            union all
            select case p.prokind when 'p' then 'procedure' else 'function' end, p.oid::regprocedure::text, p.proowner, p.proacl, p.pronamespace
            from pg_proc as p
        ) as o (kind, name, owner, acl, namespace)
        where o.namespace in ('orch'::regnamespace, '_orch'::regnamespace)
    loop
        if v_object.foreign_owner then
            execute format('alter %s %s owner to orch_engine', v_object.kind, v_object.name);
        end if;
        -- What the owner has anyhow is granted once more, for what that does beside it: pg_init_privs takes down the whole list of grants as it is
        -- now. A change of owner alone does not (before 17), and then pg_dump takes every grant of ours for a change of the user's and writes it
        -- out, for functions that a later version may not have.
        if v_object.has_grants then
            execute format('grant all on %s %s to orch_engine', v_object.kind, v_object.name);
        end if;
    end loop;
end
$ownership$;

select _orch.attach();
