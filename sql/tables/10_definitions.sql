-- What can be run: workflows, their immutable versions, and the routes that their tasks take to a worker.

create table _orch.workflow (
    workflow_id int generated always as identity primary key,
    tenant text not null default 'default',
    workflow text not null,
    version int not null,
    version_id int not null,
    paused boolean not null default false,
    created_at timestamptz not null,
    unique (tenant, workflow)
);
comment on table _orch.workflow is 'One row a workflow; version and version_id are those that a trigger takes.';

create table _orch.version (
    version_id int generated always as identity primary key,
    workflow_id int not null references _orch.workflow,
    version int not null,
    spec jsonb not null,
    created_by name not null,
    created_at timestamptz not null,
    unique (workflow_id, version)
);
comment on table _orch.version is 'Immutable definitions. created_by is the role that SQL tasks of this version run as.';

create table _orch.route (
    route_id int generated always as identity primary key,
    tenant text not null,
    queue text not null,
    handler text not null,
    circuit text not null default '',
    fallback boolean not null default false,
    unique (tenant, queue, handler, circuit, fallback)
);
comment on table _orch.route is 'The way of a task to those who can run it: tenant, queue, handler. Executors of our own stand as :command, :http, :callable and :sql/ROLE. Tasks with a circuit, and with a fallback beside it, have routes of their own, so that they wait for it alone.';

create table _orch.version_task (
    version_id int not null references _orch.version,
    task_no int not null,
    task_id text not null,
    name text,
    executor text not null,
    handler text,
    queue text not null,
    route_id int references _orch.route,
    level int not null,
    is_finally boolean not null,
    max_attempts int not null,
    dependencies text[] not null,
    primary key (version_id, task_no)
);
comment on table _orch.version_task is 'The planned tasks of a version as rows, for people and views; the engine compiles its plan from the spec.';
create unique index version_task_by_id on _orch.version_task (version_id, task_id);

select pg_catalog.pg_extension_config_dump('_orch.workflow', '');
select pg_catalog.pg_extension_config_dump('_orch.workflow_workflow_id_seq', '');
select pg_catalog.pg_extension_config_dump('_orch.version', '');
select pg_catalog.pg_extension_config_dump('_orch.version_version_id_seq', '');
select pg_catalog.pg_extension_config_dump('_orch.route', '');
select pg_catalog.pg_extension_config_dump('_orch.route_route_id_seq', '');
select pg_catalog.pg_extension_config_dump('_orch.version_task', '');
