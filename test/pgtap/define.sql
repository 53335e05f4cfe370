-- register, validate, plan, graph: versions, problems, and what a definition becomes.
\ir common.psql

-- register --------------------------------------------------------------------------

select results_eq(
    $$ select * from orch.register('{"id": "define", "tasks": {"a": {"handler": "x"}, "b": {"handler": "y", "dependencies": ["a"]}}}') $$,
    $$ values ('define'::text, 1, true) $$,
    'the first definition of a workflow is version 1'
);
select results_eq(
    $$ select * from orch.register('{"tasks": {"a": {"handler": "x"}, "b": {"dependencies": ["a"], "handler": "y"}}, "id":   "define"}') $$,
    $$ values ('define'::text, 1, false) $$,
    'the same content in other words is no new version'
);
select results_eq(
    $$ select * from orch.register('{"id": "define", "tasks": {"a": {"handler": "x"}, "b": {"handler": "y", "dependencies": ["a"]}}}'::jsonb) $$,
    $$ values ('define'::text, 1, false) $$,
    'text and jsonb are the same definition'
);
select results_eq(
    $$ select * from orch.register('{"id": "define", "tasks": {"a": {"handler": "x"}}}') $$,
    $$ values ('define'::text, 2, true) $$,
    'other content is the next version'
);
select results_eq(
    $$ select version from orch.register('{"id": "define", "tasks": {"a": {"handler": "x"}, "b": {"handler": "y", "dependencies": ["a"]}}}') $$,
    $$ values (3) $$,
    'going back to earlier content is a new version too, for it becomes the current one'
);
select is(
    pg_temp.code($$ select orch.register('{"id": "define", "tasks": {"z": {"handler": "z"}}}', if_exists => 'error') $$),
    '42710',
    'if_exists => error refuses a workflow that exists'
);
select results_eq(
    $$ select created from orch.register('{"id": "define-fresh", "tasks": {"z": {"handler": "z"}}}', if_exists => 'error') $$,
    $$ values (true) $$,
    'and takes one that does not'
);
select is(pg_temp.code($$ select orch.register('{"id": "define", "tasks": {"z": {"handler": "z"}}}', if_exists => 'perhaps') $$), '22023', 'if_exists knows two words');

-- if_version: whoever writes names what he has read.
select is(
    pg_temp.code($$ select orch.register('{"id": "define-fresh", "tasks": {"y": {"handler": "z"}}}', if_version => 2) $$),
    'OR021',
    'if_version refuses to follow another version'
);
select is(
    pg_temp.code($$ select orch.register('{"id": "define-none", "tasks": {"y": {"handler": "z"}}}', if_version => 1) $$),
    'OR021',
    'if_version refuses where there is no version'
);
select results_eq(
    $$ select version, created from orch.register('{"id": "define-fresh", "tasks": {"y": {"handler": "z"}}}', if_version => 1) $$,
    $$ values (2, true) $$,
    'if_version lets follow the version that it names'
);
select results_eq(
    $$ select version, created from orch.register('{"id": "define-zero", "tasks": {"y": {"handler": "z"}}}'::jsonb, if_version => 0) $$,
    $$ values (1, true) $$,
    'if_version 0 is for a workflow that has none'
);
select is(
    pg_temp.code($$ select orch.register('{"id": "define-zero", "tasks": {"y": {"handler": "z"}}}', if_version => 0) $$),
    'OR021',
    'if_version 0 refuses one that has'
);
select is((select max(version) from orch.versions where workflow = 'define'), 3, 'what was refused left no version');
select is((select version from orch.workflows where workflow = 'define'), 3, 'the view shows the current version');
select results_eq(
    $$ select version, created_by::text from orch.versions where workflow = 'define' order by 1 $$,
    $$ values (1, current_user::text), (2, current_user::text), (3, current_user::text) $$,
    'every version is kept, with the role that registered it'
);
select is(
    (select spec -> 'tasks' -> 'b' ->> 'handler' from orch.versions where workflow = 'define' and version = 1),
    'y',
    'an old version can be read as it was'
);

-- Problems ----------------------------------------------------------------------------

select is_empty($$ select * from orch.validate('{"id": "fine", "tasks": {"a": {"handler": "x"}}}') where severity = 'error' $$, 'a good definition has no problem');
select is_empty($$ select * from orch.workflows where workflow = 'fine' $$, 'validate stores nothing');
select set_eq(
    $$ select path from orch.validate('{"id": "", "tasks": {"a": {"handler": "x", "dependencies": ["nobody"]}, "b": {}, "c": {"handler": "x", "retries": -1}}}') where severity = 'error' $$,
    $$ values ('/id'), ('/tasks/a/dependencies/0'), ('/tasks/b'), ('/tasks/c/retries') $$,
    'every problem is reported at once, by its JSON Pointer'
);
select ok(
    (select bool_and(code ~ '^[a-z_]+$' and message <> '' and message !~ '\.$') from orch.validate('{"id": "x", "tasks": {}}')),
    'a problem has a code in snake_case and a message'
);
select is(pg_temp.code($$ select orch.register('{"id": "cycle", "tasks": {"a": {"handler": "x", "dependencies": ["b"]}, "b": {"handler": "x", "dependencies": ["a"]}}}') $$), 'OR001', 'a cycle is refused');
select matches(
    (select message from orch.validate('{"id": "cycle", "tasks": {"a": {"handler": "x", "dependencies": ["b"]}, "b": {"handler": "x", "dependencies": ["a"]}}}') where code = 'cycle'),
    'a.*b',
    'and shown with its path'
);
select is(pg_temp.code($$ select orch.register('{"id": ') $$), 'OR001', 'text that is no JSON is refused');
select is(pg_temp.code($$ select orch.register('{"id": "twice", "id": "twice", "tasks": {"a": {"handler": "x"}}}') $$), 'OR001', 'duplicate keys are refused');
select is(pg_temp.code($$ select orch.register(null::text) $$), '22004', 'nothing is no definition');
select is(pg_temp.code($$ select orch.register('[]'::jsonb) $$), 'OR001', 'an array is no definition');
select is((select count(*) from orch.workflows where workflow in ('cycle', 'twice', '')), 0::bigint, 'no half of it was registered');
select is(
    (select count(*) from orch.validate((select jsonb_build_object('id', 'many', 'tasks', jsonb_object_agg('t' || n, '{}'::jsonb)) from generate_series(1, 500) n))),
    101::bigint,
    'a hundred problems are shown, and one line tells how many more there are'
);

-- Plan and graph ------------------------------------------------------------------------

select results_eq(
    $$ select task_no, task_id, level, dependencies, on_critical_path from orch.plan('define', 3) $$,
    $$ values (0, 'a'::text, 0, '{}'::text[], true), (1, 'b', 1, '{a}', true) $$,
    'the plan lists the tasks in topological order with their levels'
);
select is((select count(*) from orch.plan('define', 2)), 1::bigint, 'an old version has its own plan');
select is((select count(*) from orch.plan('define')), 2::bigint, 'without a version it is the current one');
select is(pg_temp.code($$ select * from orch.plan('nobody') $$), 'OR002', 'an unknown workflow has no plan');
select is(pg_temp.code($$ select * from orch.plan('define', 99) $$), 'OR002', 'an unknown version has no plan');
select matches(orch.graph('define'), 'a', 'the graph as text names the tasks');
select matches(orch.graph('define', 'mermaid'), '^(graph|flowchart) ', 'the graph as mermaid');
select matches(orch.graph('define', format => 'dot'), '^digraph ', 'the graph as DOT');
select is(pg_temp.code($$ select orch.graph('define', 'jpeg') $$), '22023', 'there is no other format');
select is(pg_temp.code($$ select orch.graph('nobody') $$), 'OR002', 'an unknown workflow has no graph');
select is(pg_temp.code($$ select orch.graph(gen_random_uuid()) $$), 'OR003', 'an unknown run has no graph');

select * from finish();
