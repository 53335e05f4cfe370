-- Runs, and everything that hangs on a run. Joins and values are written for `where run_id = ...`, which reaches the leaves' keys.
-- Payloads and names are scalar subqueries, so that who does not ask for them does not pay for them.

-- Newest first, by the view itself: the planner plans what lies behind a security barrier without knowing the order that is wanted outside, so
-- without this the newest 50 of ten million runs would be a scan and a sort of all. A row security policy instead of the barrier would keep the
-- order too, but pg_dump dumps the policies of an extension's tables, and the restore then meets them twice.
create or replace view orch.runs with (security_barrier) as
select
    r.run_id,
    (
        select w.workflow
        from _orch.version as v
        join _orch.workflow as w on w.workflow_id = v.workflow_id
        where v.version_id = r.version_id
    ) as workflow,
    (select v.version from _orch.version as v where v.version_id = r.version_id) as version,
    r.tenant,
    _orch.run_state(r.state) as state,
    r.source,
    r.idempotency_key,
    (
        select e.payload
        from _orch.event as e
        where e.run_id = r.run_id
            and e.task_no = -1
            and e.no = 1
    ) as input,
    case when r.state = 'S' then _orch.run_outputs(r.run_id) end as output,
    case when r.state in ('F', 'T', 'C') then (
        select e.payload
        from _orch.event as e
        where e.run_id = r.run_id
            and e.task_no = -1
            and e.kind in (8, 9, 10)
        order by e.no desc
        limit 1
    ) end as error,
    r.tags,
    r.priority::int as priority,
    r.parent_run_id,
    r.created_at,
    r.run_at,
    r.started_at,
    r.finished_at,
    r.deadline_at,
    r.traceparent
from _orch.run as r
-- A view of one table can be written to by who may (a superuser in a hurry); one of two cannot, and the planner sees that the second is nothing.
cross join (select) as read_only
where _orch.tenant_allowed(r.tenant)
order by r.run_id desc;

revoke all on orch.runs from public;
grant select on orch.runs to orch_viewer;
comment on view orch.runs is 'One row a run, the newest first.';
comment on column orch.runs.run_id is 'Its id, a UUID v7: ordered by the time of its trigger.';
comment on column orch.runs.workflow is 'What it runs.';
comment on column orch.runs.version is 'The version that it was triggered with and keeps.';
comment on column orch.runs.tenant is 'The tenant that it belongs to.';
comment on column orch.runs.state is 'queued, scheduled, running, paused, cancelling, then succeeded, failed, timed_out or cancelled.';
comment on column orch.runs.source is 'What triggered it: manual, api or event by the caller''s word, the rest by the engine.';
comment on column orch.runs.idempotency_key is 'The key that it was triggered with, if any.';
comment on column orch.runs.input is 'The input that it was triggered with.';
comment on column orch.runs.output is 'Its output once it has succeeded: by the definition''s output, or the outputs of the tasks that nobody depends on.';
comment on column orch.runs.error is 'Why it did not succeed, once it is over.';
comment on column orch.runs.tags is 'Tags given by the trigger.';
comment on column orch.runs.priority is 'Its priority, higher first.';
comment on column orch.runs.parent_run_id is 'The run that started it, if one did.';
comment on column orch.runs.created_at is 'When it was triggered.';
comment on column orch.runs.run_at is 'When it is to start, if that was asked for.';
comment on column orch.runs.started_at is 'When it started.';
comment on column orch.runs.finished_at is 'When it was over.';
comment on column orch.runs.deadline_at is 'When its timeout ends it; null if it has none.';
comment on column orch.runs.traceparent is 'W3C trace context given by the trigger.';
