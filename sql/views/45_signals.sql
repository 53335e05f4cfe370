-- What was sent to runs, and what waits for a person.

create or replace view orch.signals with (security_barrier) as
select
    s.run_id,
    s.no,
    s.name,
    e.payload -> 'payload' as payload,
    regexp_replace(e.actor, '^role:', '') as sender,
    e.at as sent_at,
    coalesce(
        (select p.task_id from _orch.version_task as p where p.version_id = r.version_id and p.task_no = s.taken_by),
        (select t.item ->> 'id' from _orch.task as t where t.run_id = s.run_id and t.task_no = s.taken_by)
    ) as taken_by
from _orch.signal as s
join _orch.run as r on r.run_id = s.run_id
join _orch.event as e on e.run_id = s.run_id and e.task_no = -1 and e.no = s.no
where _orch.tenant_allowed(r.tenant);

revoke all on orch.signals from public;
grant select on orch.signals to orch_viewer;
comment on view orch.signals is 'Signals sent to runs.';
comment on column orch.signals.run_id is 'The run.';
comment on column orch.signals.no is 'The number of the run''s event that brought it: the order in which they came.';
comment on column orch.signals.name is 'Its name.';
comment on column orch.signals.payload is 'What came with it.';
comment on column orch.signals.sender is 'The role that sent it.';
comment on column orch.signals.sent_at is 'When it was sent.';
comment on column orch.signals.taken_by is 'The task that got it, null while none has.';

create or replace view orch.approvals with (security_barrier) as
select
    t.run_id,
    coalesce(p.task_id, t.item ->> 'id') as task_id,
    w.workflow,
    a.payload #> '{approval,roles}' as roles,
    a.payload #> '{approval,form}' as form,
    t.started_at as since,
    t.due_at,
    w.tenant
from _orch.task as t
cross join lateral (
    select e.payload
    from _orch.event as e
    where e.run_id = t.run_id
        and e.task_no = t.task_no
        and e.kind = 29
    order by e.no desc
    limit 1
) as a
join _orch.version as v on v.version_id = t.version_id
join _orch.workflow as w on w.workflow_id = v.workflow_id
left join _orch.version_task as p on p.version_id = t.version_id and p.task_no = t.task_no
where t.state = 'w'
    and a.payload ? 'approval'
    and _orch.tenant_allowed(w.tenant);

revoke all on orch.approvals from public;
grant select on orch.approvals to orch_viewer;
comment on view orch.approvals is 'Tasks that wait for a person''s decision, made with orch.approve.';
comment on column orch.approvals.run_id is 'The run.';
comment on column orch.approvals.task_id is 'The task.';
comment on column orch.approvals.workflow is 'The workflow.';
comment on column orch.approvals.roles is 'The roles whose members may decide; null: those of orch_operator.';
comment on column orch.approvals.form is 'What the definition asks the person for.';
comment on column orch.approvals.since is 'Since when it waits.';
comment on column orch.approvals.due_at is 'When it times out; null if it waits without end.';
comment on column orch.approvals.tenant is 'The tenant that it belongs to.';
