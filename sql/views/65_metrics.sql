-- What a monitor reads every few seconds: from shared memory, statistics and small tables, never from the runs. Names of queues, workflows and circuits are those of the caller's
-- tenant alone; the rest is of the whole database, and for the tenant "default" alone. How many names there can be is bounded: those too many share the label "other".
create or replace view orch.metrics with (security_barrier) as
with meters as materialized (
    select m.meter, m.tenant, m.label, m.value, m.buckets
    from _orch.meters() as m
),
engine as materialized (
    select s.phase, s.steward_pid, s.steward_late
    from _orch.engine_status() as s
),
event (kind, family, labels) as (
    values
        ('run_triggered', 'orch_runs_triggered', '{}'::jsonb),
        ('run_reopened', 'orch_runs_reopened', '{}'),
        ('run_succeeded', 'orch_runs_finished', '{"state": "succeeded"}'),
        ('run_failed', 'orch_runs_finished', '{"state": "failed"}'),
        ('run_timed_out', 'orch_runs_finished', '{"state": "timed_out"}'),
        ('run_cancelled', 'orch_runs_finished', '{"state": "cancelled"}'),
        ('task_started', 'orch_attempts_started', '{}'),
        ('task_retry_scheduled', 'orch_task_retries', '{}'),
        ('task_released', 'orch_tasks_released', '{}'),
        ('task_succeeded', 'orch_tasks_finished', '{"state": "succeeded"}'),
        ('task_failed', 'orch_tasks_finished', '{"state": "failed"}'),
        ('task_timed_out', 'orch_tasks_finished', '{"state": "timed_out"}'),
        ('task_skipped', 'orch_tasks_finished', '{"state": "skipped"}'),
        ('task_upstream_failed', 'orch_tasks_finished', '{"state": "upstream_failed"}'),
        ('task_cancelled', 'orch_tasks_finished', '{"state": "cancelled"}'),
        ('lease_expired', 'orch_lease_expiries', '{}'),
        ('settle_refused', 'orch_settles_refused', '{}'),
        ('signal_sent', 'orch_signals_sent', '{}')
),
-- Of the caller's tenant, the fullest first.
queue as (
    select
        case when row_number() over (order by coalesce(sum(s.ready), 0) desc, q.queue) <= 50 then q.queue else 'other' end as name,
        coalesce(sum(s.ready), 0) as ready,
        min(s.oldest_ready_at) as oldest_ready_at,
        coalesce(bool_or(s.spilled), false) as spilled,
        coalesce(max(s.workers), 0) as workers
    from _orch.route as q
    left join _orch.route_status() as s on s.route_id = q.route_id
    where _orch.tenant_allowed(q.tenant)
    group by q.queue
),
queues as materialized (
    select
        q.name,
        sum(q.ready) as ready,
        extract(epoch from _orch.now() - min(q.oldest_ready_at)) as age,
        bool_or(q.spilled) as spilled,
        max(q.workers) as workers
    from queue as q
    group by q.name
),
bound (i, le) as (
    select b.i, b.le
    from unnest(
        array['0.001', '0.005', '0.01', '0.05', '0.1', '0.5', '1.0', '2.5', '5.0', '10.0', '30.0', '60.0', '300.0', '900.0', '3600.0', '14400.0', '+Inf']
    ) with ordinality as b (le, i)
),
timing as (
    select
        case m.meter
            when 'queueing' then 'orch_task_queueing_seconds'
            when 'attempt' then 'orch_task_duration_seconds'
            else 'orch_run_duration_seconds'
        end as family,
        jsonb_build_object(case when m.meter = 'run' then 'workflow' else 'queue' end, coalesce(m.label, 'other')) as labels,
        m.value,
        m.buckets
    from meters as m
    where m.buckets is not null
        and (m.tenant is null or _orch.tenant_allowed(m.tenant))
),
-- A name that is itself "other" shares the label.
timings as materialized (
    select
        t.family,
        t.labels,
        b.i,
        b.le,
        sum(t.buckets[b.i]) as up_to,
        sum(t.value) as seconds
    from timing as t
    cross join bound as b
    group by t.family, t.labels, b.i, b.le
),
held_back (age) as (
    select greatest(pg_catalog.age(a.backend_xmin), pg_catalog.age(a.backend_xid))
    from pg_catalog.pg_stat_activity as a
    where a.pid <> pg_catalog.pg_backend_pid()
        and (a.datname = current_database() or a.backend_type = 'walsender')
    union all
    select greatest(pg_catalog.age(s.xmin), pg_catalog.age(s.catalog_xmin))
    from pg_catalog.pg_replication_slots as s
    union all
    select pg_catalog.age(p.transaction)
    from pg_catalog.pg_prepared_xacts as p
    where p.database = current_database()
),
relations as materialized (
    select
        pg_catalog.regexp_replace(s.relname::text, '_[0-9]{8}$', '') as relation,
        sum(s.n_live_tup) as live,
        sum(s.n_dead_tup) as dead
    from pg_catalog.pg_stat_all_tables as s
    where s.schemaname = '_orch'
    group by 1
),
sample (family, suffix, labels, value) as (
    select e.family, '_total', e.labels, m.value
    from event as e
    join meters as m on m.meter = 'event' and m.label = e.kind
    union all
    select 'orch_runs', '', jsonb_build_object('state', m.label), m.value
    from meters as m
    where m.meter = 'run' and m.buckets is null
    union all
    select 'orch_tasks', '', jsonb_build_object('state', m.label), m.value
    from meters as m
    where m.meter = 'task'
    union all
    select 'orch_dead_letters', '_total', '{}', m.value
    from meters as m
    where m.meter = 'dead_letters'
    union all
    select 'orch_dead_letters_open', '', '{}', count(*)
    from (select from _orch.dead_letter as d where d.resolution is null limit 100000) as d
    union all
    select 'orch_queue_ready', '', jsonb_build_object('queue', q.name), q.ready
    from queues as q
    union all
    select 'orch_queue_oldest_ready_seconds', '', jsonb_build_object('queue', q.name), greatest(coalesce(q.age, 0), 0)
    from queues as q
    union all
    select 'orch_queue_workers', '', jsonb_build_object('queue', q.name), q.workers
    from queues as q
    union all
    select 'orch_queue_overflowing', '', jsonb_build_object('queue', q.name), q.spilled::int
    from queues as q
    union all
    select 'orch_workers', '', jsonb_build_object('state', w.state), count(s.worker_id)
    from (values ('alive'), ('draining'), ('lost')) as w (state)
    left join _orch.worker_status() as s on s.state = w.state
    group by w.state
    union all
    select 'orch_workers_waiting', '', '{}', count(*)
    from _orch.worker_status() as s
    where s.waiting
    union all
    select 'orch_circuits', '', jsonb_build_object('state', w.state), count(c.circuit)
    from (values ('closed'), ('open'), ('half_open')) as w (state)
    left join _orch.circuit_status() as c on c.state = w.state and _orch.tenant_allowed(c.tenant)
    group by w.state
    union all
    -- One for each that is not closed: memory holds 128 of them.
    select 'orch_circuit_open', '', jsonb_build_object('circuit', c.circuit), 1
    from _orch.circuit_status() as c
    where c.state <> 'closed'
        and _orch.tenant_allowed(c.tenant)
    union all
    select t.family, '_bucket', t.labels || jsonb_build_object('le', t.le), t.up_to
    from timings as t
    union all
    select t.family, '_sum', t.labels, t.seconds
    from timings as t
    where t.le = '+Inf'
    union all
    select t.family, '_count', t.labels, t.up_to
    from timings as t
    where t.le = '+Inf'
    union all
    select 'orch_oldest_xmin_age', '', '{}', coalesce(max(h.age), 0)
    from held_back as h
    union all
    select 'orch_live_tuples', '', jsonb_build_object('relation', r.relation), r.live
    from relations as r
    union all
    select 'orch_dead_tuples', '', jsonb_build_object('relation', r.relation), r.dead
    from relations as r
    union all
    select 'orch_partition_days_ahead', '', '{}', count(*)
    from pg_catalog.pg_inherits as i
    join pg_catalog.pg_class as c on c.oid = i.inhrelid
    where i.inhparent = '_orch.run'::pg_catalog.regclass
        and pg_catalog.right(c.relname::text, 8) > pg_catalog.to_char(_orch.now() at time zone 'UTC', 'YYYYMMDD')
    union all
    select 'orch_memory_used_ratio', '', jsonb_build_object('part', m.part), m.used::double precision / m.size
    from _orch.memory_status() as m
    where m.size > 0
    union all
    select 'orch_timers', '', '{}', m.value
    from meters as m
    where m.meter = 'memory' and m.label = 'timers'
    union all
    select 'orch_feed_pending_positions', '', '{}', m.value
    from meters as m
    where m.meter = 'feed_pending'
    union all
    select 'orch_open', '', '{}', (e.phase in ('open', 'unused'))::int
    from engine as e
    union all
    select 'orch_held', '', '{}', (e.phase = 'held')::int
    from engine as e
    union all
    select 'orch_steward_up', '', '{}', (e.steward_pid is not null)::int
    from engine as e
    union all
    select 'orch_steward_lag_seconds', '', '{}', e.steward_late
    from engine as e
),
family (place, family, type, unit, help) as (
    values
        (1, 'orch_runs', 'gauge', '', 'Runs that are not over, by state.'),
        (2, 'orch_runs_triggered', 'counter', '', 'Runs that were triggered.'),
        (3, 'orch_runs_finished', 'counter', '', 'Runs that came to their end, by its state.'),
        (4, 'orch_runs_reopened', 'counter', '', 'Runs that were opened again by a retry or a redrive.'),
        (5, 'orch_run_duration_seconds', 'histogram', 'seconds', 'From the start of a run to its end.'),
        (6, 'orch_tasks', 'gauge', '', 'Tasks that wait or run, by state; ready ones as shared memory lists them, where those of cancelled runs stand until a worker comes by.'),
        (7, 'orch_tasks_finished', 'counter', '', 'Tasks that came to their end, by its state.'),
        (8, 'orch_attempts_started', 'counter', '', 'Attempts of tasks that began.'),
        (9, 'orch_task_retries', 'counter', '', 'Attempts that failed and are tried again.'),
        (10, 'orch_tasks_released', 'counter', '', 'Tasks that workers gave back.'),
        (11, 'orch_lease_expiries', 'counter', '', 'Attempts whose worker fell silent.'),
        (12, 'orch_settles_refused', 'counter', '', 'Results that came too late or from the wrong worker.'),
        (13, 'orch_task_queueing_seconds', 'histogram', 'seconds', 'From a task being ready to its lease.'),
        (14, 'orch_task_duration_seconds', 'histogram', 'seconds', 'From the lease of a task to the end of the attempt.'),
        (15, 'orch_signals_sent', 'counter', '', 'Signals that were sent to runs.'),
        (16, 'orch_dead_letters', 'counter', '', 'Tasks that ended in a dead letter.'),
        (17, 'orch_dead_letters_open', 'gauge', '', 'Dead letters that nobody has redriven or discarded; counted up to 100000.'),
        (18, 'orch_queue_ready', 'gauge', '', 'Ready tasks by queue, as far as shared memory holds them.'),
        (19, 'orch_queue_oldest_ready_seconds', 'gauge', 'seconds', 'How long the next task of the queue has waited; a higher priority counts as a minute each.'),
        (20, 'orch_queue_workers', 'gauge', '', 'Workers that are alive and serve the queue.'),
        (21, 'orch_queue_overflowing', 'gauge', '', '1 where more tasks of the queue are ready than shared memory holds.'),
        (22, 'orch_workers', 'gauge', '', 'Workers that shared memory knows, by state.'),
        (23, 'orch_workers_waiting', 'gauge', '', 'Workers that sleep until there is work.'),
        (24, 'orch_circuits', 'gauge', '', 'Circuit breakers by state.'),
        (25, 'orch_circuit_open', 'gauge', '', '1 for each circuit breaker that is not closed.'),
        (26, 'orch_oldest_xmin_age', 'gauge', '', 'How many transactions ago the oldest snapshot began that keeps vacuum from cleaning.'),
        (27, 'orch_live_tuples', 'gauge', '', 'Live rows of the tables of the extension, as the statistics estimate them.'),
        (28, 'orch_dead_tuples', 'gauge', '', 'Dead rows of the tables of the extension, as the statistics estimate them.'),
        (29, 'orch_partition_days_ahead', 'gauge', '', 'For how many days after today there are partitions.'),
        (30, 'orch_memory_used_ratio', 'gauge', 'ratio', 'How full each part of the shared memory is.'),
        (31, 'orch_timers', 'gauge', '', 'Timers that shared memory holds.'),
        (32, 'orch_feed_pending_positions', 'gauge', '', 'Positions of the feed that open transactions hold back.'),
        (33, 'orch_open', 'gauge', '', '1 where tasks are handed out.'),
        (34, 'orch_held', 'gauge', '', '1 where the database is a copy that waits for orch.adopt.'),
        (35, 'orch_steward_up', 'gauge', '', '1 where the steward runs.'),
        (36, 'orch_steward_lag_seconds', 'gauge', 'seconds', 'For how long the steward has been wanted and has not looked.')
)
select
    f.place,
    f.family as name,
    f.type,
    f.unit,
    f.help,
    f.family || s.suffix as sample,
    s.labels,
    s.value::double precision as value
from family as f
join sample as s on s.family = f.family
-- What is of the whole database is for those who look after it.
where s.labels ?| '{queue,workflow,circuit}' or f.family = 'orch_circuits' or _orch.tenant_allowed('default');

revoke all on orch.metrics from public;
grant select on orch.metrics to orch_viewer;
comment on view orch.metrics is 'Samples for a monitoring system, as GET /metrics shows them. Counters and histograms begin at 0 when the server starts.';
comment on column orch.metrics.place is 'The order of the families; the samples of one lie together.';
comment on column orch.metrics.name is 'The family.';
comment on column orch.metrics.type is 'counter, gauge or histogram.';
comment on column orch.metrics.unit is 'seconds, ratio or empty.';
comment on column orch.metrics.help is 'What it counts.';
comment on column orch.metrics.sample is 'The name of this sample: that of the family, with _total, _bucket, _sum or _count behind it where its type wants that.';
comment on column orch.metrics.labels is 'Labels and their values.';
comment on column orch.metrics.value is 'The value.';
