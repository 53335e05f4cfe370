-- A user who puts traps before everything that our statements might find, temporary objects with the names of ours, and every setting that changes how
-- SQL is read: the engine does not notice, and nothing of the user's runs as anybody else.
set client_min_messages = warning;
create extension if not exists pgtap;
select current_user as tester \gset
create role shadows_admin login in role orch_admin;
create schema trap authorization shadows_admin;
grant create on schema public to shadows_admin;
-- The session of a SQL runner begins with the settings of its role.
alter role shadows_admin set search_path = trap, public, pg_catalog;
alter role shadows_admin set standard_conforming_strings = off;
alter role shadows_admin set transform_null_equals = on;
alter role shadows_admin set datestyle = 'SQL, DMY';
\connect - shadows_admin
set search_path = pg_catalog;
set client_min_messages = warning;

-- Whoever steps on one is noted.
create table trap.caught (name text, caught_user name, of_session name);
grant insert on trap.caught to public;
grant usage on schema trap to public;
create function trap.spring(name text) returns void
language plpgsql set search_path = pg_catalog
as $$ begin insert into trap.caught values (name, current_user, session_user); end $$;

-- The operators of the types that the engine compares, and functions that it calls by name.
do $$
declare
    v_type text;
    v_operator text;
begin
    foreach v_type in array array['uuid', 'text', 'name', 'integer', 'bigint', 'smallint', 'boolean', '"char"', 'jsonb', 'timestamptz', 'interval', 'oid', 'text[]', 'uuid[]', 'integer[]'] loop
        foreach v_operator in array array['=', '<>', '<', '<=', '>', '>=', '||', '+', '-', '@>'] loop
            execute format($f$ create function trap.%I(%s, %2$s) returns boolean language plpgsql as
                $b$ begin perform trap.spring(%3$L); return false; end $b$ $f$, 'op_' || md5(v_type || v_operator), v_type, v_type || ' ' || v_operator);
            execute format('create operator trap.%s (leftarg = %s, rightarg = %2$s, function = trap.%I)', v_operator, v_type, 'op_' || md5(v_type || v_operator));
        end loop;
    end loop;
    foreach v_type in array array['now() returns timestamptz', 'gen_random_uuid() returns uuid', 'unnest(uuid[]) returns setof uuid', 'unnest(integer[]) returns setof integer',
        'count(bigint) returns bigint', 'lower(text) returns text', 'format(text, text) returns text', 'to_jsonb(text) returns jsonb', 'jsonb_typeof(jsonb) returns text',
        'current_setting(text) returns text', 'set_config(text, text, boolean) returns text', 'has_table_privilege(text, text) returns boolean', 'run_state("char") returns text',
        'pg_has_role(name, text) returns boolean', 'date_trunc(text, timestamptz) returns timestamptz', 'make_interval() returns interval', 'array_agg(integer) returns integer[]'] loop
        execute format('create function trap.%s language plpgsql as $b$ begin perform trap.spring(%L); return%s; end $b$', v_type, v_type,
            case when v_type ~ 'setof' then '' else ' null' end);
    end loop;
end
$$;
create domain trap.jsonb as text;
create domain trap.uuid as text;
create domain trap.timestamptz as text;

-- Tables, views and functions by the names of ours, where a name without a schema is looked for first.
create temp table run as select 1 as run_id;
create temp table task as table run;
create temp table event as table run;
create temp table runs as table run;
create temp table workflow as table run;
create temp table version as table run;
create temp table pg_class as select 'x' as relname;
create temp table pg_proc as select 'x' as proname;
create temp view tasks as table run;

-- These settings change how a text becomes a statement, and a statement a plan.
set search_path = pg_temp, trap, public, pg_catalog;
set standard_conforming_strings = off;
set escape_string_warning = off;
set transform_null_equals = on;
set array_nulls = off;
set datestyle = 'SQL, DMY';
set intervalstyle = 'sql_standard';
set timezone = 'Asia/Kathmandu';
set bytea_output = 'escape';
set extra_float_digits = -10;
set quote_all_identifiers = on;
set row_security = off;
set plan_cache_mode = force_generic_plan;
set enable_indexscan = off;
set enable_seqscan = off;
set enable_hashjoin = off;
set enable_nestloop = off;
set force_parallel_mode = on;
set parallel_setup_cost = 0;
set default_transaction_deferrable = on;
set default_table_access_method = 'heap';
set lc_numeric = 'C';
set xmloption = document;
set constraint_exclusion = on;
set from_collapse_limit = 1;
set geqo_threshold = 2;
set cursor_tuple_fraction = 0.01;
set check_function_bodies = off;
set gin_fuzzy_search_limit = 1;
set max_parallel_workers_per_gather = 2;

-- The life of some runs, with every verb.
select pg_catalog.count(*) from orch.register('{"id": "shadows", "defaults": {"queue": "shadows", "retries": 0}, "tasks": {
    "a": {"handler": "noop", "input": "{{ input.x }}"}, "b": {"noop": true, "dependencies": ["a"], "when": "$.tasks.a.output == 1"},
    "c": {"sql": "select current_user as who", "dependencies": ["b"]}}, "output": "{{ tasks.c.output.rows[0].who }}"}') \g /dev/null
select orch.worker_start('shadows', '{shadows}', '{noop}') as worker \gset
select orch.trigger('shadows', '{"x": 1}', idempotency_key => 'k', tags => '{"a": "b"}') as run \gset
select orch.trigger('shadows', '{"x": 1}', idempotency_key => 'k') as same_run \gset
select pg_catalog.count(*) as triggered from orch.trigger_many('shadows', array['{"x": 2}', '{"x": 3}']::pg_catalog.jsonb[]) \gset
select pg_catalog.count(*) as validated from orch.validate('{"id": 1}') \gset
select pg_catalog.count(*) as planned from orch.plan('shadows') \gset
select lease, input from orch.lease('shadows', 1) \gset
select pg_catalog.count(*) as refused from orch.exchange('shadows', pg_catalog.jsonb_build_array(pg_catalog.jsonb_build_object('lease', :'lease', 'output', 1)), 0) \gset
select lease as second from orch.lease('shadows', 1) \gset
select orch.log(:'second', '[{"stream": "stdout", "line": "x"}]') as logged \gset
select orch.fail(:'second', '{"class": "validation", "message": "no"}') \g /dev/null
call orch.await_run(:'run', '1 minute');
select orch.result(:'run') as result \gset
select pg_catalog.count(*) as results from orch.results(:'run') \gset
select pg_catalog.count(*) as reasons from orch.why(:'run') \gset
select pg_catalog.length(orch.graph(:'run'::pg_catalog.uuid)) as drawn \gset
select pg_catalog.count(*) as events from orch.events_after(0, 1000, :'run') \gset
select pg_catalog.count(*) as shown from orch.tasks t where t.run_id operator(pg_catalog.=) :'run' \gset
select lease as third from orch.lease('shadows', 1) \gset
select run_id as third_run from orch.tasks t where t.state operator(pg_catalog.=) 'running' and t.worker operator(pg_catalog.=) 'shadows' \gset
select orch.cancel(:'third_run') as cancelled \gset
select pg_catalog.count(*) as given_back from orch.release(array[:'third']) \gset
select run_id as failed from orch.dead_letters d where d.workflow operator(pg_catalog.=) 'shadows' \gset
select orch.retry(:'failed') as retried \gset
select pg_catalog.count(*) as health from orch.health \gset
select pg_catalog.count(*) as queues from orch.queues q where q.queue operator(pg_catalog.=) 'shadows' \gset

-- What only a superuser, or nobody, may set.
\set ON_ERROR_STOP off
\set QUIET on
\set VERBOSITY terse
set role orch_engine;
\set become_engine :SQLSTATE
set session authorization postgres;
\set become_superuser :SQLSTATE
set session_replication_role = replica;
\set without_triggers :SQLSTATE
set orch.max_result_bytes = '256MB';
\set results_of_any_size :SQLSTATE
create temp table _orch_run as select * from _orch.run;
\set read_private :SQLSTATE
create trigger mine before update on _orch.task for each row execute function pg_catalog.suppress_redundant_updates_trigger();
\set trigger_on_ours :SQLSTATE
create rule mine as on delete to orch.runs do instead nothing;
\set rule_on_ours :SQLSTATE
create function orch.mine() returns int language sql as 'select 1';
\set function_in_ours :SQLSTATE
create or replace view orch.runs as select * from orch.runs;
\set view_of_ours :SQLSTATE
select pg_catalog.count(*) from orch.trigger_query('shadows', 'select 1 from _orch.event') \g /dev/null
\set query_of_private :SQLSTATE
\set ON_ERROR_STOP on

\connect - :tester
\ir common.psql
select is_empty($$ select * from trap.caught $$, 'no trap was sprung, by nobody');
select is(:'same_run'::text, :'run'::text, 'a key is found under hostile settings');
select is(:triggered, 2, 'two runs were triggered');
select ok(:validated > 0, 'a definition is validated');
select is(:planned, 3, 'a plan is shown');
select is(:'input'::jsonb, '1', 'an input is rendered');
select is(:refused, 0, 'a result is taken');
select is(:logged, 1, 'a line is stored');
select is(:'result'::jsonb, '"shadows_admin"', 'a SQL task ran as its role, whose settings are as bad');
select is(array[:results, :shown], array[3, 3], 'results and tasks are shown');
select is(array[:reasons > 0, :drawn > 0, :events > 0, :health > 0, :queues = 1], array[true, true, true, true, true], 'a run is explained and drawn, its history read, the engine''s health shown');
select is(:'cancelled'::text, 'cancelling', 'a run is cancelled');
select is(:'retried'::text, 'running', 'and another tried again');

select is(:'become_engine'::text, '42501', 'nobody becomes the engine''s role');
select is(:'become_superuser'::text, '42501', 'nor a superuser');
select is(:'without_triggers'::text, '42501', 'nor does without triggers');
select is(:'results_of_any_size'::text, '42501', 'nor lifts a limit');
select is(:'read_private'::text, '42501', 'nor reads a private table');
select is(:'trigger_on_ours'::text, '42501', 'nor puts a trigger on one');
select is(:'rule_on_ours'::text, '42501', 'nor a rule on a view');
select is(:'function_in_ours'::text, '42501', 'nor a function into the schema');
select is(:'view_of_ours'::text, '42501', 'nor another view in place of one');
select is(:'query_of_private'::text, '42501', 'nor reads a private table through the engine');

-- And the traps do spring where they are stepped on.
set search_path = trap, public, pg_catalog;
select 1 = 1 \g /dev/null
reset search_path;
select is((select name from trap.caught), 'integer =', 'a trap springs where somebody looks into the schema');
drop schema trap cascade;
revoke all on schema public from shadows_admin;
select * from finish();
