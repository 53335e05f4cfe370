-- What an operator looks at first. Always the same rows, so that a monitor can tell a check that is well from one that is gone.

create or replace view orch.health with (security_barrier) as
with engine as materialized (
    select s.phase, s.steward_pid, s.steward_late
    from _orch.engine_status() as s
),
-- Compared as text: a cast to date could meet the name of some other relation before the join has taken that away.
leaves as (
    select count(*)::int as ahead
    from pg_catalog.pg_inherits as i
    join pg_catalog.pg_class as c on c.oid = i.inhrelid
    where i.inhparent = '_orch.run'::pg_catalog.regclass
        and pg_catalog.right(c.relname::text, 8) > pg_catalog.to_char(_orch.now() at time zone 'UTC', 'YYYYMMDD')
),
-- Counts that never shrink to nothing say little; what matters is how near each part is to its end.
memory as (
    select m.part, m.used, m.size, (100 * m.used / m.size)::int as percent
    from _orch.memory_status() as m
    where m.size > 0
    order by m.used::numeric / m.size desc
    limit 1
),
-- Routes with ready tasks and nobody for them. Runners are started by the steward for SQL tasks that wait: only where none has come for a while is that worth a word.
unserved as (
    select
        count(*)::int as routes,
        coalesce(bool_or(s.spilled), false) as spilled,
        coalesce(bool_or(q.handler like ':sql/%'), false) as runners,
        coalesce(bool_or(q.handler not like ':sql/%'), false) as others,
        string_agg(
            case
                when q.handler like ':sql/%' then format('SQL tasks of role "%s"', substr(q.handler, 6))
                else format('%s for %s', q.queue, q.handler)
            end,
            ', ' order by q.queue, q.handler
        ) as names,
        min(s.oldest_ready_at) as since
    from _orch.route_status() as s
    join _orch.route as q on q.route_id = s.route_id
    where (s.ready > 0 or s.spilled)
        and s.workers = 0
        and (q.handler not like ':sql/%' or s.oldest_ready_at < _orch.now() - interval '30 seconds' or current_setting('orch.sql_workers') = '0')
        and _orch.tenant_allowed(q.tenant)
),
-- Whoever keeps vacuum from removing dead rows of this database: the one whose snapshot or transaction is the oldest.
horizon as (
    select h.age, h.since, h.what, h.hint
    from (
        select
            greatest(pg_catalog.age(a.backend_xmin), pg_catalog.age(a.backend_xid)),
            a.xact_start,
            case
                when a.backend_type = 'walsender' then format('the standby of replication user %s, process id %s', a.usename, a.pid)
                else format('a session%s of role %s, process id %s', case when a.state like 'idle in transaction%' then ', idle in a transaction,' end, a.usename, a.pid)
            end,
            case
                when a.backend_type = 'walsender' then 'A query runs there, and hot_standby_feedback is on.'
                else format('If nobody needs it: select pg_terminate_backend(%s). idle_in_transaction_session_timeout ends such sessions by itself.', a.pid)
            end
        from pg_catalog.pg_stat_activity as a
        where a.pid <> pg_catalog.pg_backend_pid()
            and (a.datname = current_database() or a.backend_type = 'walsender')
        union all
        select
            greatest(pg_catalog.age(s.xmin), pg_catalog.age(s.catalog_xmin)),
            null,
            format('replication slot "%s"%s', s.slot_name, case when not s.active then ', which nobody reads' end),
            format('If nobody needs it: select pg_drop_replication_slot(%L).', s.slot_name)
        from pg_catalog.pg_replication_slots as s
        union all
        select
            pg_catalog.age(p.transaction),
            p.prepared,
            format('prepared transaction "%s" of role %s', p.gid, p.owner),
            format('Commit it, or type rollback prepared %L.', p.gid)
        from pg_catalog.pg_prepared_xacts as p
        where p.database = current_database()
    ) as h (age, since, what, hint)
    where h.age is not null
    order by h.age desc, h.since
    limit 1
),
held_back as (
    select
        h.what,
        h.hint,
        coalesce(h.age, 0) as age,
        pg_catalog.date_trunc('second', _orch.now() - h.since) as lasts,
        case
            when h.age >= 1000000000 then 'critical'
            when h.age >= 10000000 or h.since < _orch.now() - interval '1 hour' then 'warning'
            else 'ok'
        end as status
    from (values (1)) as one (row)
    left join horizon as h on true
),
circuits as (
    select
        string_agg(c.circuit, ', ' order by c.circuit) filter (where c.state <> 'closed') as names,
        min(c.half_open_at) as half_open_at,
        (select m.used from _orch.memory_status() as m where m.part = 'circuits left out') as left_out
    from orch.circuits as c
),
letters as (
    select count(*)::int as open
    from (
        select
        from _orch.dead_letter as d
        join _orch.run as r on r.run_id = d.run_id
        where d.resolution is null
            and _orch.tenant_allowed(r.tenant)
        limit 1001
    ) as d
)
select
    'engine' as "check",
    case
        when e.phase = 'held' then 'critical'
        when e.phase = 'standby' then 'ok'
        when e.phase in ('open', 'unused') and e.steward_pid is not null then 'ok'
        when e.steward_pid is not null then 'warning'
        else 'critical'
    end as status,
    case
        when e.phase = 'standby' then 'This server is a standby: it shows what its primary did, and runs nothing.'
        when e.phase = 'held' then 'The engine is held: this database is a copy, restored from a backup or made in another cluster or database, and nothing runs here.'
        else format('The engine is %s; its steward %s.', e.phase, coalesce('has process id ' || e.steward_pid, 'does not run'))
    end as detail,
    case
        when e.phase = 'held' then 'If this database stands for itself now, call orch.adopt().'
        when e.phase = 'standby' then null
        when e.steward_pid is null then 'See the server''s log; max_worker_processes may be too small.'
        when e.phase not in ('open', 'unused') then 'It reads the active runs and opens when it is done.'
    end as hint
from engine as e
union all
select
    'partitions',
    case
        when e.phase = 'unused' or l.ahead >= 2 then 'ok'
        when l.ahead = 1 then 'warning'
        else 'critical'
    end,
    case
        when e.phase = 'unused' then 'Nothing has been registered yet.'
        else format('There are partitions for %s days after today.', l.ahead)
    end,
    case when e.phase <> 'unused' and l.ahead < 2 then 'The steward makes them; see the server''s log for why it could not.' end
from engine as e, leaves as l
union all
select
    'steward',
    case
        when e.steward_pid is null or e.steward_late < 30 then 'ok'
        when e.steward_late < 300 then 'warning'
        else 'critical'
    end,
    case
        when e.steward_pid is null then 'None runs; see the row "engine".'
        when e.steward_late < 30 then 'It comes when it is wanted.'
        else format('It has been wanted for %s s and has not looked: timers, retries and expired leases wait for it.', e.steward_late::bigint)
    end,
    case
        when e.steward_pid is not null and e.steward_late >= 30 then format(
            'See the server''s log for its errors, and pg_stat_activity for what process id %s waits for; terminated with pg_terminate_backend it is started again.', e.steward_pid)
    end
from engine as e
union all
select
    'memory',
    case when coalesce(m.percent, 0) >= 90 then 'warning' else 'ok' end,
    case when m.part is null then 'No shared memory is in use.' else format('The fullest part, %s, is at %s %% (%s of %s).', m.part, m.percent, m.used, m.size) end,
    case when m.percent >= 90 then 'Work that does not fit waits in rows and is read back, which is slower; raise orch.ready_memory.' end
from (values (1)) as one (row)
left join memory as m on true
union all
select
    'workers',
    case when u.routes > 0 then 'warning' else 'ok' end,
    case
        when e.phase = 'standby' then 'Only the primary knows its workers.'
        when u.routes > 0 then format('Nobody who is alive serves %s.%s', u.names, ' Tasks have been ready since ' || pg_catalog.date_trunc('second', u.since) || '.')
        else 'Every queue with work has a worker.'
    end,
    nullif(
        concat_ws(
            ' ',
            case when u.others then 'Start a worker with these queues and handlers.' end,
            case when u.runners then 'For SQL tasks: orch.sql_workers above 0, room in max_worker_processes, and a role that exists; see the server''s log.' end
        ),
        ''
    )
from engine as e, unserved as u
union all
select
    'circuits',
    case when c.names is not null or c.left_out > 0 then 'warning' else 'ok' end,
    case
        when c.names is not null then format('Not closed: %s.%s', c.names, ' The next attempt is let through at ' || pg_catalog.date_trunc('second', c.half_open_at) || '.')
        when c.left_out > 0 then format('More than 128 circuits are in use: tasks of %s more go on without one.', c.left_out)
        else 'Every circuit is closed.'
    end,
    case
        when c.names is not null then 'See orch.circuits; mend what is behind them, or close one with orch.reset_circuit.'
        when c.left_out > 0 then 'Let tasks share circuits.'
    end
from circuits as c
union all
select
    'redis',
    case when n.state = 'away' or (n.wanted and n.state = 'off' and e.phase <> 'standby') then 'warning' else 'ok' end,
    case
        when n.wanted and n.state = 'off' and e.phase = 'standby' then 'Only the primary sends hints.'
        when n.wanted and n.state = 'off' then 'Hints are wanted, and their sender does not run.'
        when n.state = 'off' then 'No hints are sent: orch.redis_url is empty.'
        when n.state = 'connecting' then format('The Redis at %s is being connected to.', n.place)
        when n.state = 'connected' then format('Hints have gone to the Redis at %s since %s.', n.place, pg_catalog.date_trunc('second', n.since))
        else format('The Redis at %s has been away since %s: %s', n.place, pg_catalog.date_trunc('second', n.since), n.reason)
    end,
    case
        when n.state = 'away' then 'Nothing is lost: workers that wait for hints look by themselves every few seconds. Check that Redis, and orch.redis_url.'
        when n.wanted and n.state = 'off' and e.phase <> 'standby' then 'See the server''s log; max_worker_processes may be too small.'
    end
from engine as e, _orch.notifier_status() as n
union all
select
    'oldest_snapshot',
    h.status,
    case
        when h.what is null then 'Nothing holds vacuum back.'
        else format('The oldest is %s transactions old%s: %s.', h.age, ' and has lasted ' || h.lasts, h.what)
    end,
    case when h.status <> 'ok' then 'Vacuum cannot clean behind it. ' || h.hint end
from held_back as h
union all
select
    'dead_letters',
    case when d.open > 0 then 'warning' else 'ok' end,
    format('%s are open.', case when d.open > 1000 then 'More than 1000' else d.open::text end),
    case when d.open > 0 then 'See orch.dead_letters; redrive or discard each.' end
from letters as d;

revoke all on orch.health from public;
grant select on orch.health to orch_viewer;
comment on view orch.health is 'Whether all is well: a row a check.';
comment on column orch.health."check" is 'engine, partitions, steward, memory, workers, circuits, redis, oldest_snapshot or dead_letters.';
comment on column orch.health.status is 'ok, warning or critical.';
comment on column orch.health.detail is 'What was found.';
comment on column orch.health.hint is 'What to do, where something is to be done.';
