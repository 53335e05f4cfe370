-- Following the feed as a bridge does: all tenants at once, pages, tickets, exports.
\ir common.psql
create role feed_bridge in role orch_bridge;
create role feed_viewer in role orch_viewer;
select orch.feed_position() as began \gset
select pg_temp.define('feed', '{"a": {"retries": 1, "retry_delay_seconds": 0, "retry_jitter": 0}}');
select orch.worker_start('feed', '{feed}', '{noop}') as worker \gset
select orch.trigger('feed', traceparent => '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01') as run \gset
select lease, traceparent from orch.lease('feed') \gset
select is(:'traceparent'::text, '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01', 'a lease hands the trace on');
select orch.fail(:'lease', '{"class": "transient", "message": "once"}');
call pg_temp.wait_until($$ select exists (select from orch.tasks where state = 'ready' and queue = 'feed') $$);
select lease from orch.lease('feed') \gset
select orch.complete(:'lease');
set orch.tenant = 'feed_tenant';
select pg_temp.define('feed');
select orch.trigger('feed') as other \gset
reset orch.tenant;

select results_eq(
    format('select distinct tenant, workflow from orch.feed(%s) order by 1', :began),
    $$ values ('default', 'feed'), ('feed_tenant', 'feed') $$,
    'the feed of the bridge has the events of all tenants'
);
select is_empty(format('select from orch.events_after(%s) where tenant <> ''default''', :began), 'that of anybody else has not');
select is((select count(*) from orch.feed(:began) where traceparent is not null), (select count(*) from orch.events where run_id = :'run'), 'beside them the trace');

-- Pages --------------------------------------------------------------------------------------------------

select * from orch.event_page(:began, 3) \gset
select is(jsonb_array_length(:'items'), 3, 'a page');
select is(:'items'::jsonb -> 0 ->> 'kind', 'run_triggered', 'begins with the first');
select is(:next_pos, (:'items'::jsonb -> 2 ->> 'pos')::bigint, 'and the next begins behind its last');
select * from orch.event_page(:next_pos, 1000) \gset
select is(jsonb_array_length(:'items') + 3, (select count(*)::int from orch.events where run_id = :'run'), 'there is the rest');
select is(:next_pos, orch.feed_position(), 'whole up to the end of the feed');
select * from orch.event_page(:began, 1000, workflow => 'nobody') \gset
select is(:'items'::jsonb, '[]', 'nothing of another workflow');
select is(:next_pos, orch.feed_position(), 'though it was read');
select is(jsonb_array_length((select items from orch.event_page(:began, 1000, kinds => '{run_triggered,run_succeeded}'))), 2, 'some kinds');
select is(jsonb_array_length((select items from orch.event_page(0, 1000, run => :'run', kinds => '{task_started}'))), 2, 'of one run');
select is(pg_temp.code(format('select orch.event_page(0, run => %L)', :'other')), 'OR003', 'a run of another tenant is none');

select is(
    (select jsonb_agg(l.event order by l.pos) from orch.feed_lines(:began) as l where l.tenant = 'default'),
    (select items from orch.event_page(:began, 1000)),
    'the lines of the bridge are the same'
);

-- Who may ----------------------------------------------------------------------------------------------------

set role feed_viewer;
select throws_ok('select orch.feed(0)', '42501', null, 'a viewer may not read the feed of all');
select throws_ok('select orch.use_event_ticket(''x'')', '42501', null, 'nor use a ticket');
select throws_ok('select orch.create_event_ticket()', '42501', null, 'nor make one but through a bridge');
set role orch_viewer;
select throws_ok('select orch.create_event_ticket()', '42501', null, 'whatever role it takes');
set role feed_viewer;
select lives_ok('select orch.event_page(0, 1)', 'pages are for it');
set role feed_bridge;
select lives_ok('select orch.feed(0, 1)', 'a bridge reads the feed');
select lives_ok('select * from orch.readiness()', 'and asks whether all is well');
select throws_ok('select orch.event_page(0, 1)', '42501', null, 'but no page before it is somebody');
reset role;

-- Tickets ------------------------------------------------------------------------------------------------------

set session authorization feed_bridge;
begin;
set local role orch_operator;
set local orch.tenant = 'feed_tenant';
set local orch.token = 'feed';
select orch.create_event_ticket(now() + interval '1 hour') as ticket \gset
commit;
reset session authorization;
set role feed_bridge;
select results_eq(
    format('select name, role, tenant, expires_at is not null from orch.use_event_ticket(sha256(%L))', :'ticket'),
    $$ values ('feed', 'orch_operator', 'feed_tenant', true) $$,
    'a ticket stands for the request that asked for it'
);
select is_empty(format('select orch.use_event_ticket(sha256(%L))', :'ticket'), 'once');
reset role;
select is((select count(*) from _orch.event_ticket), 0::bigint, 'and is gone');
set session authorization feed_bridge;
begin;
set local role orch_viewer;
select orch.create_event_ticket() as ticket \gset
commit;
reset session authorization;
select _orch.advance_clock('61 seconds') is null as moved \gset
select is_empty(format('select orch.use_event_ticket(sha256(%L))', :'ticket'), 'a minute long');

-- Spans ----------------------------------------------------------------------------------------------------------

select spans, next_pos from orch.span_page(:began) \gset
select results_eq(
    format('select s ->> ''kind'', (s ->> ''attempt'')::int from jsonb_array_elements(%L) as s', :'spans'),
    $$ values ('task_retry_scheduled', 1), ('task_succeeded', 2), ('run_succeeded', null) $$,
    'attempts and runs that ended'
);
select ok((select bool_and((s ->> 'started_us')::bigint <= (s ->> 'ended_us')::bigint and s ->> 'traceparent' is not null) from jsonb_array_elements(:'spans') as s), 'since when, and in which trace');
select is(:next_pos, orch.feed_position(), 'up to the end');
select is(orch.export_position('feed'), orch.feed_position(), 'an export begins with what comes');
select orch.trigger('feed') as more \gset
select ok(orch.export_position('feed') < orch.feed_position(), 'and stays where it was');
select orch.set_export_position('feed', orch.feed_position());
select orch.set_export_position('feed', 1);
select is(orch.export_position('feed'), orch.feed_position(), 'it goes forward only');
select orch.cancel(:'more') as state \gset
set orch.tenant = 'feed_tenant';
select orch.cancel(:'other') as state \gset
reset orch.tenant;
drop role feed_bridge, feed_viewer;
select * from finish();
