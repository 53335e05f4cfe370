-- Runs of every shape, for test/lib/record_histories. A handler's name says what its worker does: fine, bad, flaky (bad at first), back (given back at
-- first), lost (never heard of again at first), late (the same, and settles when it is too late), stays (keeps running).
set client_min_messages = warning;
set timezone = 'UTC';

create table recorded (name text primary key, document text not null);

create function define(id text, tasks jsonb, more jsonb default '{}') returns int
language sql
as $$
    select version
    from orch.register(jsonb_build_object('id', id, 'tasks', tasks, 'defaults', '{"retries": 0, "retry_delay_seconds": 1, "retry_jitter": 0}'::jsonb) || more)
$$;

-- One task of any run, done as its handler's name says; false where there is none.
create procedure work(inout worked boolean)
language plpgsql
as $$
declare
    v_lease record;
begin
    commit;
    select * into v_lease from orch.lease('worker', 1, '10 s');
    worked := found;
    if not worked or v_lease.handler = 'stays' then
        return;
    end if;
    case
        when v_lease.handler in ('lost', 'late') and v_lease.attempt = 1 then
            commit;
            perform _orch.advance_clock('11 s');
            while exists (select from _orch.task t where t.run_id = v_lease.run_id and t.state = 'r') loop
                commit;
                perform pg_sleep(0.02);
            end loop;
            if v_lease.handler = 'late' then
                perform orch.complete_many('worker', jsonb_build_array(jsonb_build_object('lease', v_lease.lease, 'output', 'late')));
            end if;
        when v_lease.handler = 'back' and v_lease.attempt = 1 then
            perform orch.release(array[v_lease.lease]);
        when v_lease.handler = 'bad' or (v_lease.handler = 'flaky' and v_lease.attempt = 1) then
            perform orch.fail(v_lease.lease, '{"class": "handler", "code": "bad", "message": "as it was told"}');
        else
            perform orch.complete(v_lease.lease, jsonb_build_object('attempt', v_lease.attempt));
    end case;
    commit;
end
$$;

-- Works until the run has that state and what is left for workers is done; time passes where there is no work.
create procedure go(run uuid, until text)
language plpgsql
as $$
declare
    v_worked boolean;
    v_end timestamptz := clock_timestamp() + interval '60 seconds';
begin
    loop
        call work(v_worked);
        continue when v_worked;
        exit when exists (select from orch.runs r where r.run_id = run and r.state = until)
            and (until not in ('running', 'cancelling') or not exists (select from orch.tasks t where t.run_id = run and t.state in ('ready', 'scheduled')));
        commit;
        perform _orch.advance_clock('100 ms');
        perform pg_sleep(0.02);
        if clock_timestamp() > v_end then
            raise exception 'run % never was %', run, until;
        end if;
    end loop;
end
$$;

-- At most so many tasks.
create procedure work(times int)
language plpgsql
as $$
declare
    v_worked boolean;
begin
    for i in 1..times loop
        call work(v_worked);
        perform pg_sleep(0.1);
    end loop;
end
$$;

create function document(run uuid) returns text
language sql
as $$
    select format(
        E'{"definition": %s,\n"run": {"state": "%s", "events": %s},\n"tasks": [\n%s\n],\n"events": [\n%s\n]}',
        v.spec, r.state, r.no,
        (
            select string_agg(jsonb_build_object('id', coalesce(p.task_id, t.item ->> 'id'), 'state', t.state, 'events', t.no, 'output_no', coalesce(t.output_no, 0),
                'attempt', t.attempt, 'attempts_before', t.attempts_before)::text, E',\n' order by t.task_no)
            from _orch.task t
            left join _orch.version_task p using (version_id, task_no)
            where t.run_id = r.run_id
        ),
        (
            select string_agg(jsonb_strip_nulls(jsonb_build_object('task_no', e.task_no, 'no', e.no, 'kind', e.kind, 'attempt', e.attempt)
                || case when e.payload is null then '{}' else jsonb_build_object('payload', e.payload) end
                || case when e.facts ? 'state' then jsonb_build_object('facts', e.facts) else '{}' end)::text, E',\n' order by e.pos)
            from _orch.event e
            where e.run_id = r.run_id
        )
    )
    from _orch.run r
    join _orch.version v using (version_id)
    where r.run_id = run
$$;

-- A run as it is now, under a name, once the steward has looked at it.
create procedure record(name text, run uuid)
language plpgsql
as $$
begin
    while exists (select task_id, state from orch.replay(run) where task_id is not null except select t.task_id, t.state from orch.tasks t where t.run_id = run) loop
        commit;
        perform pg_sleep(0.02);
    end loop;
    insert into recorded values (name, document(run));
end
$$;

select orch.worker_start('worker', '{default}', '{fine,bad,flaky,back,lost,late,stays}') as worker \gset

-- Ends ---------------------------------------------------------------------------------------------

select define('chain', '{"a": {"handler": "fine"}, "b": {"handler": "fine", "dependencies": ["a"]}}') as v \gset
select orch.trigger('chain') as run \gset
call go(:'run', 'succeeded');
call record('chain', :'run');

select define('joins', '{"a": {"handler": "fine"}, "b": {"handler": "fine"}, "c": {"handler": "fine", "dependencies": ["a"]},
    "d": {"handler": "fine", "dependencies": ["a", "b", "c"]}}', '{"output": {"d": "{{ tasks.d.output }}"}}') as v \gset
select orch.trigger('joins') as run \gset
call go(:'run', 'succeeded');
call record('joins', :'run');

select define('engine', '{"start": {"noop": true, "input": {"n": 3}}, "few": {"decision": {"left": "{{ tasks.start.output.n }}", "op": "<", "right": 5}, "dependencies": ["start"]},
    "yes": {"handler": "fine", "when": "$.tasks.few.output.result == true", "dependencies": ["few"]},
    "no": {"handler": "fine", "when": "$.tasks.few.output.result == false", "dependencies": ["few"]},
    "nap": {"sleep": 5, "dependencies": ["yes"]}, "row": {"sql": "select 1 as one", "dependencies": ["nap"]},
    "end": {"noop": true, "dependencies": ["row", "no"], "trigger_rule": "none_failed"}}') as v \gset
select orch.trigger('engine') as run \gset
call go(:'run', 'succeeded');
call record('skip_decision_sleep_sql', :'run');

select define('retry', '{"flaky": {"handler": "flaky", "retries": 2}, "lost": {"handler": "lost", "retries": 1, "dependencies": ["flaky"]},
    "late": {"handler": "late", "retries": 1, "dependencies": ["lost"]}, "back": {"handler": "back", "dependencies": ["late"]}}') as v \gset
select orch.trigger('retry') as run \gset
call go(:'run', 'succeeded');
call record('retry_lost_refused_released', :'run');

select define('fast', '{"bad": {"handler": "bad"}, "below": {"handler": "fine", "dependencies": ["bad"]}, "beside": {"sleep": 3600},
    "after": {"handler": "fine", "dependencies": ["beside"]}}', '{"finally": {"tidy": {"handler": "fine"}}}') as v \gset
select orch.trigger('fast') as run \gset
call go(:'run', 'failed');
call record('fail_fast_with_finally', :'run');

select define('on', '{"bad": {"handler": "bad"}, "below": {"handler": "fine", "dependencies": ["bad"]}, "beside": {"handler": "fine"},
    "rescue": {"handler": "fine", "dependencies": ["bad"], "trigger_rule": "one_failed"}, "any": {"handler": "fine", "dependencies": ["below", "rescue"], "trigger_rule": "all_done"}}',
    '{"on_failure": "continue"}') as v \gset
select orch.trigger('on') as run \gset
call go(:'run', 'succeeded');
call record('continue_handled', :'run');

select define('unresolved', '{"a": {"handler": "fine"}, "here": {"noop": true, "input": "{{ tasks.a.output.nothing }}", "dependencies": ["a"]}}') as v \gset
select orch.trigger('unresolved') as run \gset
call go(:'run', 'failed');
call record('template_unresolved_in_engine', :'run');

select define('unresolved_lease', '{"a": {"handler": "fine"}, "b": {"handler": "fine", "input": "{{ tasks.a.output.nothing }}", "dependencies": ["a"]}}') as v \gset
select orch.trigger('unresolved_lease') as run \gset
call go(:'run', 'failed');
call record('template_unresolved_at_lease', :'run');

-- Stopped ------------------------------------------------------------------------------------------

select define('cancel', '{"a": {"handler": "fine"}, "nap": {"sleep": 3600, "dependencies": ["a"]}, "b": {"handler": "fine", "dependencies": ["nap"]},
    "again": {"handler": "bad", "retries": 5, "retry_delay_seconds": 3600}}', '{"finally": {"tidy": {"handler": "fine"}}, "on_failure": "continue"}') as v \gset
select orch.trigger('cancel') as run \gset
call work(3);
select orch.cancel(:'run') as state \gset
call go(:'run', 'cancelled');
call record('cancel_with_finally', :'run');
select orch.trigger('cancel') as run \gset
call work(3);
select orch.cancel(:'run', force => true) as state \gset
call go(:'run', 'cancelled');
call record('cancel_by_force', :'run');

select define('stopped', '{"a": {"handler": "stays"}, "b": {"handler": "fine", "dependencies": ["a"]}}') as v \gset
select orch.trigger('stopped') as run \gset
call work(3);
select orch.cancel(:'run') as state \gset
select _orch.advance_clock('11 s') as now \gset
call go(:'run', 'cancelled');
call record('cancelled_while_it_ran', :'run');

select define('slow', '{"a": {"handler": "stays", "timeout_seconds": 5, "retries": 1}, "b": {"handler": "fine", "dependencies": ["a"]}}') as v \gset
select orch.trigger('slow') as run \gset
call go(:'run', 'failed');
call record('attempts_timed_out', :'run');

select define('deadline', '{"a": {"handler": "fine"}, "nap": {"sleep": 3600, "dependencies": ["a"]}, "b": {"handler": "fine", "dependencies": ["nap"]}}',
    '{"timeout_seconds": 60, "finally": {"tidy": {"noop": true}}}') as v \gset
select orch.trigger('deadline') as run \gset
call work(3);
select _orch.advance_clock('61 s') as now \gset
call go(:'run', 'timed_out');
call record('run_timed_out', :'run');

-- Words from outside, and other runs ---------------------------------------------------------------

select define('words', '{"early": {"signal": {"name": "e"}}, "late": {"signal": {"name": "l"}, "dependencies": ["early"]}, "ask": {"approval": {}}, "never": {"signal": {"name": "n", "timeout_seconds": 5}},
    "rescue": {"noop": true, "dependencies": ["never"], "trigger_rule": "one_failed"}}') as v \gset
select orch.trigger('words') as run \gset
select orch.signal(:'run', 'e', '1') as sent \gset
call work(3);
do $$ begin while not exists (select from orch.approvals) loop commit; perform pg_sleep(0.02); end loop; end $$;
select orch.signal(:'run', 'l', '2'), orch.signal(:'run', 'unheard') \gset
select orch.approve(:'run', 'ask') as done \gset
select _orch.advance_clock('6 s') as now \gset
call go(:'run', 'succeeded');
call record('signals_and_approvals', :'run');

select define('leaf', '{"a": {"handler": "flaky", "retries": 0}}') as v \gset
select define('children', '{"again": {"workflow": {"id": "leaf"}, "retries": 1, "retry_on": ["child_failed"]}, "loose": {"workflow": {"id": "chain", "wait": false}}, "nobody": {"workflow": {"id": "unheard-of"}}}',
    '{"on_failure": "continue"}') as v \gset
select orch.trigger('children') as run \gset
call go(:'run', 'failed');
call record('children', :'run');
select define('closes', '{"child": {"workflow": {"id": "open-child"}}, "b": {"handler": "fine", "dependencies": ["child"]}}') as v \gset
select define('open-child', '{"waits": {"signal": {"name": "s"}}}') as v \gset
select orch.trigger('closes') as run \gset
do $$ begin while not exists (select from orch.runs where workflow = 'open-child') loop commit; perform pg_sleep(0.02); end loop; end $$;
select orch.cancel(run_id) as state from orch.runs where workflow = 'open-child' \gset
call go(:'run', 'failed');
call record('child_cancelled', :'run');
select orch.retry(:'run') as state \gset
do $$ begin while (select count(*) from orch.runs where workflow = 'open-child') < 2 loop commit; perform pg_sleep(0.02); end loop; end $$;
select orch.cancel(:'run') as state \gset
call go(:'run', 'cancelled');
call record('cancelled_with_its_child', :'run');

-- Once more ----------------------------------------------------------------------------------------

select define('again', '{"a": {"handler": "fine"}, "b": {"handler": "flaky", "dependencies": ["a"]}, "c": {"handler": "fine", "dependencies": ["b"]}}',
    '{"finally": {"tidy": {"handler": "fine"}, "told": {"noop": true, "dependencies": ["tidy"]}}}') as v \gset
select orch.trigger('again') as run \gset
call go(:'run', 'failed');
select orch.retry(:'run') as state \gset
call go(:'run', 'succeeded');
call record('retried', :'run');
select orch.trigger('again') as run \gset
call go(:'run', 'failed');
select orch.redrive(id, '{"other": "input"}') as redriven from orch.dead_letters where run_id = :'run' \gset
call go(:'run', 'succeeded');
call record('redriven', :'run');

-- Not over -----------------------------------------------------------------------------------------

select define('open', '{"done": {"handler": "fine"}, "runs": {"handler": "stays"}, "waits": {"sleep": 86400}, "later": {"handler": "bad", "retries": 1, "retry_delay_seconds": 86400},
    "idle": {"handler": "nobody", "dependencies": ["done"]}, "behind": {"handler": "fine", "dependencies": ["runs", "waits"]}}', '{"on_failure": "continue", "max_active_runs": 1}') as v \gset
select orch.trigger('open') as run \gset
call work(5);
call record('running', :'run');
select orch.trigger('open') as waiting \gset
call record('queued', :'waiting');
select orch.trigger('open', run_at => _orch.now() + '1 day') as run \gset
call record('scheduled', :'run');
select orch.trigger('open', run_at => _orch.now() + '1 second') as run \gset
select _orch.advance_clock('2 s') as now \gset
call go(:'run', 'queued');
call record('scheduled_then_queued', :'run');
select orch.trigger('open') as run \gset
select orch.cancel(:'run') as state \gset
call go(:'run', 'cancelled');
call record('cancelled_in_the_queue', :'run');

-- Workflows in code --------------------------------------------------------------------------------

select version from orch.register_code('code') \gset
select orch.worker_start('coder', '{default}', '{:code/code@1}') as worker \gset
select orch.trigger('code') as run \gset
select lease from orch.lease('coder') \gset
select orch.record(:'lease', '[{"id": "here#1", "output": 1}, {"id": "bad#1", "handler": "bad", "retries": 0}, {"id": "colour#1", "tags": {"colour": "red"}}]') as done \gset
call work(1);
select orch.suspend(:'lease', '{"steps": [{"id": "fine#1", "handler": "flaky", "retry_delay_seconds": 1, "seen": ["bad#1"]}, {"id": "nap#1", "sleep": 1}], "all": ["fine#1", "nap#1"]}') as answer \gset
call record('code_waits', :'run');
create procedure go_until(run uuid, task text, until text)
language plpgsql
as $$
declare
    v_worked boolean;
begin
    while not exists (select from orch.tasks t where t.run_id = run and t.task_id = task and t.state = until) loop
        call work(v_worked);
        commit;
        perform _orch.advance_clock('100 ms');
        perform pg_sleep(0.02);
    end loop;
end
$$;
call go_until(:'run', 'main', 'ready');
select lease from orch.lease('coder') \gset
select orch.suspend(:'lease', '{"steps": [{"id": "bad#2", "handler": "bad", "retries": 0}], "any": ["bad#2"]}') as answer \gset
call go_until(:'run', 'main', 'ready');
select lease from orch.lease('coder') \gset
select orch.record(:'lease', '[{"id": "there#1", "error": {"class": "handler", "message": "no"}}]') as done \gset
select orch.fail(:'lease', '{"class": "handler", "message": "no"}') as done \gset
call go(:'run', 'failed');
call record('code_failed', :'run');
select orch.retry(:'run') as state \gset
call go_until(:'run', 'main', 'ready');
select lease from orch.lease('coder', 1, '1 hour') \gset
select orch.park(:'lease', '{"message": "other code"}') as done \gset
call record('code_parked', :'run');
select orch.unpark(:'run') as done \gset
select lease from orch.lease('coder', 1, '1 hour') \gset
select orch.record(:'lease', '[{"id": "there#1", "output": 2}, {"id": "long#1", "sleep": 86400}, {"id": "stays#1", "handler": "stays"}]') as done \gset
call work(3);
select orch.complete(:'lease', '{"done": true}') as done \gset
call record('code_leaves_a_step_running', :'run');
select orch.trigger('code') as run \gset
select lease from orch.lease('coder') \gset
select orch.suspend(:'lease', '{"steps": [{"id": "long#1", "sleep": 86400}], "any": ["long#1"]}') as answer \gset
select orch.cancel(:'run') as state \gset
call go(:'run', 'cancelled');
call record('code_cancelled', :'run');
