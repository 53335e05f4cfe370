-- Hooks, notifications and what was sent; never a secret.

create or replace view orch.hooks with (security_barrier) as
select
    h.hook,
    h.workflow,
    h.format,
    h.signature_header,
    h.input,
    h.tenant,
    h.created_at,
    h.created_by
from _orch.hook as h
cross join (select) as read_only
where _orch.tenant_allowed(h.tenant);

revoke all on orch.hooks from public;
grant select on orch.hooks to orch_viewer;
comment on view orch.hooks is 'By which addresses somebody outside can start runs.';
comment on column orch.hooks.hook is 'Its name: POST /api/v1/hooks/NAME.';
comment on column orch.hooks.workflow is 'What it starts.';
comment on column orch.hooks.format is 'How a delivery is signed: github, standard or hex.';
comment on column orch.hooks.signature_header is 'The header that carries the signature.';
comment on column orch.hooks.input is 'The template of the run''s input; null: the body is the input.';
comment on column orch.hooks.tenant is 'The tenant that it belongs to.';
comment on column orch.hooks.created_at is 'When it was made.';
comment on column orch.hooks.created_by is 'Who made it.';

create or replace view orch.notifications with (security_barrier) as
select
    n.name,
    n.workflow,
    _orch.notified_events(n.events) as events,
    _orch.url_origin(n.url) as url,
    n.tenant,
    n.created_at,
    n.created_by
from _orch.notification as n
cross join (select) as read_only
where _orch.tenant_allowed(n.tenant);

revoke all on orch.notifications from public;
grant select on orch.notifications to orch_viewer;
comment on view orch.notifications is 'Who outside is told of which events.';
comment on column orch.notifications.name is 'Its name.';
comment on column orch.notifications.workflow is 'The workflow whose events it tells; null: all.';
comment on column orch.notifications.events is 'The events that it tells.';
comment on column orch.notifications.url is 'Where it tells them, without the path, which may be a secret by itself.';
comment on column orch.notifications.tenant is 'The tenant that it belongs to.';
comment on column orch.notifications.created_at is 'When it was made.';
comment on column orch.notifications.created_by is 'Who made it.';

create or replace view orch.deliveries with (security_barrier) as
select
    d.run_id,
    n.name as notification,
    case d.kind when 0 then 'dead_letter' else _orch.event_kind(d.kind) end as event,
    d.about,
    d.workflow,
    d.dead_letter,
    d.at,
    _orch.run_state(r.state) as state,
    t.attempt::int as attempts,
    r.finished_at,
    n.tenant
from _orch.delivery as d
join _orch.notification as n on n.notification_id = d.notification_id
left join _orch.run as r on r.run_id = d.run_id
left join _orch.task as t on t.run_id = d.run_id and t.task_no = 0
where _orch.tenant_allowed(n.tenant)
order by d.run_id desc;

revoke all on orch.deliveries from public;
grant select on orch.deliveries to orch_viewer;
comment on view orch.deliveries is 'What notifications have sent or are about to, the newest first. Each is a run of the workflow orch.notification: orch.attempts has its answers, orch.dead_letters those that were given up.';
comment on column orch.deliveries.run_id is 'The run that sends it, and the webhook-id that its receiver sees.';
comment on column orch.deliveries.notification is 'The notification.';
comment on column orch.deliveries.event is 'What it tells.';
comment on column orch.deliveries.about is 'The run that it tells of.';
comment on column orch.deliveries.workflow is 'The workflow of that run.';
comment on column orch.deliveries.dead_letter is 'The dead letter, where it tells of one.';
comment on column orch.deliveries.at is 'When the event was.';
comment on column orch.deliveries.state is 'The state of the run that sends it: succeeded when it was taken.';
comment on column orch.deliveries.attempts is 'How often it was tried.';
comment on column orch.deliveries.finished_at is 'When it was taken, or given up.';
comment on column orch.deliveries.tenant is 'The tenant that it belongs to.';
