-- Who may come by HTTP.

create table _orch.token (
    token_id int generated always as identity primary key,
    tenant text not null,
    name text not null,
    role text not null,
    hash bytea not null unique,
    created_at timestamptz not null,
    created_by text not null,
    expires_at timestamptz,
    revoked_at timestamptz,
    last_used_at timestamptz,
    constraint token_role check (role in ('viewer', 'operator', 'worker', 'admin')),
    constraint token_hash check (length(hash) = 32)
);
comment on table _orch.token is 'Tokens, by the SHA-256 of each and never the token itself. Those that were revoked stay, since events name them; a name may be given again then.';
create unique index token_by_name on _orch.token (tenant, name) where revoked_at is null;

select pg_catalog.pg_extension_config_dump('_orch.token', '');
select pg_catalog.pg_extension_config_dump('_orch.token_token_id_seq', '');
