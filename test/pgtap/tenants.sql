-- One tenant's rows do not show in another's answers, whoever asks and by whatever function, and orch.tenant counts for administrators alone.
\ir common.psql
create role tenants_viewer in role orch_viewer;
create role tenants_operator in role orch_operator;
create role tenants_worker in role orch_worker;

-- Whole views are read here, which compiling would take far longer for than reading does.
set jit = off;
set orch.tenant = 'tenants_secret';
select pg_temp.define('tenants_secret', '{"a": {}, "b": {"dependencies": ["a"]}, "c": {"circuit": "tenants_secret"}}', '{"on_failure": "continue"}');
select orch.create_hook('tenants_secret', 'tenants_secret') as hook \gset
select orch.notify_on('tenants_secret', null, 'http://127.0.0.1:9/') as notification \gset
select orch.worker_start('tenants_secret', '{tenants_secret}', '{noop}') as worker \gset
select orch.trigger('tenants_secret', '"tenants_secret"', 'tenants_secret', tags => '{"tenants_secret": 1}') as run \gset
select lease from orch.lease('tenants_secret', 1) \gset
select orch.log(:'lease', '[{"stream": "stdout", "line": "tenants_secret"}]') as logged \gset
select orch.fail(:'lease', '{"class": "validation", "message": "tenants_secret"}');
select lease from orch.lease('tenants_secret', 1) \gset
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

-- Everything that takes a run, a workflow, a worker or a dead letter, asked for by somebody of the tenant "default".
create function pg_temp.answers(run uuid, dead_letter bigint, out question text, out answer text) returns setof record
language plpgsql
as $$
declare
    v_rows bigint;
begin
    foreach question in array array[
        format('select orch.result(%L)', run),
        format('select * from orch.results(%L)', run),
        format('select * from orch.why(%L)', run),
        format('select orch.graph(%L::uuid)', run),
        format('select orch.graph(%L)', run::text),
        'select orch.graph(''tenants_secret'')',
        'select * from orch.plan(''tenants_secret'')',
        format('select * from orch.events_after(0, 10000, %L)', run),
        'select * from orch.events_after(0, 10000) e where e::text like ''%tenants_secret%''',
        'select orch.trigger(''tenants_secret'')',
        format('select orch.cancel(%L)', run),
        format('select orch.cancel(%L, true)', run),
        format('select orch.retry(%L)', run),
        format('select orch.signal(%L, ''s'')', run),
        format('select orch.approve(%L, ''a'')', run),
        'select orch.signal_with_start(''tenants_secret'', ''s'')',
        format('select * from orch.redrive(%s)', dead_letter),
        'select * from orch.redrive(''{"workflow": "tenants_secret"}''::jsonb)',
        format('select orch.discard(%s)', dead_letter),
        format('select orch.erase(%L, ''x'')', run),
        format('select orch.delete_run(%L, ''x'')', run),
        'select orch.reset_circuit(''tenants_secret'')',
        'select from orch.revoke_token(''tenants_secret'') r where r',
        'select * from orch.lease(''tenants_other'', 10)'
    ] loop
        begin
            execute question;
            get diagnostics v_rows = row_count;
            answer := v_rows || ' rows';
        exception
            when others then
                answer := sqlstate;
        end;
        return next;
    end loop;
end
$$;

select orch.worker_start('tenants_other', '{tenants_secret}', '{noop}') as other \gset

set role tenants_viewer;
-- Workers are shared by all tenants and say nothing of a run.
select is_empty($$ select * from pg_temp.seen() where rows > 0 and name <> 'workers' $$, 'a viewer who sets orch.tenant sees none of it in any view');
select is_empty(
    format($$ select * from pg_temp.answers(%L, %s) where answer not in ('OR002', 'OR003', '0 rows', '42501', '42704') $$, :'run', :dead_letter),
    'nor by any function, which answer as if it were not there'
);
set role tenants_operator;
select is_empty(
    format($$ select * from pg_temp.answers(%L, %s) where answer not in ('OR002', 'OR003', '0 rows', '42501', '42704') and question !~ 'lease' $$, :'run', :dead_letter),
    'nor does an operator, who changes none of it'
);
reset role;
reset orch.tenant;
select is_empty($$ select * from pg_temp.seen() where rows > 0 and name <> 'workers' $$, 'an administrator of another tenant sees none of it');
select is_empty(
    format($$ select * from pg_temp.answers(%L, %s) where answer not in ('OR002', 'OR003', '0 rows', '42704') and question !~ 'lease' $$, :'run', :dead_letter),
    'and changes none of it'
);
\set ON_ERROR_STOP off
\set VERBOSITY terse
\set QUIET on
call orch.await_run(:'run', '0');
\set awaited :SQLSTATE
\set ON_ERROR_STOP on
select is(:'awaited'::text, 'OR003', 'and cannot wait for its end');
select is((select count(*) from orch.lease('tenants_other', 10)), 0::bigint, 'a worker is given tasks of its own tenant only');

set orch.tenant = 'tenants_secret';
select is(pg_temp.run(:'run'), 'running', 'and the run goes on as if nothing had been');
select is((select resolution from orch.dead_letters where id = :dead_letter), null, 'its dead letter as well');
select lives_ok(format('select orch.complete(%L)', :'lease'), 'and its worker settles what it had');
reset orch.tenant;

drop role tenants_viewer, tenants_operator, tenants_worker;
select * from finish();
