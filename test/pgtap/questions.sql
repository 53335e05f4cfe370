-- Queries, which leave no trace, and updates, which are entries of the journal. Who asks sleeps, so it does so over a connection of its own.
\ir common.psql
create extension if not exists dblink;
select dblink_connect('asker', format('host=%s port=%s dbname=%s user=%s', split_part(current_setting('unix_socket_directories'), ',', 1), current_setting('port'), current_database(), current_user));
create procedure pg_temp.lease_main() language plpgsql as $$ begin call pg_temp.lease_soon('questions'); end $$;
create function pg_temp.ask(statement text) returns void language sql as $$ select dblink_send_query('asker', statement) $$;
-- What the asker got: its answer, or SQLSTATE and DETAIL.
create function pg_temp.heard() returns text language plpgsql as $$
declare
    v_answer text;
    v_detail text;
begin
    select r.answer into v_answer from dblink_get_result('asker') as r (answer text);
    perform * from dblink_get_result('asker') as r (answer text);
    return v_answer;
exception
    when others then
        get stacked diagnostics v_detail = pg_exception_detail;
        perform * from dblink_get_result('asker', false) as r (answer text);
        return sqlstate || ' ' || v_detail;
end $$;

select version from orch.register_code('questions', options => '{"queue": "questions"}') \gset
select pg_temp.define('questions-dag');

-- Nobody serves the code --------------------------------------------------------------------------

select orch.trigger('questions', '{"order": 1}') as run \gset
select pg_temp.ask(format('call orch.query(%L, ''items'', timeout => ''1 ms'')', :'run'));
select alike(pg_temp.heard(), 'OR040 No worker serves the code%', 'with nobody to answer, a query ends in time');
select is_empty('select * from _orch.question', 'and leaves nothing');

-- A run that waits --------------------------------------------------------------------------------

select orch.worker_start('questions', '{questions}', '{:code/questions@1}') as worker \gset
call pg_temp.lease_main();
select lease from leased \gset
select pg_temp.ask(format('call orch.query(%L, ''items'', ''{"from": 2}'')', :'run'));
call pg_temp.lease_main();
select results_eq(
    'select run_id, task_id, attempt, executor, handler, spec, input from leased',
    format($$ values (%L::uuid, 'query', 1, 'query', 'questions', '{"code": {"workflow": "questions", "version": "1"}, "query": {"name": "items", "input": {"from": 2}}}'::jsonb, '{"order": 1}'::jsonb) $$, :'run'),
    'a question is leased with what it asks and the input of its run'
);
select isnt((select deadline_at from leased), null, 'and with the time at which the asker gives up');
select lease as question from leased \gset
select orch.record(:'lease', '[{"id": "a#1", "output": 1}]');
select is((select string_agg(id, ' ') from orch.history(:'question')), 'a#1', 'it reads what is recorded');
select is(pg_temp.code(format('select orch.record(%L, ''[{"id": "b#1", "output": 1}]'')', :'question')), 'OR010', 'and writes nothing');
select is(pg_temp.code(format('select * from orch.updates(%L)', :'question')), 'OR010', 'nor sees updates');
select is((select status from orch.heartbeat('questions') where lease = :'question'), 'ok', 'its lease is one of the worker''s');
select is_empty(format('select * from orch.exchange(''questions'', ''[{"lease": "%s", "output": ["x"]}]'', 0)', :'question'), 'its result is settled like any');
select is(pg_temp.heard(), '["x"]', 'which is the answer');
select is((select status from orch.exchange('questions', format('[{"lease": "%s", "output": 1}]', :'question')::jsonb, 0)), 'lost', 'later nobody wants one');
select is_empty('select * from _orch.question', 'and nothing is left');
select is(pg_temp.story(:'run'), 'triggered started', 'the history of the run knows of no query');
select is(pg_temp.story(:'run', 'main'), 'started', 'nor does that of its code');
select is(orch.suspend(:'lease', '{"any": []}'), 'suspended', 'code may wait for nothing but updates');
select is((select reason from orch.why(:'run', 'main')), 'waits for an update', 'which why says');

select pg_temp.ask(format('call orch.query(%L, ''none'')', :'run'));
call pg_temp.lease_main();
select is((select run_id from leased), :'run', 'a run that waits is asked by its id');
select is((select count(*) from orch.release(array(select lease from leased))), 0::bigint, 'a question that is given back');
call pg_temp.lease_main();
select is((select task_id from leased), 'query', 'is given to the next one');
select orch.fail(lease, '{"class": "validation", "code": "unknown_query", "message": "there is no query \"none\""}') from leased;
select is(pg_temp.heard()::text, 'OR041 {"code": "unknown_query", "class": "validation", "message": "there is no query \"none\""}', 'an error of the code comes as it is');
select pg_temp.ask(format('call orch.query(%L, ''slow'', timeout => ''300 ms'')', :'run'));
call pg_temp.lease_main();
select alike(pg_temp.heard(), 'OR040 Workers serve the code%', 'an answer that does not come in time');
select is(pg_temp.code(format('select orch.complete(%L, ''1'')', (select lease from leased))), 'OR010', 'is not wanted any more');
select is_empty('select * from orch.exchange(''questions'', ''[]'', 10)', 'nothing is left to be leased');
select results_eq('select count(*) from orch.replay_check(now() - interval ''1 day'')', 'values (0::bigint)', 'no history tells anything else');

-- Refusals ------------------------------------------------------------------------------------------

select is(pg_temp.code(format('call orch.query(%L, ''items'')', :'run')), '25001', 'a query is a statement of its own');
select pg_temp.ask(format('call orch.query(%L, ''items'')', gen_random_uuid()));
select alike(pg_temp.heard(), 'OR003%', 'an unknown run');
select orch.trigger('questions-dag') as dag \gset
select pg_temp.ask(format('call orch.query(%L, ''items'')', :'dag'));
select alike(pg_temp.heard(), 'OR020%', 'a run of a definition cannot be asked');
select is(pg_temp.code(format('select orch.update(%L, ''add'')', :'dag')), 'OR020', 'nor told');
select pg_temp.ask(format('call orch.query(%L, '''')', :'run'));
select alike(pg_temp.heard(), '22023%', 'a query has a name');

-- Updates ---------------------------------------------------------------------------------------------

begin;
select is(orch.update(:'run', 'add', '{"item": "a"}', 'u1'), 'u1', 'an update is sent');
select is(pg_temp.task(:'run', 'main'), 'ready', 'and wakes the code in the sender''s transaction');
commit;
select is(orch.update(:'run', 'add', '{"item": "a"}', 'u1'), 'u1', 'once more it does nothing');
select is(pg_temp.code(format('select orch.update(%L, ''add'', ''{"item": "b"}'', ''u1'')', :'run')), 'OR004', 'with another input it is refused');
select is(pg_temp.code(format('select orch.update(%L, ''add'', id => repeat(''x'', 129))', :'run')), '22023', 'ids are bounded');
select is(pg_temp.story(:'run'), 'triggered started update_sent', 'the history has it once');
select pg_temp.ask(format('call orch.await_update(%L, ''u1'')', :'run'));
call pg_temp.lease_main();
select lease from leased \gset
select results_eq(format('select * from orch.updates(%L)', :'lease'), $$ values ('u1', 'add', '{"item": "a"}'::jsonb) $$, 'the worker is told of it');
select is(orch.suspend(:'lease', '{"any": []}'), 'go_on', 'and cannot pass it by');
select is((select state from orch.updates where run_id = :'run'), 'requested', 'it is requested');
select orch.record(:'lease', '[{"id": "update:u1", "update": "u1", "output": {"name": "add", "input": {"item": "a"}}}]');
select is((select state from orch.updates where run_id = :'run'), 'accepted', 'then accepted');
select orch.record(:'lease', '[{"id": "update:u1", "update": "u1", "output": {"name": "add", "input": {"item": "a"}}}]');
select is(orch.suspend(:'lease', '{"any": ["mail#1"], "steps": [{"id": "mail#1", "handler": "noop"}]}'), 'suspended', 'its handler may wait');
select orch.update(:'run', 'check', '2', 'u2');
call pg_temp.lease_main();
select lease from leased \gset
select results_eq(format('select no, id, definition, state from orch.history(%L, 1)', :'lease'),
    $$ values (2, 'update:u1', '{"id": "update:u1", "step": true, "update": "u1"}'::jsonb, 'succeeded'), (3, 'mail#1', '{"id": "mail#1", "handler": "noop"}', 'ready') $$, 'the journal has where it was accepted');
select is((select string_agg(id, ' ') from orch.updates(:'lease')), 'u2', 'it is not told of again');
select is(pg_temp.code(format('select orch.record(%L, ''[{"id": "answer:u2", "answer": "u2", "output": 1}]'')', :'lease')), '22023', 'no answer before it is accepted');
select is(pg_temp.code(format('select orch.record(%L, ''[{"id": "x", "update": "u1", "output": 1}]'')', :'lease')), '22023', 'nor is one accepted twice');
select is(pg_temp.code(format('select orch.record(%L, ''[{"id": "x", "update": "u9", "output": 1}]'')', :'lease')), '22023', 'nor one that nobody sent');
select orch.record(:'lease', '[{"id": "update:u2", "update": "u2", "error": {"class": "validation", "code": "bad", "message": "no"}}, {"id": "answer:u1", "answer": "u1", "output": {"count": 1}}]');
select is(pg_temp.heard(), '{"count": 1}', 'the answer reaches who awaits it');
select pg_temp.ask(format('call orch.await_update(%L, ''u1'')', :'run'));
select is(pg_temp.heard(), '{"count": 1}', 'and whoever asks again');
select pg_temp.ask(format('call orch.await_update(%L, ''u2'')', :'run'));
select is(pg_temp.heard(), 'OR041 {"code": "bad", "class": "validation", "message": "no"}', 'a refusal is told');
select orch.update(:'run', 'pay', null, 'u3');
select orch.record(:'lease', '[{"id": "update:u3", "update": "u3", "output": {"name": "pay"}}, {"id": "answer:u3", "answer": "u3", "error": {"class": "handler", "message": "no luck"}}]');
select orch.update(:'run', 'late', null, 'u4');
select pg_temp.ask(format('call orch.await_update(%L, ''u4'', ''1 ms'')', :'run'));
select alike(pg_temp.heard(), 'OR040 Its run is running%', 'to wait for one has a timeout');
select orch.complete(:'lease', '"done"');
call orch.await_run(:'run', '20 s');
select pg_temp.ask(format('call orch.await_update(%L, ''u4'')', :'run'));
select alike(pg_temp.heard(), 'OR020 It succeeded.', 'one that the run never came to');
select results_eq(format('select id, state, output, error ->> ''message'', accepted_at is not null, ended_at is not null, sender = current_user from orch.updates where run_id = %L order by sent_at, id', :'run'),
    $$ values ('u1', 'completed', '{"count": 1}'::jsonb, null, true, true, true), ('u2', 'refused', null, 'no', false, true, true), ('u3', 'failed', null, 'no luck', true, true, true), ('u4', 'abandoned', null, null, false, false, true) $$, 'the view tells of all');
select is(orch.update(:'run', 'add', '{"item": "a"}', 'u1'), 'u1', 'one that is known may be sent again when the run is over');
select is(pg_temp.code(format('select orch.update(%L, ''add'')', :'run')), 'OR020', 'a new one may not');
select pg_temp.ask(format('call orch.await_update(%L, ''u9'')', :'run'));
select alike(pg_temp.heard(), 'OR003%', 'an unknown update');

-- What is over, erased, deleted ---------------------------------------------------------------------

select pg_temp.ask(format('call orch.query(%L, ''items'')', :'run'));
call pg_temp.lease_main();
select is((select count(*) from orch.history((select lease from leased))), 7::bigint, 'a run that is over can be asked');
select orch.complete(lease, null) from leased;
select is(pg_temp.heard(), null, 'and may have nothing to say');
select results_eq('select count(*) from orch.replay_check(now() - interval ''1 day'')', 'values (0::bigint)', 'its history tells what its rows do');
select orch.erase(:'run', 'test');
select is((select string_agg(state || coalesce(input ->> 'item', ''), ' ' order by id) from orch.updates where run_id = :'run'), 'completed refused failed abandoned', 'erased, states stay and values go');
select pg_temp.ask(format('call orch.query(%L, ''items'')', :'run'));
select alike(pg_temp.heard(), 'OR020%', 'what was erased cannot be asked');
select orch.delete_run(:'run', 'test');
select is_empty(format('select from _orch.update where run_id = %L', :'run'), 'deleted, nothing is left');

-- A parked run is not woken; a failed one is reopened without what its updates came to -----------------

select orch.trigger('questions') as run \gset
call pg_temp.lease_main();
select lease from leased \gset
select orch.update(:'run', 'add', null, 'u1');
select orch.update(:'run', 'add', null, 'u2');
select orch.record(:'lease', '[{"id": "update:u1", "update": "u1", "error": {"message": "no"}}]');
select orch.park(:'lease', '{"message": "other code"}');
select orch.update(:'run', 'add', null, 'u3');
select is(pg_temp.task(:'run', 'main'), 'waiting', 'an update does not wake a parked run');
select orch.unpark(:'run');
call pg_temp.lease_main();
select orch.fail(lease, '{"class": "handler", "message": "x"}', false) from leased;
call orch.await_run(:'run', '20 s');
select orch.retry(:'run');
call pg_temp.lease_main();
select results_eq(format('select id, state from orch.history(%L)', (select lease from leased)), $$ values ('update:u1', 'failed') $$, 'a refusal stands when the run is retried');
select is((select string_agg(id, ' ') from orch.updates((select lease from leased))), 'u2 u3', 'what was open is open still');
select orch.complete(lease, null) from leased;
call orch.await_run(:'run', '20 s');

-- Tenants and rights -------------------------------------------------------------------------------------

create role questions_viewer login in role orch_viewer;
create role questions_operator in role orch_operator;
set role questions_viewer;
select is(pg_temp.code(format('select orch.update(%L, ''add'')', :'run')), '42501', 'who may look may not tell');
reset role;
set role questions_operator;
select is(pg_temp.code(format('select orch.update(%L, ''add'')', :'run')), 'OR020', 'who operates may');
reset role;
select dblink_disconnect('asker');
select dblink_connect('asker', format('host=%s port=%s dbname=%s user=questions_viewer', split_part(current_setting('unix_socket_directories'), ',', 1), current_setting('port'), current_database()));
select pg_temp.ask(format('call orch.query(%L, ''items'')', :'run'));
call pg_temp.lease_main();
select orch.complete(lease, '"seen"') from leased;
select is(pg_temp.heard(), '"seen"', 'who may look may ask');
select dblink_disconnect('asker');
drop role questions_viewer, questions_operator;

select * from finish();
