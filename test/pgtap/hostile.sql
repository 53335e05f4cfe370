-- What somebody who means ill, or slipped, may send: a clear error, and nothing done.
\ir common.psql
select pg_temp.define('hostile');
select orch.worker_start('hostile', '{hostile}', '{noop}') as worker \gset

-- Names that are not names ------------------------------------------------------------------

select is(pg_temp.code(format('select orch.trigger(%L)', n)), 'OR002', 'no workflow is called ' || left(to_json(n)::text, 40))
from unnest(array['', ' ', '''; drop table x; --', '"', '\', '{{ input }}', repeat('x', 100000), e'a\nb', '💥', '../../etc/passwd', '%s%n', '$1']) n;
select is(pg_temp.code(format('select orch.register(%L)', jsonb_build_object('id', n, 'tasks', jsonb_build_object('a', jsonb_build_object('handler', 'x'))))), 'OR001', 'no id is ' || left(to_json(n)::text, 40))
from unnest(array['', ' ', 'a b', '-a', '.a', 'a''b', 'ä', repeat('x', 129), e'a\tb', '💥']) n;
select lives_ok(format('select orch.register(%L)', jsonb_build_object('id', n, 'tasks', jsonb_build_object('a', jsonb_build_object('handler', 'x')))), 'an id may be ' || left(n, 40))
from unnest(array['a', '_', '0', 'a-b_c.d/e+f:g', 'select', repeat('x', 128)]) n;

-- Definitions ----------------------------------------------------------------------------------

select is(pg_temp.code(format('select orch.register(%L)', repeat('[', 100000))), 'OR001', 'brackets a hundred thousand deep');
select is(pg_temp.code(format('select orch.register(%L)', '{"id": "h", "tasks": {"a": {"handler": "x", "input": ' || repeat('[', 100) || repeat(']', 100) || '}}}')), 'OR001', 'more than 64 levels');
select is(pg_temp.code($t$ select orch.register('{"id": "h", "tasks": {"a": {"handler": "\u0000"}}}') $t$), 'OR001', 'an escaped NUL');
select is(pg_temp.code($t$ select orch.register('{"id": "h", "tasks": {"a": {"handler": "\ud800"}}}') $t$), 'OR001', 'half a surrogate pair');
select is(pg_temp.code($t$ select orch.register('{"id": "h", "tasks": {"a": {"handler": "x"}}} trailing') $t$), 'OR001', 'something after the end');
select is(pg_temp.code($t$ select orch.register('{"id": "h", "tasks": {"a": {"handler": "x", "retries": 1e999}}}') $t$), 'OR001', 'a number beyond all numbers');
select is(pg_temp.code($t$ select orch.register('{"id": "h", "tasks": {"a": {"sql": "select {{ input.x }}"}}}') $t$), 'OR001', 'a template in SQL');
select is(pg_temp.code($t$ select orch.register('{"id": "h", "tasks": {"a": {"command": "rm {{ input.x }}"}}}') $t$), 'OR001', 'a template in a shell string');
select is(pg_temp.code($t$ select orch.register('{"id": "h", "tasks": {"a": {"command": ["sh", "-c", "rm {{ input.x }}"]}}}') $t$), 'OR001', 'a template after sh -c');
select is(pg_temp.code($t$ select orch.register('{"id": "h", "tasks": {"a": {"handler": "x", "when": "$.a ? ("}}}') $t$), 'OR001', 'a condition that is no path');
select is((select count(*) from orch.workflows where workflow = 'h'), 0::bigint, 'none of which was registered');

-- Inputs ---------------------------------------------------------------------------------------

select lives_ok(format('select orch.trigger(''hostile'', %L)', to_jsonb(v)), 'an input may hold ' || left(quote_literal(v), 40))
from unnest(array['{{ secrets.TOKEN }}', '''; drop table x; --', '\u0000', repeat('x', 1000000)]) v;
select lives_ok(format('select orch.trigger(''hostile'', %L)', v), 'an input may be ' || v)
from unnest(array['null', 'true', '17', '"text"', '[]', '1e100']) v;
select lease, input from orch.lease('hostile', 1) \gset
select pass('and all that can be leased');

select is(
    (select count(*) from orch.exchange('hostile', (select jsonb_agg(jsonb_build_object('lease', l, 'output', 1)) from unnest(array['', 'x', repeat('A', 80), repeat('A', 100000), '../..', '💥']) l), 0) where status = 'lost'),
    6::bigint,
    'leases that nobody gave are lost, each of them'
);
select is(pg_temp.code(format('select * from orch.complete_many(''hostile'', %L)', v)), '22023', 'results cannot be ' || v)
from unnest(array['null', '1', '"x"', '{}', 'true']) v;
select is(pg_temp.code(format('select orch.worker_start(%L)', v)), '22023', 'no worker is called ' || left(quote_literal(v), 40))
from unnest(array['', repeat('w', 129)]) v;
select is(pg_temp.code($$ select orch.worker_start('hostile', '{}') $$), '22023', 'a worker without a queue');
select is(pg_temp.code(format('select orch.worker_start(''hostile'', handlers => array[%L])', v)), '22023', 'no worker serves ' || v)
from unnest(array[':sql/postgres', ':admission', ':', ':noop']) v;
select is(pg_temp.code(format(c, 'sql/postgres#1')), '22023', 'nobody speaks for a SQL runner: ' || c)
from unnest(array['select orch.worker_start(%L)', 'select orch.worker_stop(%L)', 'select orch.heartbeat(%L)',
    'call orch.await_work(%L)']) c;
select isnt(pg_temp.code($$ select orch.worker_start('hostile', array[null]::text[]) $$), 'no error', 'a queue that is null');
select is(pg_temp.code($$ select orch.log('x', '[]') $$), 'OR010', 'lines for no lease');
select is(pg_temp.code(format('select orch.log(%L, ''{"stream": "stdout"}'')', :'lease')), '22023', 'lines that are no array');
select is(pg_temp.code(format('select * from orch.why(%L)', v)), 'OR003', 'nobody knows run ' || v)
from unnest(array['00000000-0000-0000-0000-000000000000', 'ffffffff-ffff-ffff-ffff-ffffffffffff', '0193cdd0-0000-7000-8000-000000000000']) v;
select is(pg_temp.code($$ select orch.trigger('hostile', run_at => 'infinity') $$), '22023', 'a run at the end of time');
select is(pg_temp.code(format('select orch.trigger(''hostile'', timeout => %L)', v)), '22023', 'a timeout of ' || v)
from unnest(array['-1 s', '0', '102 years', '296517 years', '1000000 years', '178000000 years', '-178000000 years']) v;
select is(pg_temp.code($$ select orch.trigger('hostile', idempotency_key => repeat('k', 5000)) $$), '22023', 'a key of five thousand bytes');

-- A path of the caller's own does not reach what the engine runs.
create schema hostile_path;
create function hostile_path.now() returns timestamptz language sql as $$ select 1 / 0, now() limit 0; select null::timestamptz $$;
create operator hostile_path.= (leftarg = uuid, rightarg = uuid, procedure = pg_catalog.uuid_ne);
set search_path = hostile_path, pg_catalog, public;
select public.lives_ok($$ select orch.trigger('hostile') $$, 'the engine does not look where its caller looks');
reset search_path;
drop schema hostile_path cascade;

select * from finish();
