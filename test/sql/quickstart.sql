-- The first conversation that anybody has with orch, as the README shows it.
select * from orch.register($json$
{
    "id": "nightly_sales",
    "defaults": {"queue": "sales"},
    "tasks": {
        "extract": {"handler": "extract", "input": {"day": "{{ input.day }}"}},
        "load":    {"handler": "load", "dependencies": ["extract"], "input": {"rows": "{{ tasks.extract.output.rows }}"}},
        "notify":  {"handler": "notify", "dependencies": ["load"], "when": "$.tasks.load.output.count > 100"}
    }
}
$json$);
select * from orch.plan('nightly_sales');
select orch.graph('nightly_sales');
select orch.trigger('nightly_sales', '{"day": "2026-11-20"}', idempotency_key => 'sales-2026-11-20') as run \gset
select workflow, version, state, source, input from orch.runs where run_id = :'run';

-- Any process that can run SQL is a worker.
select orch.worker_start('worker-1', '{sales}', '{extract,load,notify}');
select task_id, attempt, executor, handler, spec, input from orch.lease('worker-1');
select orch.complete(lease, '{"rows": [3, 4]}') from orch.heartbeat('worker-1');
select task_id, state, reason from orch.why(:'run') order by task_id nulls first;
call orch.await_work('worker-1');
select task_id, attempt, executor, handler, spec, input from orch.lease('worker-1');
select orch.complete(lease, '{"count": 2}') from orch.heartbeat('worker-1');
call orch.await_run(:'run', '30 s');

-- What became of it.
select workflow, state, output from orch.runs where run_id = :'run';
select task_id, state, attempt, worker, output from orch.tasks where run_id = :'run' order by task_no;
select task_id, no, kind, actor, data from orch.events where run_id = :'run' order by task_id nulls first, no;
select * from orch.results(:'run');
select orch.graph(:'run');
select task_id, state, reason from orch.why(:'run') order by task_id nulls first;
