-- Access by HTTP: tokens, and who is let in how often.

create or replace function orch.create_token(
    name text,
    role text,
    tenant text default null,
    expires timestamptz default null
)
returns text
language c volatile parallel unsafe
as 'MODULE_PATHNAME', 'orch_create_token';
revoke execute on function orch.create_token(text, text, text, timestamptz) from public;
grant execute on function orch.create_token(text, text, text, timestamptz) to orch_admin;
comment on function orch.create_token(text, text, text, timestamptz) is
    'Makes a token for the HTTP bridge and returns it, which is the only time that it is shown: a hash of it is kept. role is viewer, operator, worker or admin; tenant is the caller''s own where none is given. A name that a token of the tenant has: 23505.';

create or replace function orch.revoke_token(name text)
returns boolean
language c volatile parallel unsafe
as 'MODULE_PATHNAME', 'orch_revoke_token';
revoke execute on function orch.revoke_token(text) from public;
grant execute on function orch.revoke_token(text) to orch_admin;
comment on function orch.revoke_token(text) is
    'Revokes a token of the caller''s tenant: from the commit on it opens nothing, at any bridge. False if there is none of that name, or it was revoked before.';

create or replace function orch.admit(
    token_hash bytea default null,
    address text default null,
    subject text default null,
    out status text,
    out name text,
    out role text,
    out tenant text,
    out expires_at timestamptz,
    out rate_limit int,
    out rate_remaining int,
    out rate_reset_seconds int,
    out retry_after_seconds int
)
returns record
language c volatile parallel unsafe
as 'MODULE_PATHNAME', 'orch_admit';
revoke execute on function orch.admit(bytea, text, text) from public;
grant execute on function orch.admit(bytea, text, text) to orch_bridge;
comment on function orch.admit(bytea, text, text) is
    'What a bridge asks at each request: whose token has this SHA-256, and may he ask once more. Counts against the token, against the subject that an issuer vouches for, or else against the address. status is ok, anonymous (neither token nor subject), unknown, expired, revoked or limited, and then retry_after_seconds says for how long; rates are null where orch.http_rate sets no limit. Writes nothing.';

create or replace function _orch.token_uses()
returns table (
    token_id int,
    used_at timestamptz
)
language c volatile parallel unsafe
as 'MODULE_PATHNAME', 'orch_private_token_uses';
revoke execute on function _orch.token_uses() from public;
grant execute on function _orch.token_uses() to orch_admin;
comment on function _orch.token_uses() is 'When tokens were used, where no row tells it yet.';

create or replace function _orch.is_bridge_session()
returns boolean
language c stable parallel unsafe
as 'MODULE_PATHNAME', 'orch_private_is_bridge_session';
revoke execute on function _orch.is_bridge_session() from public;
comment on function _orch.is_bridge_session() is 'Whether this session is a bridge''s, whose word on tenant and token counts.';
