-- What runs in code were asked to do.

create or replace view orch.updates with (security_barrier) as
select
    u.run_id,
    u.update_id as id,
    u.name,
    case
        when t.state = 'F' then 'refused'
        when a.state = 'F' then 'failed'
        when a.state is not null then 'completed'
        when r.state in ('S', 'F', 'T', 'C') then 'abandoned'
        when t.state is not null then 'accepted'
        else 'requested'
    end as state,
    e.payload -> 'input' as input,
    case when a.state = 'S' then o.payload end as output,
    case when t.state = 'F' or a.state = 'F' then o.payload end as error,
    regexp_replace(e.actor, '^role:', '') as sender,
    e.at as sent_at,
    case when t.state = 'S' then t.finished_at end as accepted_at,
    coalesce(a.finished_at, case when t.state = 'F' then t.finished_at end) as ended_at
from _orch.update as u
join _orch.run as r on r.run_id = u.run_id
join _orch.event as e on e.run_id = u.run_id and e.task_no = -1 and e.no = u.no
left join _orch.task as t on t.run_id = u.run_id and t.task_no = u.taken_by
left join _orch.task as a on a.run_id = u.run_id and a.task_no = u.answered_by
left join _orch.event as o on o.run_id = u.run_id and o.task_no = coalesce(a.task_no, t.task_no) and o.no = coalesce(a.output_no, t.output_no)
where _orch.tenant_allowed(r.tenant);

revoke all on orch.updates from public;
grant select on orch.updates to orch_viewer;
comment on view orch.updates is 'Updates sent to runs in code.';
comment on column orch.updates.run_id is 'The run.';
comment on column orch.updates.id is 'Its id, within the run.';
comment on column orch.updates.name is 'Its name.';
comment on column orch.updates.state is 'requested; accepted, and its handler is under way; completed or failed, with an answer; refused by its validation; abandoned: the run was over before.';
comment on column orch.updates.input is 'What came with it.';
comment on column orch.updates.output is 'The answer.';
comment on column orch.updates.error is 'Why it was refused, or what its handler failed with.';
comment on column orch.updates.sender is 'The role that sent it.';
comment on column orch.updates.sent_at is 'When it was sent.';
comment on column orch.updates.accepted_at is 'When the code accepted it.';
comment on column orch.updates.ended_at is 'When it was answered or refused.';
