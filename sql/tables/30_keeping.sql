-- Plain tables beside the runs: idempotency keys, dead letters, workers, who took something away, and which cluster this database belongs to.

create table _orch.idempotency (
    workflow_id int not null references _orch.workflow,
    key text not null,
    run_id uuid not null,
    primary key (workflow_id, key)
);
comment on table _orch.idempotency is 'Which run an idempotency key stands for. Plain, since a key cannot be unique across partitions by run id.';

create table _orch.dead_letter (
    id bigint generated always as identity primary key,
    run_id uuid not null,
    task_no int not null,
    attempt smallint not null,
    state "char" not null,
    error jsonb,
    fingerprint text not null,
    created_at timestamptz not null,
    resolution text,
    resolved_at timestamptz,
    resolved_by text,
    constraint dead_letter_resolution check (resolution in ('redriven', 'discarded'))
);
comment on table _orch.dead_letter is 'A row for each task that ended failed or timed_out by itself; resolution is null while it is open.';
create index dead_letter_by_run on _orch.dead_letter (run_id, task_no);
create index dead_letter_open on _orch.dead_letter (id) where resolution is null;

create table _orch.parked_run (
    run_id uuid primary key,
    workflow_id int not null references _orch.workflow
);
comment on table _orch.parked_run is 'Runs in code that wait for other code, so that register_code finds them; whether one still does is asked of its row.';

-- Unlogged, and not in a dump: who asks is a session, and gone after a crash as well.
create unlogged table _orch.question (
    question_id uuid primary key,
    run_id uuid not null,
    token bigint,
    gives_up_at timestamptz not null,
    version_id int not null,
    worker_id int,
    answered boolean not null default false,
    name text not null,
    input jsonb,
    output jsonb,
    error jsonb
);
comment on table _orch.question is 'Queries of runs in code that somebody waits for at this moment; token and worker_id say who is to answer.';

create table _orch.worker (
    worker_id int generated always as identity primary key,
    tenant text not null default 'default',
    worker text not null,
    queues text[] not null,
    handlers text[],
    version text,
    metadata jsonb,
    started_at timestamptz not null,
    stopped_at timestamptz,
    unique (tenant, worker)
);
comment on table _orch.worker is 'Who has ever asked for work here. A worker is known by its id, never by its session. SQL runners work for all tenants and have the empty one.';

create table _orch.audit (
    audit_id bigint generated always as identity primary key,
    at timestamptz not null,
    actor text not null,
    action text not null,
    run_id uuid,
    workflow text,
    tenant text not null,
    reason text,
    details jsonb
);
comment on table _orch.audit is 'Insert-only: who took something out of the history, and what else administrators did. Names and not ids, since what they stand for may be gone.';
create index audit_by_run on _orch.audit (run_id);

create table _orch.installation (
    singleton boolean primary key default true check (singleton),
    system_identifier bigint not null,
    database_oid oid not null,
    adopted_at timestamptz not null,
    adopted_mark uuid
);
comment on table _orch.installation is 'The cluster and database that these rows belong to, and the mark of the data directory, if it had one: a copy of them elsewhere must not fire by itself.';

select pg_catalog.pg_extension_config_dump('_orch.idempotency', '');
select pg_catalog.pg_extension_config_dump('_orch.dead_letter', '');
select pg_catalog.pg_extension_config_dump('_orch.dead_letter_id_seq', '');
select pg_catalog.pg_extension_config_dump('_orch.parked_run', '');
select pg_catalog.pg_extension_config_dump('_orch.worker', '');
select pg_catalog.pg_extension_config_dump('_orch.worker_worker_id_seq', '');
select pg_catalog.pg_extension_config_dump('_orch.audit', '');
select pg_catalog.pg_extension_config_dump('_orch.audit_audit_id_seq', '');
select pg_catalog.pg_extension_config_dump('_orch.installation', '');
