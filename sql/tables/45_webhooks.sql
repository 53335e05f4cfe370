-- Who outside may start runs by a signature, and who outside is told of events. Secrets stand here alone, since both sides need them as they are.

create table _orch.hook (
    hook text primary key,
    tenant text not null,
    workflow text not null,
    secret text not null,
    format text not null,
    signature_header text not null,
    input jsonb,
    created_at timestamptz not null,
    created_by text not null,
    constraint hook_format check (format in ('github', 'standard', 'hex'))
);
comment on table _orch.hook is 'Inbound webhooks. The name is a part of the address, which names no tenant, so it is unique among all of them.';

create table _orch.notification (
    notification_id int generated always as identity primary key,
    tenant text not null,
    name text not null,
    workflow text,
    events smallint not null,
    url text not null,
    secret text not null,
    created_at timestamptz not null,
    created_by text not null,
    unique (tenant, name)
);
comment on table _orch.notification is 'Who is told of which events; workflow null: of all. events: a sum of bits, extension/core/webhook.cpp.';

create table _orch.delivery (
    run_id uuid primary key,
    notification_id int not null,
    about uuid not null,
    event_no int not null,
    kind smallint not null,
    dead_letter bigint,
    workflow text not null,
    at timestamptz not null
);
comment on table _orch.delivery is 'What a run of the workflow orch.notification is to send, written with it: the event of which run, or which dead letter. No reference to the notification: a settle would wait for whoever drops it.';
create index delivery_by_notification on _orch.delivery (notification_id, run_id);

select pg_catalog.pg_extension_config_dump('_orch.hook', '');
select pg_catalog.pg_extension_config_dump('_orch.notification', '');
select pg_catalog.pg_extension_config_dump('_orch.notification_notification_id_seq', '');
select pg_catalog.pg_extension_config_dump('_orch.delivery', '');
