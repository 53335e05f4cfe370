-- Bare tables for the floor. item: what any queue must write, a row that is taken and completed. run, task, event: the rows that orch writes, with keys of 8 bytes.
drop table if exists item, item_log, run, task, event;
create table item (
    id bigint primary key,
    state smallint not null default 0,
    payload jsonb not null,
    created_at timestamptz not null default now(),
    started_at timestamptz,
    done_at timestamptz
)
with (fillfactor = 70);
create index on item (id) where state = 0;
create table item_log (id bigint generated always as identity primary key, state smallint not null default 0, payload jsonb not null, created_at timestamptz not null default now());
create table run (
    run_id bigint primary key,
    created_at timestamptz not null,
    finished_at timestamptz,
    version_id int not null,
    no int not null,
    state "char" not null,
    source text not null
)
with (fillfactor = 50);
create table task (
    run_id bigint,
    token bigint,
    ready_at timestamptz,
    started_at timestamptz,
    finished_at timestamptz,
    task_no int not null,
    version_id int not null,
    worker_id int,
    no int not null,
    attempt smallint not null,
    state "char" not null,
    input jsonb,
    primary key (run_id, task_no)
)
with (fillfactor = 30);
create table event (
    run_id bigint,
    at timestamptz not null,
    pos bigint not null,
    task_no int not null,
    no int not null,
    kind smallint not null,
    attempt smallint,
    actor text,
    payload jsonb,
    primary key (run_id, task_no, no)
);
insert into item (id, payload)
select i, '{"n": 1}'
from generate_series(1, :n) as i;
insert into run
select i, now(), null, 1, 2, 'r', 'api'
from generate_series(1, :n) as i;
insert into task
select i, null, now(), null, null, 0, 1, null, 0, 0, 'y', '{"n": 1}'
from generate_series(1, :n) as i;
vacuum analyze item, run, task;
checkpoint;
