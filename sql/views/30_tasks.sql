-- Tasks of runs, and the attempts to do them.

create or replace view orch.tasks with (security_barrier) as
select
    t.run_id,
    coalesce(p.task_id, t.item ->> 'id') as task_id,
    t.task_no,
    coalesce(p.name, t.item ->> 'name') as name,
    _orch.task_state(t.state) as state,
    coalesce(p.executor, _orch.item_executor(t.item)) as executor,
    coalesce(p.handler, case when p.task_no is null then t.item ->> 'handler' end) as handler,
    coalesce(p.queue, (select q.queue from _orch.route as q where q.route_id = t.route_id)) as queue,
    t.attempt::int as attempt,
    t.attempts_before + coalesce(p.max_attempts, case when t.route_id is null then 1 else 1 + coalesce((t.item ->> 'retries')::int, 2) end) as max_attempts,
    coalesce(p.dependencies, '{}') as dependencies,
    _orch.task_input(t.run_id, t.task_no) as input,
    case when t.state = 'S' then (
        select e.payload
        from _orch.event as e
        where e.run_id = t.run_id
            and e.task_no = t.task_no
            and e.no = t.output_no
    ) end as output,
    case
        when t.state in ('S', 'K') then null
        -- While it waits for its next attempt, the error stands with the decision to try again.
        when t.state = 'd' then (
            select e.payload -> 'error'
            from _orch.event as e
            where e.run_id = t.run_id
                and e.task_no = t.task_no
                and e.kind = 21
            order by e.no desc
            limit 1
        )
        else (
            select e.payload
            from _orch.event as e
            where e.run_id = t.run_id
                and e.task_no = t.task_no
                and e.no = t.output_no
        )
    end as error,
    k.worker,
    t.ready_at,
    t.started_at,
    t.finished_at,
    case when t.state in ('d', 'w') then t.due_at end as due_at,
    t.priority::int as priority,
    coalesce(p.level, 0) as level,
    coalesce(p.is_finally, false) as is_finally,
    (
        select g.progress
        from _orch.progress as g
        where g.run_id = t.run_id
            and g.task_no = t.task_no
        order by g.attempt desc
        limit 1
    ) as progress
from _orch.task as t
left join _orch.version_task as p on p.version_id = t.version_id and p.task_no = t.task_no
join _orch.version as v on v.version_id = t.version_id
join _orch.workflow as w on w.workflow_id = v.workflow_id
left join _orch.worker as k on k.worker_id = t.worker_id
where _orch.tenant_allowed(w.tenant);

revoke all on orch.tasks from public;
grant select on orch.tasks to orch_viewer;
comment on view orch.tasks is 'One row for each task of each run.';
comment on column orch.tasks.run_id is 'The run.';
comment on column orch.tasks.task_id is 'The id that the definition gives it; of what code made: its name, # and how many of that name came before it, from 1.';
comment on column orch.tasks.task_no is 'Its number within the version, finally tasks last; what code made is numbered in the order in which the code did it.';
comment on column orch.tasks.name is 'Its label.';
comment on column orch.tasks.state is 'pending, ready, running, scheduled, waiting, then succeeded, failed, timed_out, skipped, upstream_failed or cancelled.';
comment on column orch.tasks.executor is 'What does it: handler, command, callable, http, sql, workflow, sleep, until, signal, approval, decision, noop, code (the function of a workflow in code), or step (one in place, recorded by that).';
comment on column orch.tasks.handler is 'The handler that a worker must have, where the executor is a handler.';
comment on column orch.tasks.queue is 'The queue that workers take it from.';
comment on column orch.tasks.attempt is 'The number of the latest attempt, from 1; 0 before the first.';
comment on column orch.tasks.max_attempts is 'The number of the last attempt that it may have; grows when attempts are given back or a run is reopened.';
comment on column orch.tasks.dependencies is 'The ids of the tasks that it depends on.';
comment on column orch.tasks.input is 'Its input with templates resolved, null where it has none or they cannot be resolved yet.';
comment on column orch.tasks.output is 'Its output, once it has succeeded.';
comment on column orch.tasks.error is 'Why it failed, or why its last attempt did while it waits for the next: {class, code, message, detail, exit_code, traceback}.';
comment on column orch.tasks.worker is 'Who has it, or had it last.';
comment on column orch.tasks.ready_at is 'When it became ready for a worker, most recently.';
comment on column orch.tasks.started_at is 'When the latest attempt started.';
comment on column orch.tasks.finished_at is 'When it was over.';
comment on column orch.tasks.due_at is 'When it goes on, if it is scheduled or waiting for a time.';
comment on column orch.tasks.priority is 'Its priority together with that of its run.';
comment on column orch.tasks.level is 'The longest way from a root, in edges.';
comment on column orch.tasks.is_finally is 'Whether it belongs to the finally tasks.';
comment on column orch.tasks.progress is 'What its worker told last of how far it is, in this attempt or an earlier one.';

-- What closes an attempt is the next event of its kind after the start: a retry scheduled, given back, an end, or a lease that expired, which is
-- followed by the retry or the end that it led to. Partitioned by (run, task), so a condition on run_id goes below the window.
create or replace view orch.attempts with (security_barrier) as
select
    a.run_id,
    coalesce(p.task_id, (select t.item ->> 'id' from _orch.task as t where t.run_id = a.run_id and t.task_no = a.task_no)) as task_id,
    a.attempt::int as attempt,
    case
        when a.end_kind is null then 'running'
        when a.end_kind = 22 then 'released'
        when a.end_kind = 50 then 'lost'
        when a.end_kind = 65 then 'suspended'
        when a.end_kind = 21 and a.end_error ->> 'class' = 'timeout' then 'timed_out'
        when a.end_kind = 21 then 'failed'
        else substr(_orch.event_kind(a.end_kind), length('task_') + 1)
    end as state,
    regexp_replace(a.actor, '^worker:', '') as worker,
    case when a.end_kind = 50 then a.led_to_error else a.end_error end as error,
    a.at as started_at,
    a.end_at as finished_at,
    a.end_at - a.at as duration,
    (
        select g.progress
        from _orch.progress as g
        where g.run_id = a.run_id
            and g.task_no = a.task_no
            and g.attempt = a.attempt
    ) as progress
from (
    select
        e.run_id,
        e.task_no,
        e.kind,
        e.attempt,
        e.actor,
        e.at,
        lead(e.kind) over later as end_kind,
        lead(e.at) over later as end_at,
        lead(e.error) over later as end_error,
        lead(e.error, 2) over later as led_to_error
    from (
        select
            e.*,
            case
                when e.kind = 21 then e.payload -> 'error'
                when e.kind in (24, 25, 28) then e.payload
            end as error
        from _orch.event as e
        where e.kind in (20, 21, 22, 23, 24, 25, 26, 28, 50, 65)
            and e.task_no >= 0
    ) as e
    window later as (partition by e.run_id, e.task_no order by e.no)
) as a
join _orch.run as r on r.run_id = a.run_id
left join _orch.version_task as p on p.version_id = r.version_id and p.task_no = a.task_no
where a.kind = 20
    and _orch.tenant_allowed(r.tenant);

revoke all on orch.attempts from public;
grant select on orch.attempts to orch_viewer;
comment on view orch.attempts is 'One row for each time that a task was started, from the history.';
comment on column orch.attempts.run_id is 'The run.';
comment on column orch.attempts.task_id is 'The task.';
comment on column orch.attempts.attempt is 'Its number, from 1.';
comment on column orch.attempts.state is 'running, succeeded, failed, timed_out, skipped (by its handler), cancelled, released (given back by its worker), suspended (code that waits for its steps; the next attempt has the same number) or lost (its lease expired).';
comment on column orch.attempts.worker is 'Who had it.';
comment on column orch.attempts.error is 'Why it did not succeed.';
comment on column orch.attempts.started_at is 'When it was leased.';
comment on column orch.attempts.finished_at is 'When it was settled, given back or lost.';
comment on column orch.attempts.duration is 'How long it took.';
comment on column orch.attempts.progress is 'What its worker told last of how far it is.';
