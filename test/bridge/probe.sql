-- Run by test/e2e/errors_cross_the_bridge with :library.
\set ON_ERROR_STOP 1
begin;
create extension if not exists pgtap;
create schema probe;
set search_path = probe, public;
create function throws(text) returns void language c as :'library', 'probe_throws';
create function raises_below_objects() returns void language c as :'library', 'probe_raises_below_objects';
create function throws_in_callback() returns void language c as :'library', 'probe_throws_in_callback';
create function catches(int) returns bigint language c as :'library', 'probe_catches';
create function objects_alive() returns int language c as :'library', 'probe_objects_alive';

select plan(9);
select throws_ok($$ select throws('standard') $$, 'XX000', 'thrown by the standard library', 'a standard exception becomes an internal error with its text');
select throws_ok($$ select throws('memory') $$, '53200', 'out of memory', 'bad_alloc becomes out of memory');
select throws_ok($$ select throws('number') $$, 'XX000', 'unexpected exception', 'anything else that is thrown becomes an internal error');
select throws_ok($$ select throws('orch') $$, 'OR004', 'thrown by orch', 'an error of orch keeps its code and text');
select throws_ok($$ select raises_below_objects() $$, '22012', 'raised below C++ objects', 'an error raised below C++ objects keeps its code, and runs their destructors');
select throws_ok($$ select throws_in_callback() $$, 'OR010', 'thrown inside a callback', 'what is thrown inside a callback of PostgreSQL crosses its frames as an error');
select is(objects_alive(), 0, 'no destructor was skipped by any of these');

-- The detail and the hint come through as well.
do $$
declare
    v_detail text;
    v_hint text;
begin
    perform probe.throws('orch');
exception when others then
    get stacked diagnostics v_detail = pg_exception_detail, v_hint = pg_exception_hint;
    if v_detail <> 'A detail.' or v_hint <> 'A hint.' then
        raise exception 'detail % and hint %', v_detail, v_hint;
    end if;
end
$$;
select pass('detail and hint cross as well');

select catches(1000) as first \gset
select catches(9000) as second \gset
select is(:second::bigint, :first::bigint, 'the memory contexts after 10,000 caught errors are those after 1,000');
select * from finish();
rollback;
