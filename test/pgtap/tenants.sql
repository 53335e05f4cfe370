-- One tenant's rows do not show in another's answers and are not changed by them, whoever asks and by whatever function; orch.tenant counts for administrators and bridges alone.
\ir common.psql
create role tenants_viewer in role orch_viewer;
create role tenants_operator in role orch_operator;
create role tenants_worker in role orch_worker;
create role tenants_bridge login in role orch_bridge;

-- Whole views are read here, which compiling would take far longer for than reading does.
set jit = off;
set orch.tenant = 'tenants_secret';
select pg_temp.define('tenants_secret', '{"a": {}, "b": {"dependencies": ["a"]}, "c": {"circuit": "tenants_secret"}}', '{"on_failure": "continue"}');
select orch.create_hook('tenants_secret', 'tenants_secret') as hook \gset
select orch.notify_on('tenants_secret', null, 'http://127.0.0.1:9/') as notification \gset
select orch.worker_start('tenants_secret', '{tenants_secret}', '{noop}', metadata => '"tenants_secret"') as worker \gset
select orch.trigger('tenants_secret', '"tenants_secret"', 'tenants_secret', tags => '{"tenants_secret": 1}') as run \gset
select lease from orch.lease('tenants_secret', 1) \gset
select orch.log(:'lease', '[{"stream": "stdout", "line": "tenants_secret"}]') as logged \gset
select orch.fail(:'lease', '{"class": "validation", "message": "tenants_secret"}');
select lease from orch.lease('tenants_secret', 1, '1 hour') \gset
call pg_temp.wait_until($$ select exists (select from orch.dead_letters where workflow = 'tenants_secret') $$);
select id as dead_letter from orch.dead_letters where workflow = 'tenants_secret' \gset

select pg_temp.define('tenants_secret_wait', '{"a": {"approval": {}}}');
select orch.trigger('tenants_secret_wait') as wait \gset
select orch.signal(:'wait', 'tenants_secret');
call pg_temp.wait_until($$ select exists (select from orch.approvals where workflow = 'tenants_secret_wait') $$);
select orch.trigger('tenants_secret') as erased \gset
select orch.cancel(:'erased') as state \gset
call orch.await_run(:'erased', '20 s');
select orch.erase(:'erased', 'tenants_secret') as done \gset
select orch.create_token('tenants_secret', 'operator') as token \gset

-- Code: one whose main is leased, one that is parked.
select version as label from orch.register_code('tenants_secret_code', options => '{"queue": "tenants_secret_code"}') \gset
select orch.worker_start('tenants_secret_code', '{tenants_secret_code}', '{:code/tenants_secret_code@1}') as worker \gset
select orch.trigger('tenants_secret_code', '1') as parked \gset
call pg_temp.lease_soon('tenants_secret_code');
select orch.park((select lease from leased), '{"class": "validation", "message": "tenants_secret"}');
select orch.trigger('tenants_secret_code', '2') as code \gset
select lease as code_lease from orch.lease('tenants_secret_code', 1, '1 hour') \gset
select orch.record(:'code_lease', '[{"id": "step#1", "output": "tenants_secret"}]');
select orch.update(:'code', 'tenants_secret', '1', 'tenants_secret') as update \gset

create function pg_temp.seen() returns table (name text, rows bigint)
language plpgsql
as $$
begin
    for name in select c.relname from pg_class c where c.relnamespace = 'orch'::regnamespace and c.relkind = 'v' and has_table_privilege(c.oid, 'select') order by 1 loop
        execute format('select count(*) from orch.%I v where v::text like %L or v::text like %L', name, '%tenants_secret%', '%' || current_setting('tenants.run') || '%') into rows;
        return next;
    end loop;
end
$$;
select set_config('tenants.run', :'run', false) \g /dev/null
select is_empty(
    $$ select name from pg_temp.seen() where rows = 0 and name not in ('health', 'timers') $$,
    'the tenant''s own administrator sees it in every view that could show it'
);

-- All that there is of the tenant, to be found unchanged.
create function pg_temp.everything() returns text
language plpgsql
as $$
declare
    v_view name;
    v_text text;
    v_all text := '';
begin
    foreach v_view in array array['runs', 'tasks', 'events', 'dead_letters', 'signals', 'logs', 'tokens', 'audit', 'versions', 'circuits', 'attempts', 'hooks', 'notifications'] loop
        execute format('select coalesce(md5(string_agg(t, '','' order by t)), ''none'') from (select v::text as t from orch.%I v) x', v_view) into v_text;
        v_all := v_all || v_view || ' ' || v_text || E'\n';
    end loop;
    return v_all || (select string_agg(concat_ws(' ', w.worker, w.state, w.queues, w.handlers, w.running, w.started_at), E'\n' order by w.worker) from orch.workers w);
end
$$;
select pg_temp.everything() as before \gset

-- Every function that takes a run, a workflow, a worker, a lease or whatever else could be another tenant's, asked for that.
create temp table questions (question text);
insert into questions
select format(q, r.run, r.dead_letter, r.lease, r.code_lease, r.code, r.parked)
from (select :'run', :'dead_letter', :'lease', :'code_lease', :'code', :'parked') as r (run, dead_letter, lease, code_lease, code, parked),
unnest(array[
    'select orch.result(%1$L)',
    'select * from orch.results(%1$L)',
    'select * from orch.why(%1$L)',
    'select * from orch.explain(%1$L)',
    'select * from orch.replay(%1$L)',
    'select * from orch.replay_check() c where c::text ~ ''tenants_secret|%1$s''',
    'select orch.graph(%1$L::uuid)',
    'select * from orch.event_page(0, 1000, %1$L)',
    'select * from orch.event_page(0, 1000, workflow => ''tenants_secret'') p where p.items <> ''[]''',
    'select orch.create_hook(''tenants_secret_hook'', ''tenants_secret'')',
    'select from orch.drop_hook(''tenants_secret'') d where d',
    'select orch.notify_on(''tenants_secret_more'', ''tenants_secret'', ''https://example.org'')',
    'select from orch.drop_notification(''tenants_secret'') d where d',
    'select * from orch.delivery(%3$L)',
    'select orch.graph(%1$L::text)',
    'select orch.graph(''tenants_secret'')',
    'select * from orch.plan(''tenants_secret'')',
    'select * from orch.events_after(0, 10000, %1$L)',
    'select * from orch.events_after(0, 10000) e where e::text ~ ''tenants_secret|%1$s''',
    'select * from orch.validate(''{"id": "x", "tasks": {"a": {"workflow": {"id": "tenants_secret"}}}}''::text) v where v.code <> ''unknown_workflow''',
    'select orch.trigger(''tenants_secret'')',
    'select orch.trigger_run(''tenants_secret'')',
    'select orch.trigger_many(''tenants_secret'', ''{1}'')',
    'select orch.trigger_query(''tenants_secret'', ''select jsonb ''''1'''''')',
    'select orch.cancel(%1$L)',
    'select orch.cancel(%1$L, true)',
    'select orch.retry(%1$L)',
    'select orch.signal(%1$L, ''s'')',
    'select orch.approve(%1$L, ''a'')',
    'select orch.signal_with_start(''tenants_secret'', ''s'')',
    'select * from orch.redrive(%2$s)',
    'select * from orch.redrive(''{"workflow": "tenants_secret"}''::jsonb)',
    'select orch.discard(%2$s)',
    'select orch.erase(%1$L, ''x'')',
    'select orch.delete_run(%1$L, ''x'')',
    'select orch.unpark(%6$L)',
    'select orch.reset_circuit(''tenants_secret'')',
    'select from orch.revoke_token(''tenants_secret'') r where r',
    'select orch.complete(%3$L, ''1'')',
    'select orch.complete(%3$L, to_jsonb(repeat(''x'', 2000000)))',
    'select orch.fail(%3$L, ''{"class": "handler", "message": "x"}'')',
    'select orch.skip(%3$L)',
    'select orch.log(%3$L, ''[{"line": "x"}]'')',
    'select * from orch.release(array[%3$L]) r where r.status <> ''lost''',
    'select * from orch.complete_many(''tenants_secret'', ''[{"lease": "%3$s", "output": 1}]'') r where r.status <> ''lost''',
    'select * from orch.complete_many(''tenants_secret'', ''[{"lease": "%4$s", "suspend": {"any": ["step#1"]}}]'') r where r.status <> ''lost''',
    'select * from orch.heartbeat(''tenants_secret'', ''{"%3$s": {"x": 1}}'') h where h.status <> ''lost''',
    'select * from orch.history(%4$L)',
    'select orch.record(%4$L, ''[{"id": "x#1", "output": 1}]'')',
    'select * from orch.outcomes(%4$L, ''{step#1}'')',
    'select orch.update(%5$L, ''x'', ''1'')',
    'select orch.update(%5$L, ''tenants_secret'', ''1'', ''tenants_secret'')',
    'select * from orch.updates(%4$L)',
    'select orch.park(%4$L, ''{"class": "handler", "message": "x"}'')',
    'select orch.continue_as_new(%4$L, ''1'')',
    -- Names of one's own, which are nothing to the other tenant.
    'select from orch.worker_start(''tenants_secret'', ''{elsewhere}'') w where w <> ''tenants_secret''',
    'select * from orch.worker_rest(''tenants_secret'') r where r::text ~ ''tenants_secret''',
    'select from orch.worker_stop(''tenants_secret'') s where s <> 0',
    'select from orch.worker_waits(''tenants_secret'', null) w where w <> 0',
    -- Signed by the secret of the hook alone, which stands for its tenant.
    'select orch.receive_hook(''tenants_secret'', ''{}'', ''{"x-hub-signature-256": "sha256=00"}'')',
    'select from orch.register_code(''tenants_secret_code'', ''9'') r where not r.created',
    'select from orch.register(''{"id": "tenants_secret_own", "tasks": {"a": {"noop": true}}}''::text) r where r.version > 1',
    'select from orch.create_token(''tenants_secret_own'', ''viewer'') t where t !~ ''^orch_'''
]) as q
-- The only ones who may say that the transaction is theirs.
where q !~ 'register|create_token';
grant select on questions to public;

-- What can be asked of nobody else's, or is asked below.
select is_empty(
    $$ select distinct p.proname from pg_proc p where p.pronamespace = 'orch'::regnamespace
       and p.proname not in ('adopt', 'await_events', 'await_run', 'await_update', 'await_work', 'query', 'create_token', 'exchange', 'lease', 'register', 'register_code', 'suspend',
           'await_workers', 'feed_position', 'create_event_ticket', 'engine_time', 'readiness')
       -- Nobody's but a bridge's own, which tells the tenants apart itself.
       and has_function_privilege('orch_admin', p.oid, 'execute')
       and not exists (select from questions where question ~ format('orch\.%s\M', p.proname)) $$,
    'every function is asked'
);
create function pg_temp.answers(out question text, out answer text) returns setof record
language plpgsql
as $$
declare
    v_rows bigint;
begin
    for question in select q.question from questions q loop
        begin
            execute question;
            get diagnostics v_rows = row_count;
            answer := v_rows || ' rows';
            raise exception using errcode = 'ZZ000';
        exception
            when sqlstate 'ZZ000' then
                null;
            when others then
                answer := sqlstate;
        end;
        return next;
    end loop;
end
$$;
-- As if none of it were there: no such workflow, run, lease, dead letter or circuit; or not with this role.
create function pg_temp.told() returns setof text
language sql
as $$ select a.question || ': ' || a.answer from pg_temp.answers() a where a.answer not in ('OR002', 'OR003', 'OR010', '0 rows', '42501', '42704') $$;

set role tenants_viewer;
select is_empty($$ select * from pg_temp.seen() where rows > 0 $$, 'a viewer who sets orch.tenant sees none of it in any view');
select is_empty('select pg_temp.told()', 'nor by any function, which answer as if it were not there');
set role tenants_operator;
select is_empty('select pg_temp.told()', 'nor does an operator');
set role tenants_worker;
select is_empty('select pg_temp.told()', 'nor a worker, who shows another tenant''s leases and uses its workers'' names');
select orch.worker_start('tenants_other', '{tenants_secret,tenants_secret_code}', '{noop,:code/tenants_secret_code@1}') as other \gset
select is((select count(*) from orch.lease('tenants_other', 10)), 0::bigint, 'and is given tasks of its own tenant only');
select is(
    (select string_agg(status, ' ') from orch.exchange('tenants_secret', jsonb_build_array(jsonb_build_object('lease', :'lease', 'output', 1)), 10)), 'lost',
    'whatever it calls itself'
);
reset role;
reset orch.tenant;
select is_empty($$ select * from pg_temp.seen() where rows > 0 and name <> 'workers' $$, 'an administrator of another tenant sees none of it');
select is_empty($$ select * from orch.workers where metadata::text ~ 'tenants_secret' $$, 'nor its workers, whatever his own are called');
select is_empty('select pg_temp.told()', 'and changes none of it');
\set ON_ERROR_STOP off
\set VERBOSITY terse
\set QUIET on
call orch.await_run(:'run', '0');
\set awaited :SQLSTATE
call orch.await_update(:'code', 'tenants_secret', '0');
\set answered :SQLSTATE
call orch.query(:'code', 'tenants_secret', timeout => '0');
\set asked :SQLSTATE
select orch.suspend(:'code_lease', '{"any": ["step#1"]}');
\set suspended :SQLSTATE
\set ON_ERROR_STOP on
select is(:'awaited'::text, 'OR003', 'and cannot wait for its end');
select is(:'answered'::text || ' ' || :'asked', 'OR003 OR003', 'nor ask its code, or for an answer of it');
select is(:'suspended'::text, 'OR010', 'nor suspend its code');

-- A bridge, for a token of another tenant.
set session authorization tenants_bridge;
set orch.tenant = 'tenants_other';
set orch.token = 'tenants_other';
set role orch_viewer;
select is_empty($$ select * from pg_temp.seen() where rows > 0 $$, 'a viewer''s token sees none of it');
select is_empty('select pg_temp.told()', 'nor by any function');
set role orch_operator;
select is_empty('select pg_temp.told()', 'an operator''s neither');
set role orch_worker;
select is_empty('select pg_temp.told()', 'nor a worker''s');
select is((select count(*) from orch.lease('tenants_secret', 10)), 0::bigint, 'which gets no task');
set role orch_admin;
select is_empty($$ select * from pg_temp.seen() where rows > 0 and name <> 'workers' $$, 'nor an administrator''s');
select is_empty('select pg_temp.told()', 'by any function');
select results_eq($$ select created from orch.register_code('tenants_secret_code', '1') $$, $$ values (true) $$, 'code of the same name is its own');
select results_eq($$ select version, created from orch.register('{"id": "tenants_secret", "tasks": {"a": {"noop": true}}}'::text) $$, $$ values (1, true) $$, 'and so is a definition');
select lives_ok($$ select orch.create_token('tenants_secret', 'viewer') $$, 'and a token');
reset role;
reset session authorization;
reset orch.token;

set orch.tenant = 'tenants_secret';
select is(pg_temp.everything(), :'before'::text, 'and all is as if nothing had been');
select lives_ok(format('select orch.complete(%L)', :'lease'), 'its worker settles what it had');
select lives_ok(format('select orch.record(%L, ''[{"id": "step#2", "output": 2}]'')', :'code_lease'), 'and records its steps');

-- SQL tasks of any tenant are run.
create role tenants_sql login in role orch_admin;
set role tenants_sql;
select orch.register('{"id": "tenants_sql", "tasks": {"a": {"sql": "select 1 as one"}}}'::text) \g /dev/null
reset role;
select orch.trigger('tenants_sql') as sql \gset
call orch.await_run(:'sql', '60 s');
select is(pg_temp.run(:'sql'), 'succeeded', 'SQL tasks of every tenant find a runner');
select is_empty($$ select * from orch.workers where worker like 'sql/%' $$, 'which is nobody''s worker');
reset orch.tenant;
select isnt_empty($$ select * from orch.workers where worker like 'sql/tenants_sql%' and tenant = 'default' $$, 'and shown to those of the default tenant');

drop role tenants_viewer, tenants_operator, tenants_worker, tenants_bridge;
select * from finish();
