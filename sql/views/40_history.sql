-- The history and the log lines. `data` gives a payload its name by the kind of event that brought it.

create or replace view orch.events with (security_barrier) as
select
    e.pos,
    e.run_id,
    case
        when p.task_id is not null or e.task_no < 0 then p.task_id
        else (select t.item ->> 'id' from _orch.task as t where t.run_id = e.run_id and t.task_no = e.task_no)
    end as task_id,
    e.no,
    _orch.event_kind(e.kind) as kind,
    e.at,
    e.actor,
    jsonb_strip_nulls(jsonb_build_object('attempt', e.attempt))
        || case
            when e.payload is null then '{}'
            when e.kind = 1 then jsonb_build_object('input', e.payload)
            when e.kind in (7, 23) then jsonb_build_object('output', e.payload)
            when e.kind in (8, 9, 10, 24, 25, 27, 28) then jsonb_build_object('error', e.payload)
            when e.kind = 63 then jsonb_build_object(case when e.facts ->> 'state' = 'failed' then 'error' else 'output' end, e.payload)
            when jsonb_typeof(e.payload) = 'object' then e.payload
            else jsonb_build_object('detail', e.payload)
        end
        || coalesce(e.facts, '{}') as data
from _orch.event as e
join _orch.run as r on r.run_id = e.run_id
left join _orch.version_task as p on p.version_id = r.version_id and p.task_no = e.task_no
where _orch.tenant_allowed(r.tenant);

revoke all on orch.events from public;
grant select on orch.events to orch_viewer;
comment on view orch.events is 'Everything that happened, append-only. Follow it with orch.events_after, which leaves no gap.';
comment on column orch.events.pos is 'The order of the feed.';
comment on column orch.events.run_id is 'The run.';
comment on column orch.events.task_id is 'The task, null for what happened to the run itself.';
comment on column orch.events.no is 'Counted from 1 within the task, or within the run: the order of cause and effect.';
comment on column orch.events.kind is 'What happened.';
comment on column orch.events.at is 'When it happened.';
comment on column orch.events.actor is 'Who did it: worker:ID, role:NAME or engine.';
comment on column orch.events.data is 'What came with it: attempt, input, output, error or details by its kind, and sql, what a SQL task cost.';

create or replace view orch.logs with (security_barrier) as
select
    l.run_id,
    coalesce(p.task_id, (select t.item ->> 'id' from _orch.task as t where t.run_id = l.run_id and t.task_no = l.task_no)) as task_id,
    l.attempt::int as attempt,
    l.at,
    l.stream,
    l.line,
    l.line_no
from _orch.log as l
join _orch.run as r on r.run_id = l.run_id
left join _orch.version_task as p on p.version_id = r.version_id and p.task_no = l.task_no
where _orch.tenant_allowed(r.tenant);

revoke all on orch.logs from public;
grant select on orch.logs to orch_viewer;
comment on view orch.logs is 'What attempts wrote while they ran.';
comment on column orch.logs.run_id is 'The run.';
comment on column orch.logs.task_id is 'The task.';
comment on column orch.logs.attempt is 'The attempt, from 1.';
comment on column orch.logs.at is 'When the line was written.';
comment on column orch.logs.stream is 'stdout, stderr, notice, or what the worker calls it.';
comment on column orch.logs.line is 'The line.';
comment on column orch.logs.line_no is 'Its place within the attempt, from 1.';

create or replace view orch.dead_letters with (security_barrier) as
select
    d.id,
    d.run_id,
    p.task_id,
    w.workflow,
    d.error,
    d.attempt::int as attempts,
    d.fingerprint,
    d.created_at,
    d.resolution,
    _orch.task_state(d.state) as state,
    _orch.task_input(d.run_id, d.task_no) as input,
    d.resolved_at,
    d.resolved_by,
    w.tenant
from _orch.dead_letter as d
join _orch.run as r on r.run_id = d.run_id
join _orch.version_task as p on p.version_id = r.version_id and p.task_no = d.task_no
join _orch.version as v on v.version_id = r.version_id
join _orch.workflow as w on w.workflow_id = v.workflow_id
where _orch.tenant_allowed(w.tenant);

revoke all on orch.dead_letters from public;
grant select on orch.dead_letters to orch_viewer;
comment on view orch.dead_letters is 'Tasks that ended failed or timed_out by themselves, until somebody redrives or discards them, and after.';
comment on column orch.dead_letters.id is 'For orch.redrive and orch.discard.';
comment on column orch.dead_letters.run_id is 'The run.';
comment on column orch.dead_letters.task_id is 'The task.';
comment on column orch.dead_letters.workflow is 'The workflow of the run.';
comment on column orch.dead_letters.error is 'The last error {class, code, message, detail, exit_code, traceback}.';
comment on column orch.dead_letters.attempts is 'The number of the attempt that was the last.';
comment on column orch.dead_letters.fingerprint is 'The same for errors of the same kind in the same task.';
comment on column orch.dead_letters.created_at is 'When the task ended.';
comment on column orch.dead_letters.resolution is 'Null while it is open, then redriven or discarded.';
comment on column orch.dead_letters.state is 'failed or timed_out.';
comment on column orch.dead_letters.input is 'The input of the task.';
comment on column orch.dead_letters.resolved_at is 'When it was resolved.';
comment on column orch.dead_letters.resolved_by is 'The role that resolved it, or token:NAME.';
comment on column orch.dead_letters.tenant is 'The tenant that it belongs to.';

create or replace view orch.audit with (security_barrier) as
select
    a.at,
    a.actor,
    a.action,
    a.run_id,
    a.workflow,
    a.tenant,
    a.reason,
    a.details
from _orch.audit as a
cross join (select) as read_only
where _orch.tenant_allowed(a.tenant)
order by a.audit_id desc;

revoke all on orch.audit from public;
grant select on orch.audit to orch_viewer;
comment on view orch.audit is 'What administrators did, the newest first; nobody can change or delete a row.';
comment on column orch.audit.at is 'When.';
comment on column orch.audit.actor is 'Who did it: role:NAME, token:NAME, or KIND:SUBJECT of an issuer of tokens.';
comment on column orch.audit.action is 'register, delete_run, erase, adopt, create_token or revoke_token.';
comment on column orch.audit.run_id is 'The run, where it was one.';
comment on column orch.audit.workflow is 'The workflow, or what the run ran.';
comment on column orch.audit.tenant is 'The tenant that it belonged to.';
comment on column orch.audit.reason is 'Why, in the words of who did it; null where nobody is asked.';
comment on column orch.audit.details is 'More, by the action: the state that a run was in and how many rows went, the version that is new, the name, role and end of a token.';
