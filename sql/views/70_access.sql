-- Who may come by HTTP.

create or replace view orch.tokens with (security_barrier) as
select
    t.name,
    t.role,
    t.tenant,
    t.created_at,
    t.created_by,
    t.expires_at,
    t.revoked_at,
    greatest(t.last_used_at, u.used_at) as last_used_at
from _orch.token as t
left join _orch.token_uses() as u on u.token_id = t.token_id
where _orch.tenant_allowed(t.tenant);

revoke all on orch.tokens from public;
grant select on orch.tokens to orch_admin;
comment on view orch.tokens is 'Every token that was ever created; none can be read from here.';
comment on column orch.tokens.name is 'Its name, which events and orch.audit show as token:NAME; given again only after the one before was revoked.';
comment on column orch.tokens.role is 'What it may do: viewer, operator, worker or admin.';
comment on column orch.tokens.tenant is 'The tenant that it acts for.';
comment on column orch.tokens.created_at is 'When it was created.';
comment on column orch.tokens.created_by is 'Who created it: role:NAME or token:NAME.';
comment on column orch.tokens.expires_at is 'When it ends by itself; null if it does not.';
comment on column orch.tokens.revoked_at is 'When it was revoked.';
comment on column orch.tokens.last_used_at is 'When it was used last; after a crash it may be a minute old.';
