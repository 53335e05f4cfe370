-- CREATE EXTENSION in a database where somebody was before us, and DROP EXTENSION.
\set ON_ERROR_STOP off
\set VERBOSITY terse
\set SHOW_CONTEXT never
set client_min_messages = warning;
select current_database() as home \gset
drop database if exists orch_install_test;
create database orch_install_test;
\connect orch_install_test
set client_min_messages = warning;

create schema orch;
create extension orch;
\set schema_before :SQLSTATE
drop schema orch;
create schema _orch;
create extension orch;
\set private_schema_before :SQLSTATE
drop schema _orch;

alter role orch_engine login;
create extension orch;
\set engine_with_login :SQLSTATE
alter role orch_engine nologin;

create role orch_install_test_member;
grant orch_engine to orch_install_test_member;
create extension orch;
\set engine_with_member :SQLSTATE
drop role orch_install_test_member;

select count(*) as left_behind from pg_namespace where nspname in ('orch', '_orch') \gset

-- A path with traps on it: names that the script uses without a schema.
create schema trap;
create function trap.format(text, variadic text[]) returns text language sql as $$ select 'drop schema orch cascade' $$;
create operator trap.= (leftarg = name, rightarg = name, procedure = pg_catalog.namene);
set search_path = trap, pg_catalog;
create extension orch;
\set with_traps :SQLSTATE
select pg_catalog.current_setting('search_path') as path_afterwards \gset
reset search_path;
select count(*) as strangers from pg_proc p join pg_namespace n on n.oid = pronamespace where nspname in ('orch', '_orch') and proowner <> 'orch_engine'::regrole \gset
select orch.register('{"id": "install", "tasks": {"a": {"handler": "x"}}}') as registered \gset
\set registered_code :SQLSTATE

drop extension orch;
\set dropped :SQLSTATE
select count(*) as remains from pg_namespace where nspname in ('orch', '_orch') \gset
select count(*) as roles_left from pg_roles where rolname in ('orch_engine', 'orch_admin', 'orch_operator', 'orch_worker', 'orch_viewer') \gset
create extension orch;
\set again :SQLSTATE
begin;
drop extension orch;
rollback;
select count(*) as after_rollback from orch.workflows \gset
\set after_rollback_code :SQLSTATE
\connect :home
drop database orch_install_test;
\set database_dropped :SQLSTATE
\set ON_ERROR_STOP on

\ir common.psql
select is(:'schema_before'::text, '42P06', 'a schema orch that somebody made before makes CREATE EXTENSION fail rather than join us');
select is(:'private_schema_before'::text, '42P06', 'and so does a schema _orch');
select is(:'engine_with_login'::text, '55000', 'an engine''s role that can log in is refused');
select is(:'engine_with_member'::text, '55000', 'an engine''s role that has a member is refused');
select is(:left_behind, 0, 'what was refused left nothing');
select is(:'with_traps'::text, '00000', 'the installing session''s search_path does not matter');
select is(:'path_afterwards'::text, 'trap, pg_catalog', 'and is what it was, afterwards');
select is(:strangers, 0, 'everything belongs to the engine''s role');
select is(:'registered_code'::text, '00000', 'the extension works');
select is(:'dropped'::text, '00000', 'DROP EXTENSION needs no CASCADE, with partitions or without');
select is(:remains, 0, 'and leaves nothing');
select is(:roles_left, 5, 'but the roles, which other databases may use');
select is(:'again'::text, '00000', 'it can be created again');
select is(:'after_rollback_code'::text, '00000', 'and works on after a drop that was rolled back');
select is(:'database_dropped'::text, '00000', 'a database with orch can be dropped');

select * from finish();
