-- Beside the feed: tickets for streams, and how far those who carry events elsewhere have come.

-- Not logged and not dumped: a ticket lives for a minute, and nobody should find one in a backup.
create unlogged table _orch.event_ticket (
    ticket_hash bytea primary key,
    name text not null,
    role text not null,
    tenant text not null,
    expires_at timestamptz,
    dies_at timestamptz not null
);
comment on table _orch.event_ticket is 'Tickets that were given out and not used yet, by their SHA-256: name, role and tenant of the request, and when its token expires.';

create table _orch.export (
    name text primary key,
    pos bigint not null,
    at timestamptz not null
);
comment on table _orch.export is 'Up to which position of the feed something was carried elsewhere.';

select pg_catalog.pg_extension_config_dump('_orch.export', '');
