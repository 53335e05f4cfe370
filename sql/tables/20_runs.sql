-- What runs. Seven parents, range-partitioned by run id (a UUID v7, so by time), with no key and no index on any of them: a key on a partitioned
-- parent that belongs to an extension breaks pg_restore. The leaves are made by _orch.make_partitions, ahead of time, with their keys, before ATTACH.
--
-- The columns of runs and tasks begin with what never changes, then come those that change together: an update's record of the WAL leaves out what begins
-- and ends like the row before it. The engine goes by their numbers (extension/engine/columns.hpp).

create table _orch.run (
    run_id uuid not null,
    parent_run_id uuid,
    created_at timestamptz not null,
    started_at timestamptz,
    run_at timestamptz,
    deadline_at timestamptz,
    timeout_us bigint,
    version_id int not null,
    parent_task_no int,
    priority smallint not null default 0,
    state "char" not null,
    outcome "char",
    no int not null,
    finished_at timestamptz,
    tenant text not null default 'default',
    source text not null,
    idempotency_key text,
    tags jsonb,
    traceparent text,
    asked boolean,
    constraint run_state check (state in ('q', 'd', 'r', 'p', 'c', 'S', 'F', 'T', 'C'))
) partition by range (run_id);
comment on table _orch.run is 'One row a run. no counts its own events; outcome is how it will end once its finally tasks are over; timeout_us is the timeout that the trigger asked for; asked: updates were sent to it. Letters of states: extension/core/states.hpp.';

create table _orch.task (
    run_id uuid not null,
    task_no int not null,
    version_id int not null,
    route_id int,
    priority smallint not null default 0,
    attempts_before smallint not null default 0,
    ready_at timestamptz,
    token bigint,
    started_at timestamptz,
    worker_id int,
    no int not null default 0,
    attempt smallint not null default 0,
    state "char" not null,
    flags "char" not null default '0',
    output_no int,
    finished_at timestamptz,
    due_at timestamptz,
    item jsonb,
    input jsonb,
    constraint task_state check (state in ('p', 'y', 'r', 'd', 'w', 'S', 'F', 'T', 'K', 'U', 'C'))
) partition by range (run_id);
comment on table _orch.task is 'One row for everything that runs: planned tasks now; map items, remote steps and child runs take the next task_no. no counts its events, output_no names the one that brought the output or the last error. due_at: when a scheduled or waiting task goes on. attempts_before: attempts that do not count, those before a reopen and the released ones. item: the definition of one that code made; of code''s main, while it waits: what for. input: replaces the definition''s since a redrive; of one that code made: its input.';

create table _orch.event (
    run_id uuid not null,
    at timestamptz not null,
    pos bigint not null,
    task_no int not null,
    no int not null,
    kind smallint not null,
    attempt smallint,
    actor text,
    payload jsonb,
    facts jsonb
) partition by range (run_id);
comment on table _orch.event is 'The append-only history: (run_id, task_no, no) is causal order, task_no -1 is the run itself; pos is the order of the feed. payload: the input of run_triggered, the output of a success, the error of a failure, else an object of details. facts: what was measured, beside the payload.';

create table _orch.log (
    run_id uuid not null,
    at timestamptz not null,
    task_no int not null,
    attempt smallint not null,
    line_no int not null,
    stream text not null,
    line text not null
) partition by range (run_id);
comment on table _orch.log is 'Log lines of attempts: stdout, stderr, notices of SQL tasks, lines sent by workers.';

create table _orch.progress (
    run_id uuid not null,
    at timestamptz not null,
    task_no int not null,
    attempt smallint not null,
    progress jsonb not null
) partition by range (run_id);
comment on table _orch.progress is 'What attempts told last of how far they are, for those who look and for the attempt that comes next. Partitioned like its runs, so that it goes with them and no settle has to delete it.';

create table _orch.signal (
    run_id uuid not null,
    no int not null,
    taken_by int,
    name text not null
) partition by range (run_id);
comment on table _orch.signal is 'Signals sent to runs: no is that of the run''s event signal_sent, which has the payload; taken_by the number of the task that got it, null while nobody has.';

create table _orch.update (
    run_id uuid not null,
    no int not null,
    taken_by int,
    answered_by int,
    update_id text not null,
    name text not null
) partition by range (run_id);
comment on table _orch.update is 'Updates sent to runs in code: no is that of the run''s event update_sent, which has the input; taken_by the number of the journal''s entry that accepted or refused it, answered_by of the one that holds its answer.';

select pg_catalog.pg_extension_config_dump('_orch.run', '');
select pg_catalog.pg_extension_config_dump('_orch.task', '');
select pg_catalog.pg_extension_config_dump('_orch.event', '');
select pg_catalog.pg_extension_config_dump('_orch.log', '');
select pg_catalog.pg_extension_config_dump('_orch.progress', '');
select pg_catalog.pg_extension_config_dump('_orch.signal', '');
select pg_catalog.pg_extension_config_dump('_orch.update', '');
