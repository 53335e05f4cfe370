-- Define: register and validate a definition, see its plan and its graph.

create or replace function orch.register(
    spec text,
    if_exists text default 'version',
    if_version int default null,
    out workflow text,
    out version int,
    out created boolean
)
returns record
language c volatile parallel unsafe
as 'MODULE_PATHNAME', 'orch_register';
revoke execute on function orch.register(text, text, int) from public;
grant execute on function orch.register(text, text, int) to orch_admin;
comment on function orch.register(text, text, int) is
    'Validates a definition given as JSON text and stores it as the next version of its workflow; the same content again is no new version. if_exists => ''error'' refuses a workflow that exists, if_version one whose current version is another (OR021; 0 for one that has none). Invalid: OR001 with every problem in the detail.';

create or replace function orch.register(
    spec jsonb,
    if_exists text default 'version',
    if_version int default null,
    out workflow text,
    out version int,
    out created boolean
)
returns record
language c volatile parallel unsafe
as 'MODULE_PATHNAME', 'orch_register_jsonb';
revoke execute on function orch.register(jsonb, text, int) from public;
grant execute on function orch.register(jsonb, text, int) to orch_admin;
comment on function orch.register(jsonb, text, int) is
    'As register(text), for a definition that is jsonb already; duplicate keys are gone by then and cannot be reported.';

create or replace function orch.validate(spec text)
returns table (
    severity text,
    path text,
    code text,
    message text,
    detail text,
    hint text
)
language c volatile parallel unsafe
as 'MODULE_PATHNAME', 'orch_validate';
revoke execute on function orch.validate(text) from public;
grant execute on function orch.validate(text) to orch_viewer;
comment on function orch.validate(text) is
    'Every problem of a definition at once, none if it can be registered; path is a JSON Pointer, severity is error or warning.';

create or replace function orch.validate(spec jsonb)
returns table (
    severity text,
    path text,
    code text,
    message text,
    detail text,
    hint text
)
language c volatile parallel unsafe
as 'MODULE_PATHNAME', 'orch_validate_jsonb';
revoke execute on function orch.validate(jsonb) from public;
grant execute on function orch.validate(jsonb) to orch_viewer;
comment on function orch.validate(jsonb) is
    'As validate(text), for a definition that is jsonb already.';

create or replace function orch.plan(workflow text, version int default null)
returns table (
    task_no int,
    task_id text,
    level int,
    dependencies text[],
    on_critical_path boolean
)
language c stable parallel unsafe
as 'MODULE_PATHNAME', 'orch_plan';
revoke execute on function orch.plan(text, int) from public;
grant execute on function orch.plan(text, int) to orch_viewer;
comment on function orch.plan(text, int) is
    'The tasks of a workflow in topological order, with the level of each and whether it lies on the longest path; of its current version unless one is given.';

create or replace function orch.graph(target text, format text default 'text')
returns text
language c stable parallel unsafe
as 'MODULE_PATHNAME', 'orch_graph';
revoke execute on function orch.graph(text, text) from public;
grant execute on function orch.graph(text, text) to orch_viewer;
comment on function orch.graph(text, text) is
    'The graph of a workflow, or of a run with the state of each task where the text is a UUID; format is text, mermaid or dot.';

-- Without this form orch.graph(run_id) would need a cast, since uuid does not become text by itself.
create or replace function orch.graph(run uuid, format text default 'text')
returns text
language sql stable parallel unsafe
set search_path = pg_catalog, pg_temp
as $$ select orch.graph(run::text, format) $$;
revoke execute on function orch.graph(uuid, text) from public;
grant execute on function orch.graph(uuid, text) to orch_viewer;
comment on function orch.graph(uuid, text) is
    'The graph of a run with the state of each task; format is text, mermaid or dot.';
