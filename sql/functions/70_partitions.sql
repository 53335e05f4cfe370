-- The leaves that hold the runs of a day. Only the steward makes them, days ahead: DDL in a user's transaction would make everybody else's trigger
-- wait for its commit. A leaf gets its key before ATTACH and is no member of the extension: a key on the parent breaks pg_restore, and members
-- cannot be dropped one by one.

create or replace function _orch.refuse_change()
returns trigger
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    -- Only ever true while the engine itself runs a statement of these two verbs, which is nothing that a session could set.
    if tg_level = 'ROW' and tg_argv[0] is null and _orch.history_is_open() then
        return case tg_op when 'DELETE' then old else new end;
    end if;
    raise exception using
        errcode = '55000',
        message = format('the %s is append-only', coalesce(tg_argv[0], 'event log')),
        detail = format('%s on %I.%I was refused.', tg_op, tg_table_schema, tg_table_name),
        hint = 'History is added to and never changed; old days go away as whole partitions, single runs by orch.delete_run and orch.erase.';
end
$$;
revoke execute on function _orch.refuse_change() from public;
comment on function _orch.refuse_change() is 'Refuses whatever it is the trigger of, but for orch.delete_run and orch.erase. An argument names a table that is open to nobody at all.';

create or replace trigger refuse_change before update or delete on _orch.audit for each row execute function _orch.refuse_change('audit trail');
create or replace trigger refuse_truncate before truncate on _orch.audit for each statement execute function _orch.refuse_change('audit trail');
alter table _orch.audit enable always trigger refuse_change, enable always trigger refuse_truncate;

create or replace function _orch.make_partitions(from_day date, days int)
returns int
language plpgsql volatile parallel unsafe
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_day date;
    v_name text;
    v_first text;
    v_end text;
    v_made int := 0;
    v_leaf record;
begin
    for i in 0 .. days - 1 loop
        v_day := from_day + i;
        v_name := to_char(v_day, 'YYYYMMDD');
        -- A UUID v7 begins with 48 bits of milliseconds since 1970: the smallest of a day has nothing but zeros after them.
        v_first := rpad(lpad(to_hex((v_day - date '1970-01-01') * 86400000::bigint), 12, '0'), 32, '0');
        v_end := rpad(lpad(to_hex((v_day + 1 - date '1970-01-01') * 86400000::bigint), 12, '0'), 32, '0');
        for v_leaf in
            select l.parent, l.key, l.changes
            from (values
                ('run', 'run_id', true),
                ('task', 'run_id, task_no', true),
                ('event', 'run_id, task_no, no', false),
                ('log', 'run_id, task_no, attempt, line_no', false),
                ('progress', 'run_id, task_no, attempt', true),
                ('signal', 'run_id, no', true),
                ('update', 'run_id, update_id', true)
            ) as l (parent, key, changes)
            where to_regclass(format('_orch.%I', l.parent || '_' || v_name)) is null
        loop
            execute format('create table _orch.%1$I (like _orch.%2$I including defaults including constraints including storage including compression)',
                v_leaf.parent || '_' || v_name, v_leaf.parent);
            execute format('alter table _orch.%1$I add primary key (%2$s)', v_leaf.parent || '_' || v_name, v_leaf.key);
            if v_leaf.changes then
                -- Three versions of a row fit on its page, so lease and settle are HOT updates: at 30 one new task too many for that begins a page, and 96 % are
                -- HOT; at 28 it is 98 %. Pruning
                -- cleans such pages as they are used; truncating a leaf's end would take an exclusive lock and give back nothing worth it.
                execute format('alter table _orch.%1$I set (fillfactor = 28, vacuum_truncate = off)', v_leaf.parent || '_' || v_name);
            else
                -- Rows that never change are frozen the first time that they are vacuumed, not years later all at once.
                execute format('alter table _orch.%1$I set (autovacuum_freeze_min_age = 0, vacuum_truncate = off)', v_leaf.parent || '_' || v_name);
            end if;
            if v_leaf.parent = 'update' then
                execute format('create index %1$I on _orch.%2$I (run_id, no) where taken_by is null', 'update_' || v_name || '_open', 'update_' || v_name);
            end if;
            if v_leaf.parent = 'event' then
                execute format('create index %1$I on _orch.%2$I using brin (pos) with (autosummarize = on)', 'event_' || v_name || '_pos', 'event_' || v_name);
                execute format('create trigger refuse_change before update or delete on _orch.%1$I for each row execute function _orch.refuse_change()', 'event_' || v_name);
                execute format('create trigger refuse_truncate before truncate on _orch.%1$I for each statement execute function _orch.refuse_change()', 'event_' || v_name);
                -- `always`: session_replication_role = replica would pass by an ordinary trigger.
                execute format('alter table _orch.%1$I enable always trigger refuse_change, enable always trigger refuse_truncate', 'event_' || v_name);
            end if;
            execute format('alter table _orch.%1$I attach partition _orch.%2$I for values from (%3$L) to (%4$L)',
                v_leaf.parent, v_leaf.parent || '_' || v_name, v_first::uuid, v_end::uuid);
            v_made := v_made + 1;
        end loop;
    end loop;
    return v_made;
end
$$;
revoke execute on function _orch.make_partitions(date, int) from public;
comment on function _orch.make_partitions(date, int) is 'Makes the leaves of so many UTC days that are missing, and returns how many tables that were; called by the steward only.';
