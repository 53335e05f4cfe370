-- What an operator looks at first. Always the same rows, so that a monitor can tell a check that is well from one that is gone.

create or replace view orch.health with (security_barrier) as
with engine as materialized (
    select s.phase, s.steward_pid
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
    select
        max(100 * m.used / nullif(m.size, 0))::int as percent,
        (array_agg(m.part order by m.used::numeric / nullif(m.size, 0) desc nulls last))[1] as part
    from _orch.memory_status() as m
    where m.size > 0
),
unserved as (
    select
        count(*)::int as routes,
        string_agg(distinct format('%s for %s', q.queue, q.handler), ', ') as names
    from _orch.route_status() as s
    join _orch.route as q on q.route_id = s.route_id
    where (s.ready > 0 or s.spilled)
        and s.workers = 0
        and q.handler not like ':sql/%'
        and _orch.tenant_allowed(q.tenant)
),
horizon as (
    select coalesce(max(h.age), 0) as age
    from (
        select pg_catalog.age(a.backend_xmin) from pg_catalog.pg_stat_activity as a
        union all
        select greatest(pg_catalog.age(s.xmin), pg_catalog.age(s.catalog_xmin)) from pg_catalog.pg_replication_slots as s
        union all
        select pg_catalog.age(p.transaction) from pg_catalog.pg_prepared_xacts as p
    ) as h (age)
),
letters as (
    select count(*)::int as open
    from orch.dead_letters as d
    where d.resolution is null
)
select
    'engine' as "check",
    case
        when e.phase = 'held' then 'critical'
        when e.phase in ('open', 'unused') and e.steward_pid is not null then 'ok'
        when e.steward_pid is not null then 'warning'
        else 'critical'
    end as status,
    format('The engine is %s; its steward %s.', e.phase, coalesce('has process id ' || e.steward_pid, 'does not run')) as detail,
    case
        when e.phase = 'held' then 'These rows were made in another cluster or database, so nothing fires by itself here.'
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
    'memory',
    case when coalesce(m.percent, 0) >= 90 then 'warning' else 'ok' end,
    case when m.part is null then 'No shared memory is in use.' else format('The fullest part, %s, is at %s %%.', m.part, m.percent) end,
    case when m.percent >= 90 then 'Work that does not fit waits in rows and is read back, which is slower; raise orch.ready_memory.' end
from memory as m
union all
select
    'workers',
    case when u.routes > 0 then 'warning' else 'ok' end,
    case when u.routes > 0 then format('Nobody who is alive serves %s.', u.names) else 'Every queue with work has a worker.' end,
    case when u.routes > 0 then 'Start a worker with these queues and handlers.' end
from unserved as u
union all
select
    'oldest_snapshot',
    case when h.age >= 10000000 then 'warning' else 'ok' end,
    format('The oldest snapshot is %s transactions old.', h.age),
    case when h.age >= 10000000 then 'Vacuum cannot clean behind it; look for old transactions, prepared ones and replication slots.' end
from horizon as h
union all
select
    'dead_letters',
    case when d.open > 0 then 'warning' else 'ok' end,
    format('%s are open.', d.open),
    case when d.open > 0 then 'See orch.dead_letters; redrive or discard each.' end
from letters as d;

revoke all on orch.health from public;
grant select on orch.health to orch_viewer;
comment on view orch.health is 'Whether all is well: a row a check.';
comment on column orch.health."check" is 'engine, partitions, memory, workers, oldest_snapshot or dead_letters.';
comment on column orch.health.status is 'ok, warning or critical.';
comment on column orch.health.detail is 'What was found.';
comment on column orch.health.hint is 'What to do, where something is to be done.';
