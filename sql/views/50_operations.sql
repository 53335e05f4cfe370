-- Workers, queues, timers and circuits.

-- SQL runners work for all tenants; whoever looks after the server sees them.
create or replace view orch.workers with (security_barrier) as
select
    k.worker,
    case when k.stopped_at is not null then 'stopped' else coalesce(s.state, 'lost') end as state,
    k.version,
    k.queues,
    k.handlers,
    coalesce(s.running, 0) as running,
    k.started_at,
    s.last_seen_at,
    k.metadata,
    coalesce(s.waiting, false) as waiting,
    k.stopped_at,
    coalesce(nullif(k.tenant, ''), 'default') as tenant
from _orch.worker as k
left join _orch.worker_status() as s on s.worker_id = k.worker_id
where _orch.tenant_allowed(coalesce(nullif(k.tenant, ''), 'default'));

revoke all on orch.workers from public;
grant select on orch.workers to orch_viewer;
comment on view orch.workers is 'Everybody who has ever asked for work here.';
comment on column orch.workers.worker is 'The id that it calls itself.';
comment on column orch.workers.state is 'alive, draining, lost (not heard of for three heartbeats, or for longer than it said that it would rest) or stopped.';
comment on column orch.workers.version is 'The version of its code, as it says.';
comment on column orch.workers.queues is 'The queues that it serves.';
comment on column orch.workers.handlers is 'The handlers that it has; null is {:command,:http}.';
comment on column orch.workers.running is 'How many tasks it holds.';
comment on column orch.workers.started_at is 'When it registered last.';
comment on column orch.workers.last_seen_at is 'When it was last heard of, null if not since the server started.';
comment on column orch.workers.metadata is 'What it told about itself.';
comment on column orch.workers.waiting is 'Whether it sleeps in await_work.';
comment on column orch.workers.stopped_at is 'When it said that it stops.';
comment on column orch.workers.tenant is 'The tenant that it works for; SQL runners, which work for all, stand with default.';

-- Counted from the rows, since the lists in shared memory hold only as much as fits: exact, at the cost of reading the task table.
create or replace view orch.queues with (security_barrier) as
select
    q.queue,
    coalesce(sum(n.ready), 0)::bigint as ready,
    coalesce(sum(n.running), 0)::bigint as running,
    coalesce(sum(n.waiting), 0)::bigint as waiting,
    min(n.oldest_ready_at) as oldest_ready_at,
    (
        select count(*)::int
        from orch.workers as k
        where k.state = 'alive'
            and q.queue = any (k.queues)
            and k.tenant = q.tenant
    ) as workers,
    false as paused,
    q.tenant
from _orch.route as q
left join (
    select
        t.route_id,
        count(*) filter (where t.state = 'y') as ready,
        count(*) filter (where t.state = 'r') as running,
        count(*) filter (where t.state in ('d', 'w')) as waiting,
        min(t.ready_at) filter (where t.state = 'y') as oldest_ready_at
    from _orch.task as t
    where t.state in ('y', 'r', 'd', 'w')
    group by t.route_id
) as n on n.route_id = q.route_id
where _orch.tenant_allowed(q.tenant)
group by q.tenant, q.queue;

revoke all on orch.queues from public;
grant select on orch.queues to orch_viewer;
comment on view orch.queues is 'One row for each queue that a workflow names, counted from the tasks.';
comment on column orch.queues.queue is 'Its name.';
comment on column orch.queues.ready is 'Tasks that a worker could take now.';
comment on column orch.queues.running is 'Tasks that workers hold.';
comment on column orch.queues.waiting is 'Tasks that wait for a time: retries and start delays.';
comment on column orch.queues.oldest_ready_at is 'Since when the oldest ready task waits.';
comment on column orch.queues.workers is 'Workers that are alive and serve it.';
comment on column orch.queues.paused is 'Whether nothing is leased from it.';
comment on column orch.queues.tenant is 'The tenant that it belongs to.';

create or replace view orch.timers with (security_barrier) as
select
    t.run_id,
    coalesce(p.task_id, t.item ->> 'id') as task_id,
    case
        when t.state = 'd' then 'retry'
        else coalesce(p.executor, _orch.item_executor(t.item))
    end as kind,
    t.due_at
from _orch.task as t
left join _orch.version_task as p on p.version_id = t.version_id and p.task_no = t.task_no
join _orch.version as v on v.version_id = t.version_id
join _orch.workflow as w on w.workflow_id = v.workflow_id
where t.due_at is not null
    and t.state in ('d', 'w')
    and _orch.tenant_allowed(w.tenant)
union all
select
    r.run_id,
    null,
    case when r.state = 'd' then 'run_at' else 'run_timeout' end,
    case when r.state = 'd' then r.run_at else r.deadline_at end
from _orch.run as r
where r.state in ('d', 'r', 'p', 'c')
    and case when r.state = 'd' then r.run_at else r.deadline_at end is not null
    and _orch.tenant_allowed(r.tenant);

revoke all on orch.timers from public;
grant select on orch.timers to orch_viewer;
comment on view orch.timers is 'What goes on, or ends, by the clock alone; the deadlines of running attempts are with their leases.';
comment on column orch.timers.run_id is 'The run.';
comment on column orch.timers.task_id is 'The task, null for the run itself.';
comment on column orch.timers.kind is 'retry, sleep, until, run_at (start of the run), run_timeout, or signal, approval or workflow for the end of a task''s patience.';
comment on column orch.timers.due_at is 'When it is due.';

-- By definition, and what memory knows of each: what has done nothing since the server started is closed.
create or replace view orch.circuits with (security_barrier) as
select
    q.circuit,
    q.tenant,
    coalesce(s.state, 'closed') as state,
    coalesce(s.failures_in_row, 0) as failures_in_row,
    s.opened_at,
    s.half_open_at,
    coalesce(n.waiting, 0) as waiting,
    coalesce(s.probing, false) as probing
from (select distinct r.tenant, r.circuit from _orch.route as r where r.circuit <> '') as q
left join _orch.circuit_status() as s on s.circuit = q.circuit and s.tenant = q.tenant
-- Who does not ask for it does not pay for it: the planner leaves this join out.
left join (
    select w.tenant, w.circuit, count(*) as waiting
    from _orch.task as t
    join _orch.route as w on w.route_id = t.route_id
    where t.state = 'y'
        and w.circuit <> ''
    group by w.tenant, w.circuit
) as n on n.circuit = q.circuit and n.tenant = q.tenant
where _orch.tenant_allowed(q.tenant);

revoke all on orch.circuits from public;
grant select on orch.circuits to orch_viewer;
comment on view orch.circuits is 'Circuit breakers of tasks, a row for each that a definition has ever named.';
comment on column orch.circuits.circuit is 'Its name.';
comment on column orch.circuits.tenant is 'The tenant that it belongs to.';
comment on column orch.circuits.state is 'closed, open (nobody is let through) or half_open (one attempt at a time is).';
comment on column orch.circuits.failures_in_row is 'Failures since the last success, of the classes that count.';
comment on column orch.circuits.opened_at is 'When it opened, null while it is closed.';
comment on column orch.circuits.half_open_at is 'When the next attempt is let through, while it is open.';
comment on column orch.circuits.waiting is 'Its tasks that are ready.';
comment on column orch.circuits.probing is 'Whether an attempt that was let through is running.';
