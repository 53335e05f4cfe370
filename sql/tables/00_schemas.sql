-- Schemas and roles. Roles belong to the cluster and not to the extension: they are created if missing and never dropped, since other databases
-- may have orch too.
--
--   orch_engine    owns every object of ours; nobody logs in as it and nobody should be a member of it
--   orch_viewer    reads the views, plans, results and the feed
--   orch_operator  starts, cancels, retries and redrives; reads as a viewer does
--   orch_worker    leases and settles; reads nothing: a worker gets the input of its own tasks with the lease, and no payload of anybody else's
--   orch_admin     defines workflows; is operator, worker and viewer too
--   orch_bridge    what a bridge logs in as a member of: may become each of the four for a transaction, and by itself do nothing but ask whom it lets in

create schema orch;
create schema _orch;
comment on schema orch is 'Workflows: functions to define, trigger and work, views to see. Everything here is public and documented.';
comment on schema _orch is 'Private to the extension; may change in any release.';

do $roles$
declare
    v_role name;
    v_membership name[];
begin
    foreach v_role in array array['orch_engine', 'orch_viewer', 'orch_operator', 'orch_worker', 'orch_admin', 'orch_bridge'] loop
        if not exists (select from pg_roles as r where r.rolname = v_role) then
            begin
                execute format('create role %I nologin nosuperuser nocreatedb nocreaterole noreplication nobypassrls %s', v_role, case when v_role = 'orch_bridge' then 'noinherit' end);
            exception
                -- CREATE EXTENSION in another database may have made it between the look and the statement.
                when duplicate_object or unique_violation then null;
            end;
        end if;
    end loop;

    -- A role of that name that somebody else made, with powers or members, would hand them all of our tables.
    if exists (
        select
        from pg_roles as r
        where r.rolname = 'orch_engine'
            and (r.rolcanlogin or r.rolsuper or r.rolbypassrls or r.rolcreaterole or r.rolcreatedb or r.rolreplication)
    ) then
        raise exception using
            errcode = '55000',
            message = 'role "orch_engine" exists with attributes that it must not have',
            detail = 'It owns the tables of the extension, so it may not log in, nor be a superuser, nor bypass row security, nor create roles or databases, nor replicate.',
            hint = 'Alter the role, or rename it, then run CREATE EXTENSION again.';
    end if;
    if exists (
        select
        from pg_auth_members as m
        join pg_roles as member on member.oid = m.member
        where m.roleid = 'orch_engine'::regrole
            and not member.rolsuper
    ) then
        raise exception using
            errcode = '55000',
            message = 'role "orch_engine" has members',
            detail = 'Whoever is a member of it could change every row of the extension.',
            hint = 'Revoke the memberships, then run CREATE EXTENSION again.';
    end if;

    -- With a role that inherits, whoever speaks as the bridge would have all rights at once, without becoming anybody.
    if exists (select from pg_roles as r where r.rolname = 'orch_bridge' and (r.rolinherit or r.rolcanlogin or r.rolsuper or r.rolbypassrls or r.rolcreaterole or r.rolcreatedb)) then
        raise exception using
            errcode = '55000',
            message = 'role "orch_bridge" exists with attributes that it must not have',
            detail = 'It may not inherit, nor log in, nor be a superuser, nor bypass row security, nor create roles or databases.',
            hint = 'Alter the role, or rename it, then run CREATE EXTENSION again.';
    end if;

    -- Pairs (role, member), given only where missing: granting again would emit a notice in every further database.
    foreach v_membership slice 1 in array array[
        ['orch_viewer', 'orch_operator'],
        ['orch_viewer', 'orch_admin'],
        ['orch_operator', 'orch_admin'],
        ['orch_worker', 'orch_admin'],
        ['orch_viewer', 'orch_bridge'],
        ['orch_operator', 'orch_bridge'],
        ['orch_worker', 'orch_bridge'],
        ['orch_admin', 'orch_bridge']
    ] loop
        if not exists (
            select
            from pg_auth_members as m
            where m.roleid = v_membership[1]::regrole
                and m.member = v_membership[2]::regrole
        ) then
            execute format('grant %I to %I', v_membership[1], v_membership[2]);
        end if;
    end loop;
end
$roles$;

revoke all on schema orch from public;
revoke all on schema _orch from public;
grant usage on schema orch to orch_viewer, orch_operator, orch_worker, orch_admin, orch_bridge;
