-- Errors as people read them: message, detail and hint of each code.
select orch.register('{"id": "cycle", "tasks": {"a": {"handler": "x", "dependencies": ["c"]}, "b": {"handler": "x", "dependencies": ["a"]}, "c": {"handler": "x", "dependencies": ["b"]}, "d": {}}}');
select * from orch.validate('{"id": "several", "taks": {}, "tasks": {"a": {"handler": "x", "dependencies": ["b"], "retires": 3}, "c": {"handler": "x", "command": "y"}}}');
select orch.register('{"id": "errors", "defaults": {"queue": "errors", "retries": 0}, "tasks": {"only": {"handler": "noop"}}}');
select orch.register('{"id": "errors", "tasks": {"only": {"handler": "other"}}}', if_exists => 'error');
select orch.trigger('erors');
select orch.trigger('errors', version => 7);
select orch.trigger('errors', priority => 5000);
select orch.trigger('errors', source => 'schedule');
select orch.trigger(null);

select orch.trigger('errors', '{"n": 1}', idempotency_key => 'k') as run \gset
\set VERBOSITY terse
select orch.trigger('errors', '{"n": 2}', idempotency_key => 'k');
\set VERBOSITY default
select orch.result('00000000-0000-7000-8000-000000000000');
select orch.cancel('00000000-0000-7000-8000-000000000000');

select orch.worker_start('errors', '{errors}', '{noop}');
begin;
select orch.lease('errors');
rollback;
select orch.lease('errors', -1);
select orch.lease('errors', 1, '1 month');
select lease from orch.lease('errors') \gset
select orch.complete(:'lease', to_jsonb(repeat('x', 2000000)));
select orch.complete(:'lease', '1');
select orch.complete(:'lease', '2');
select orch.fail(:'lease', '"text"');
select orch.complete('nonsense', '1');
call orch.await_run(:'run', '30 s');
select orch.discard(0);
select * from orch.redrive(0);
select * from orch.redrive(filter => '{"color": "red"}');
select orch.graph('errors', 'jpeg');

set role orch_viewer;
select orch.trigger('errors');
select * from _orch.run;
reset role;
delete from orch.runs;
