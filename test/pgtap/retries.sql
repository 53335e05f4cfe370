-- Attempts: which failures are tried again and when, timeouts, and leases whose worker is gone. Time is moved, not slept.
\ir common.psql
create function pg_temp.due_in(run uuid) returns interval
language sql
as $$ select t.due_at - _orch.now() from orch.tasks t where t.run_id = run $$;

-- Retry with backoff -----------------------------------------------------------------------

select pg_temp.define('retries', '{"only": {"retries": 2, "retry_delay_seconds": 10, "retry_backoff": "exponential", "retry_jitter": 0}}');
select orch.worker_start('retries', '{retries}', '{noop}') as worker \gset
select orch.trigger('retries') as run \gset
select lease as l1, attempt as a1, idempotency_key as k1 from orch.lease('retries') \gset
select orch.fail(:'l1', '{"class": "transient", "message": "first"}');
select is(pg_temp.task(:'run', 'only'), 'scheduled', 'a transient failure is tried again later');
select ok(pg_temp.due_in(:'run') between '9 s' and '10 s', 'after the delay that the definition says');
select is((select error ->> 'message' from orch.tasks where run_id = :'run'), 'first', 'the task shows why');
select is((select kind from orch.timers where run_id = :'run'), 'retry', 'and the timer can be seen');
select is_empty($$ select * from orch.lease('retries') $$, 'nobody gets it before');
select lives_ok(format('select orch.fail(%L, ''{"class": "transient", "message": "first"}'')', :'l1'), 'the same failure again is no error');
select is(pg_temp.code(format('select orch.complete(%L)', :'l1')), 'OR011', 'but a success after it is refused');
select _orch.advance_clock('10 s') as now \gset
call pg_temp.wait_until(format('select pg_temp.task(%L, ''only'') = ''ready''', :'run'));
call pg_temp.lease_soon('retries');
select lease as l2, attempt as a2, idempotency_key as k2 from leased \gset
select is(:a2, 2, 'when its time has come it is attempt 2');
select is(:'k2'::text, :'k1'::text, 'with the same idempotency key');
select orch.fail(:'l2', '{"class": "handler", "message": "second"}');
select ok(pg_temp.due_in(:'run') between '19 s' and '20 s', 'the next delay is twice as long');
select _orch.advance_clock('20 s') as now \gset
call pg_temp.wait_until(format('select pg_temp.task(%L, ''only'') = ''ready''', :'run'));
call pg_temp.lease_soon('retries');
select lease as l3, attempt as a3 from leased \gset
select orch.fail(:'l3', '{"class": "handler", "message": "third"}');
call orch.await_run(:'run', '20 s');
select is(pg_temp.run(:'run') || ' ' || pg_temp.task(:'run', 'only'), 'failed failed', 'two retries are three attempts');
select results_eq(
    format('select attempt, state, worker, error ->> ''message'' from orch.attempts where run_id = %L order by 1', :'run'),
    $$ values (1, 'failed'::text, 'retries'::text, 'first'::text), (2, 'failed', 'retries', 'second'), (3, 'failed', 'retries', 'third') $$,
    'each attempt is remembered'
);
select is((select attempt || ' of ' || max_attempts from orch.tasks where run_id = :'run'), '3 of 3', 'and counted');
select is(
    replace(pg_temp.story(:'run', 'only'), ' settle_refused', ''), 'started retry_scheduled timer_fired started retry_scheduled timer_fired started failed',
    'and told in the history'
);

-- An error that says when ------------------------------------------------------------------------

select pg_temp.define('retries-after', '{"only": {"queue": "retries", "retries": 2, "retry_delay_seconds": 10, "retry_backoff": "fixed", "retry_jitter": 0}}');
select orch.trigger('retries-after') as run \gset
select lease from orch.lease('retries') \gset
select orch.fail(:'lease', '{"class": "resource", "retry_after_seconds": 90.5}');
select ok(pg_temp.due_in(:'run') between '89 s' and '90.5 s', 'an error may ask for a longer delay, past the cap');
select _orch.advance_clock('91 s') as now \gset
call pg_temp.wait_until(format('select pg_temp.task(%L, ''only'') = ''ready''', :'run'));
call pg_temp.lease_soon('retries');
select lease from leased \gset
select orch.fail(:'lease', '{"class": "resource", "retry_after_seconds": 1}');
select ok(pg_temp.due_in(:'run') between '9 s' and '10 s', 'but not for a shorter one');
select orch.cancel(:'run') as state \gset
select orch.trigger('retries-after') as run \gset
call pg_temp.lease_soon('retries');
select lease from leased \gset
select orch.fail(:'lease', '{"class": "resource", "retry_after_seconds": 1e400}');
select ok(pg_temp.due_in(:'run') between '23:59:50' and '24:00:00', 'nor for more than a day');
select orch.cancel(:'run') as state \gset

-- What is not tried again ----------------------------------------------------------------------

create function pg_temp.outcome(error jsonb, retry boolean default null) returns text
language plpgsql
as $$
declare
    v_lease text;
    v_run uuid;
begin
    select h.lease into v_lease from orch.heartbeat('retries') h;
    perform orch.fail(v_lease, error, retry);
    select t.state into v_lease from orch.tasks t where t.queue = 'retries-class' order by t.run_id desc limit 1;
    return v_lease;
end
$$;
select pg_temp.define('retries-class', '{"only": {"retries": 1, "retry_on": ["transient", "E1", "75"], "no_retry_on": ["E2"]}}');
select orch.worker_start('retries', '{retries-class}', '{noop}') as worker \gset
select orch.trigger('retries-class') as run \gset
select lease from orch.lease('retries') \gset
select is(pg_temp.outcome('{"class": "validation"}'), 'failed', 'a class that is not in retry_on is not tried again');
select orch.trigger('retries-class') as run \gset
select lease from orch.lease('retries') \gset
select is(pg_temp.outcome('{"class": "handler", "code": "E1"}'), 'scheduled', 'a code of retry_on is');
select orch.trigger('retries-class') as run \gset
select lease from orch.lease('retries') \gset
select is(pg_temp.outcome('{"class": "handler", "exit_code": 75}'), 'scheduled', 'an exit code of retry_on is');
select orch.trigger('retries-class') as run \gset
select lease from orch.lease('retries') \gset
select is(pg_temp.outcome('{"class": "transient", "code": "E2"}'), 'failed', 'no_retry_on wins');
select orch.trigger('retries-class') as run \gset
select lease from orch.lease('retries') \gset
select is(pg_temp.outcome('{"class": "transient"}', false), 'failed', 'and so does a worker that says no');
select orch.trigger('retries-class') as run \gset
select lease from orch.lease('retries') \gset
select is(pg_temp.outcome('{"class": "validation"}', true), 'scheduled', 'a worker that says yes overrules the class');

-- Timeouts ------------------------------------------------------------------------------------

select pg_temp.define('retries-timeout', '{"only": {"timeout_seconds": 30}}');
select orch.worker_start('retries', '{retries-timeout}', '{noop}') as worker \gset
select orch.trigger('retries-timeout') as run \gset
select lease from orch.lease('retries', 1, '1 hour') \gset
select _orch.advance_clock('35 s') as now \gset
call orch.await_run(:'run', '20 s');
select is(pg_temp.task(:'run', 'only'), 'timed_out', 'an attempt that is over its timeout times out, though its worker is silent');
select is((select error ->> 'class' from orch.tasks where run_id = :'run'), 'timeout', 'with an error of that class');
select is(pg_temp.code(format('select orch.complete(%L)', :'lease')), 'OR010', 'a result that comes later is refused: the lease was taken back');

select pg_temp.define('retries-run-timeout', more => '{"timeout_seconds": 60}');
select orch.trigger('retries-run-timeout') as run \gset
select is((select kind from orch.timers where run_id = :'run'), 'run_timeout', 'the timeout of a run is a timer');
select _orch.advance_clock('61 s') as now \gset
call orch.await_run(:'run', '20 s');
select is(pg_temp.run(:'run') || ' ' || pg_temp.task(:'run', 'only'), 'timed_out cancelled', 'a run that is over its timeout times out, with what had not started');
select orch.trigger('retries-run-timeout', timeout => '1 hour') as run \gset
select ok((select deadline_at - _orch.now() > '50 minutes' from orch.runs where run_id = :'run'), 'a trigger may give another timeout');
select orch.cancel(:'run') \g /dev/null
call orch.await_run(:'run', '20 s');
select _orch.advance_clock('40 minutes') as now \gset
select orch.retry(:'run') \g /dev/null
select ok((select deadline_at - _orch.now() between '50 minutes' and '1 hour' from orch.runs where run_id = :'run'), 'which counts anew when the run is reopened');
select orch.cancel(:'run') \g /dev/null
call orch.await_run(:'run', '20 s');
select orch.trigger('retries-run-timeout', run_at => _orch.now() + interval '1 minute', timeout => '2 hours') as run \gset
select _orch.advance_clock('1 minute') as now \gset
call pg_temp.wait_until(format('select pg_temp.run(%L) = ''running''', :'run'));
select orch.cancel(:'run') \g /dev/null
call orch.await_run(:'run', '20 s');
select orch.retry(:'run') \g /dev/null
select ok((select deadline_at - _orch.now() > '110 minutes' from orch.runs where run_id = :'run'), 'for a run that had to wait for its start as well');
select orch.cancel(:'run') \g /dev/null

-- Leases that are lost -------------------------------------------------------------------------

select pg_temp.define('retries-lost', '{"only": {"retries": 1, "retry_delay_seconds": 1, "retry_jitter": 0}}');
select orch.worker_start('retries', '{retries-lost}', '{noop}') as worker \gset
select orch.worker_start('retries heir', '{retries-lost}', '{noop}') as worker \gset
select orch.trigger('retries-lost') as run \gset
select lease as l1 from orch.lease('retries', 1, '10 s') \gset
select _orch.advance_clock('6 s') as now \gset
select is((select status from orch.heartbeat('retries')), 'ok', 'a heartbeat comes in time');
select _orch.advance_clock('6 s') as now \gset
select is((select status from orch.heartbeat('retries')), 'ok', 'and extends the lease');
select _orch.advance_clock('11 s') as now \gset
call pg_temp.wait_until(format('select pg_temp.task(%L, ''only'') <> ''running''', :'run'));
select is((select state from orch.attempts where run_id = :'run'), 'lost', 'a lease without a heartbeat expires, and the attempt counts');
select is((select error ->> 'class' from orch.attempts where run_id = :'run'), 'infrastructure', 'as a failure of the infrastructure');
select results_eq(
    format('select * from orch.heartbeat(''retries'', jsonb_build_object(%L, null))', :'l1'),
    format('values (%L::text, ''lost''::text)', :'l1'),
    'a worker that comes back and asks for it learns that it is lost'
);
select _orch.advance_clock('2 s') as now \gset
call pg_temp.wait_until(format('select pg_temp.task(%L, ''only'') = ''ready''', :'run'));
call pg_temp.lease_soon('retries heir');
select lease as l2 from leased \gset
select is(pg_temp.code(format('select orch.complete(%L)', :'l1')), 'OR010', 'its result is refused');
-- The refusal is written by the steward, whenever it comes to it.
call pg_temp.wait_until(format('select exists (select from orch.events where run_id = %L and kind = ''settle_refused'')', :'run'));
select orch.complete(:'l2', '"heir"');
select is(orch.result(:'run'), '{"only": "heir"}', 'that of the next one counts');
select is(
    pg_temp.story(:'run', 'only'), 'started lease_expired retry_scheduled timer_fired started settle_refused succeeded',
    'the history knows'
);

select * from finish();
