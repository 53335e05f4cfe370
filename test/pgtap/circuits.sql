-- Circuit breakers: they open by failures in a row, hold their own tasks back and nobody else's, half-open by time, and close again. Fallbacks meanwhile.
\ir common.psql

create function pg_temp.circuit(name text) returns text
language sql
as $$ select concat_ws(' ', c.state, c.failures_in_row, c.waiting) from orch.circuits c where c.circuit = name $$;

-- Runs of a workflow of one task each, so many attempts of which fail, one after the other, with that class.
create procedure pg_temp.fail_times(workflow text, times int, class text)
language plpgsql
as $$
begin
    for i in 1 .. times loop
        perform orch.trigger(workflow);
        commit;
        call pg_temp.lease_soon('circuits');
        perform orch.fail(l.lease, jsonb_build_object('class', class, 'message', 'no')) from leased l;
        commit;
    end loop;
end
$$;

select pg_temp.define('circuits', '{"only": {"circuit": {"name": "api", "failures": 3, "open_seconds": 60, "successes": 2}}}') as version \gset
select pg_temp.define('circuits-free', '{"only": {}}', '{"defaults": {"queue": "circuits", "retries": 0}}') as version \gset
select orch.worker_start('circuits', '{circuits}', '{noop}') as worker \gset

-- Closed ------------------------------------------------------------------------------------

select is(pg_temp.circuit('api'), 'closed 0 0', 'a circuit is closed before anything happens');
call pg_temp.fail_times('circuits', 2, 'transient');
select is(pg_temp.circuit('api'), 'closed 2 0', 'failures in a row are counted');
call pg_temp.fail_times('circuits', 1, 'validation');
select is(pg_temp.circuit('api'), 'closed 2 0', 'but not those that say nothing of the other side');
select orch.trigger('circuits') as run \gset
call pg_temp.lease_soon('circuits');
select orch.complete(lease) from leased \gset
select is(pg_temp.circuit('api'), 'closed 0 0', 'a success sets the count back');
call pg_temp.fail_times('circuits', 2, 'timeout');
select orch.trigger('circuits') as run \gset
call pg_temp.lease_soon('circuits');
begin;
select orch.fail(lease, '{"class": "resource", "message": "no"}') from leased \gset
rollback;
select is(pg_temp.circuit('api'), 'closed 2 0', 'what is rolled back counts for nothing');
select orch.fail(lease, '{"class": "resource", "message": "no"}') from leased \gset

-- Open --------------------------------------------------------------------------------------

select is(pg_temp.circuit('api'), 'open 3 0', 'three failures in a row open it');
select is((select half_open_at - opened_at from orch.circuits where circuit = 'api'), interval '60 s', 'for as long as the definition says');
select is((select status || ': ' || left(detail, 15) from orch.health where "check" = 'circuits'), 'warning: Not closed: api', 'orch.health warns of it');
select orch.trigger('circuits') as first \gset
select orch.trigger('circuits') as second \gset
select orch.trigger('circuits-free') as free \gset
call pg_temp.lease_soon('circuits');
select is((select run_id from leased), :'free'::uuid, 'its tasks wait, and those behind them do not');
select orch.complete(lease) from leased \gset
select is_empty($$ select * from orch.lease('circuits', 10) $$, 'nobody gets them');
select is(pg_temp.circuit('api'), 'open 3 2', 'they are shown to wait');
select is((select t.attempt || ' ' || t.state from orch.tasks t where t.run_id = :'first'), '0 ready', 'and use up no attempt');
select is((select reason from orch.why(:'first', 'only')), 'circuit_open', 'orch.why tells why');
select matches((select detail from orch.why(:'first', 'only')), '^Circuit "api" opened at .* after 3 failures in a row. The next attempt is let through at .*, in [0-9]+ s', 'and when one is tried');
select _orch.advance_clock('59 s') as now \gset
select is_empty($$ select * from orch.lease('circuits') $$, 'a moment before its time it is still open');

-- Half-open -----------------------------------------------------------------------------------

select _orch.advance_clock('2 s') as now \gset
select count(*) as leased, min(lease) as lease from orch.lease('circuits', 10) \gset
select is(:leased, 1, 'then one attempt is let through, not two');
select is((select state || ' ' || probing from orch.circuits where circuit = 'api'), 'half_open true', 'it is half-open');
select is((select reason from orch.why(:'second', 'only')), 'circuit_open', 'the other one waits on');
select orch.fail(:'lease', '{"class": "transient", "message": "still no"}');
select is(pg_temp.circuit('api'), 'open 4 1', 'a failure opens it again');
select is_empty($$ select * from orch.lease('circuits') $$, 'for as long as before');
select _orch.advance_clock('61 s') as now \gset
select lease from orch.lease('circuits', 10) \gset
select count(*) as refused from orch.release(array[:'lease']) \gset
call pg_temp.lease_soon('circuits');
select is((select run_id from leased), :'second'::uuid, 'a probe that is given back makes room for the next');
select orch.complete(lease) from leased \gset
select is((select state from orch.circuits where circuit = 'api'), 'half_open', 'one success is not enough');
select orch.trigger('circuits') as third \gset
select orch.trigger('circuits') as fourth \gset
select count(*) as leased, min(lease) as lease from orch.lease('circuits', 10) \gset
select is(:leased, 1, 'it still lets one at a time through');
select orch.complete(:'lease');
select is((select state || ' ' || failures_in_row from orch.circuits where circuit = 'api'), 'closed 0', 'two in a row close it');
call pg_temp.lease_soon('circuits');
select orch.complete(lease) from leased \gset
select is((select status from orch.health where "check" = 'circuits'), 'ok', 'and orch.health is content');

-- A worker that goes away with the probe ------------------------------------------------------

call pg_temp.fail_times('circuits', 3, 'infrastructure');
select orch.trigger('circuits') as run \gset
select _orch.advance_clock('61 s') as now \gset
select count(*) as leased from orch.lease('circuits') \gset
select is(:leased, 1, 'a probe is out');
select _orch.advance_clock('31 s') as now \gset
call pg_temp.wait_until($$ select state = 'open' from orch.circuits where circuit = 'api' $$);
select is(pg_temp.circuit('api'), 'open 4 0', 'its lost lease is a failure');

-- By hand -------------------------------------------------------------------------------------

select orch.trigger('circuits') as run \gset
select is_empty($$ select * from orch.lease('circuits') $$, 'it is open');
select ok(orch.reset_circuit('api'), 'reset_circuit closes it');
select ok(not orch.reset_circuit('api'), 'and says whether it had to');
select is(pg_temp.code($$ select orch.reset_circuit('nobody') $$), '42704', 'there has to be such a circuit');
call pg_temp.lease_soon('circuits');
select is((select run_id from leased), :'run'::uuid, 'its tasks start again');
select orch.complete(lease) from leased \gset

-- Fallback ------------------------------------------------------------------------------------

select pg_temp.define('circuits-fallback',
    '{"a": {"noop": true, "input": {"n": 7}}, "b": {"dependencies": ["a"], "retries": 1, "retry_delay_seconds": 3600, "retry_jitter": 0, "circuit": {"failures": 1}, "fallback": {"n": "{{ tasks.a.output.n }}"}},
      "c": {"noop": true, "dependencies": ["b"], "input": "{{ tasks.b.output.n }}"}}') as version \gset
select pg_temp.define('circuits-broken', '{"only": {"circuit": {"name": "noop", "failures": 1}, "fallback": "{{ input.missing }}"}}', '{"defaults": {"queue": "circuits-fallback", "retries": 0}}') as version \gset
select orch.worker_start('circuits', '{circuits-fallback}', '{noop}') as worker \gset
select orch.trigger('circuits-fallback') as run \gset
call pg_temp.lease_soon('circuits');
select is((select task_id from leased), 'b', 'a closed circuit gives tasks with a fallback to workers');
select orch.trigger('circuits-fallback') as waited \gset
call pg_temp.wait_until(format('select pg_temp.task(%L, ''b'') = ''ready''', :'waited'));
select orch.fail(lease, '{"class": "transient", "message": "no"}') from leased \gset
call orch.await_run(:'waited', '20 s');
select is(pg_temp.run(:'waited') || ' ' || pg_temp.story(:'waited', 'b'), 'succeeded succeeded', 'a task that waits when the circuit opens succeeds by its fallback');
select orch.trigger('circuits-fallback') as later \gset
call orch.await_run(:'later', '20 s');
select is((select output from orch.results(:'later') where task_id = 'c'), '7', 'so does one that becomes ready later; what follows sees the value');
select is((select (data - 'output')::text || (data ->> 'output') from orch.events where run_id = :'later' and task_id = 'b'), '{"circuit": "noop", "fallback": true}{"n": 7}', 'its event is marked');
select is((select attempt from orch.tasks where run_id = :'later' and task_id = 'b'), 0, 'it had no attempt');
select is((select circuit from orch.circuits where circuit = 'noop'), 'noop', 'the circuit of a handler has its name');
select orch.trigger('circuits-broken') as broken \gset
call orch.await_run(:'broken', '20 s');
select is((select state || ' ' || (error ->> 'code') from orch.tasks where run_id = :'broken'), 'failed template_unresolved', 'a fallback that cannot be resolved fails the task');
select is((select count(*) from orch.dead_letters where run_id = :'broken'), 1::bigint, 'with a dead letter');
select _orch.advance_clock('3601 s') as now \gset
call pg_temp.lease_soon('circuits');
select is((select task_id || ' ' || attempt from leased), 'b 2', 'a retry that is due when the circuit half-opens goes to a worker');
select orch.complete(lease, '{"n": 1}') from leased \gset
call orch.await_run(:'run', '20 s');
select is(pg_temp.run(:'run'), 'succeeded', 'and its run ends');
select lives_ok(format('select * from orch.explain(%L)', :'later'), 'a run with a fallback can be explained');
select is_empty('select * from orch.replay_check()', 'and replayed');

-- Steps that code starts ---------------------------------------------------------------------------

select version from orch.register_code('circuits-code', options => '{"queue": "circuits-code"}') \gset
select orch.worker_start('circuits', '{circuits-code}', '{:code/circuits-code@1,noop}') as worker \gset
select orch.trigger('circuits-code') as run \gset
call pg_temp.lease_soon('circuits');
select is(pg_temp.code(format('select orch.record(%L, ''[{"id": "x#1", "handler": "noop", "circuit": {"fails": 1}}]'')', lease)), '22023', 'a circuit that is none') from leased;
select orch.suspend(lease, '{"steps": [{"id": "x#1", "handler": "noop", "retries": 0, "circuit": {"name": "code", "failures": 1}}], "any": ["x#1"]}') from leased \gset
call pg_temp.lease_soon('circuits');
select orch.fail(lease, '{"class": "transient", "message": "no"}') from leased where task_id = 'x#1' \gset
select is(pg_temp.circuit('code'), 'open 1 0', 'a step that code starts counts for its circuit');
call pg_temp.lease_soon('circuits');
select orch.suspend(lease, '{"steps": [{"id": "y#1", "handler": "noop", "circuit": "code", "fallback": {"n": 0}}], "any": ["y#1"]}') from leased where task_id = 'main' \gset
call pg_temp.lease_soon('circuits');
select is((select string_agg(h.id || ' ' || h.state || coalesce(' ' || h.output::text, ''), ', ' order by h.no) from leased l, orch.history(l.lease) h), 'x#1 failed, y#1 succeeded {"n": 0}', 'and waits for it, or takes its fallback');
select orch.complete(lease) from leased where task_id = 'main' \gset
call orch.await_run(:'run', '20 s');
select is_empty('select * from orch.replay_check()', 'which replays');

-- More than memory has room for ------------------------------------------------------------------

select orch.reset_circuit('noop') as noop, orch.reset_circuit('code') as code \gset
select pg_temp.define('circuits-many', (select jsonb_object_agg('t' || i, jsonb_build_object('circuit', 'many' || i)) from generate_series(1, 140) i)) as version \gset
select orch.worker_start('circuits', '{circuits-many}', '{noop}') as worker \gset
select orch.trigger('circuits-many') as run \gset
select is((select status || ': ' || left(detail, 34) from orch.health where "check" = 'circuits'), 'warning: More than 128 circuits are in use:', 'orch.health warns of circuits without a place');
select count(orch.complete(lease)) as settled from orch.lease('circuits', 200) \gset
call orch.await_run(:'run', '20 s');
select is(pg_temp.run(:'run'), 'succeeded', 'whose tasks run as if they had none');

select * from finish();
