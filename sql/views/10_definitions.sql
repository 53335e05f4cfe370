-- What can be run.

create or replace view orch.workflows with (security_barrier) as
select
    w.workflow,
    w.version,
    v.spec ->> 'name' as name,
    v.spec ->> 'owner' as owner,
    w.paused,
    v.spec -> 'tags' as tags,
    w.created_at,
    v.spec ->> 'description' as description,
    w.tenant
from _orch.workflow as w
join _orch.version as v on v.version_id = w.version_id
where _orch.tenant_allowed(w.tenant);

revoke all on orch.workflows from public;
grant select on orch.workflows to orch_viewer;
comment on view orch.workflows is 'One row a workflow, as its current version describes it.';
comment on column orch.workflows.workflow is 'The id that it is triggered by.';
comment on column orch.workflows.version is 'The version that a trigger takes.';
comment on column orch.workflows.name is 'Its label.';
comment on column orch.workflows.owner is 'Who it belongs to, as the definition says; a label only.';
comment on column orch.workflows.paused is 'Whether its runs are held back.';
comment on column orch.workflows.tags is 'Tags of the definition.';
comment on column orch.workflows.created_at is 'When its first version was registered.';
comment on column orch.workflows.description is 'What it is for, as the definition says.';
comment on column orch.workflows.tenant is 'The tenant that it belongs to.';

create or replace view orch.versions with (security_barrier) as
select
    w.workflow,
    v.version,
    v.spec,
    v.created_at,
    v.created_by,
    v.spec ->> 'version' as label,
    w.tenant
from _orch.version as v
join _orch.workflow as w on w.workflow_id = v.workflow_id
where _orch.tenant_allowed(w.tenant);

revoke all on orch.versions from public;
grant select on orch.versions to orch_viewer;
comment on view orch.versions is 'Every version of every workflow; they never change.';
comment on column orch.versions.workflow is 'The workflow''s id.';
comment on column orch.versions.version is 'Counted from 1 within the workflow.';
comment on column orch.versions.spec is 'The definition as it was registered.';
comment on column orch.versions.created_at is 'When it was registered.';
comment on column orch.versions.created_by is 'The role that registered it, and that its SQL tasks run as.';
comment on column orch.versions.label is 'The author''s own version label.';
comment on column orch.versions.tenant is 'The tenant that it belongs to.';
