-- Signed requests: what starts runs from outside, and what tells somebody outside of events.
\ir common.psql
create extension if not exists pgcrypto;
create role webhooks_viewer in role orch_viewer;
create role webhooks_operator in role orch_operator;
create role webhooks_worker in role orch_worker;

create function pg_temp.signed(body text, secret text) returns text
language sql
as $$ select encode(hmac(convert_to(body, 'UTF8'), convert_to(secret, 'UTF8'), 'sha256'), 'hex') $$;
create function pg_temp.github(hook text, body text, secret text, id text default null, more jsonb default '{}') returns table (run_id uuid, created boolean, state text)
language sql
as $$
    select r.* from orch.receive_hook(hook, convert_to(body, 'UTF8'),
        jsonb_build_object('X-Hub-Signature-256', 'sha256=' || pg_temp.signed(body, secret)) || case when id is null then '{}' else jsonb_build_object('X-GitHub-Delivery', id) end || more) r
$$;
create function pg_temp.standard(hook text, body text, key bytea, id text, at timestamptz, more text default '') returns table (run_id uuid, created boolean, state text)
language sql
as $$
    select r.* from (select floor(extract(epoch from at))::bigint::text) s(stamp), orch.receive_hook(hook, convert_to(body, 'UTF8'), jsonb_build_object('webhook-id', id, 'webhook-timestamp', s.stamp, 'webhook-signature', more || 'v1,'
        || encode(hmac(convert_to(id || '.' || s.stamp || '.' || body, 'UTF8'), key, 'sha256'), 'base64'))) r
$$;
create function pg_temp.starts(body text) returns bigint
language sql
as $$ select count(*) from orch.runs where workflow = 'webhooks' and input = body::jsonb $$;

select pg_temp.define('webhooks', '{"only": {"noop": true}}');

-- In: GitHub's way ------------------------------------------------------------------------------

select is(orch.create_hook('push', 'webhooks', 'It''s a Secret to Everybody'), null, 'a secret that was given is not given back');
select is(created, true, 'a signed delivery starts a run') from pg_temp.github('push', '{"ref": 1}', 'It''s a Secret to Everybody', 'd-1');
select is(source || ' ' || (idempotency_key), 'webhook hook/push/d-1', 'its source is the webhook, and its key the delivery') from orch.runs where workflow = 'webhooks';
select is(input, '{"ref": 1}', 'the body is its input') from orch.runs where workflow = 'webhooks';
select is(actor, 'hook:push', 'the history says who it was') from orch.events where kind = 'run_triggered' and run_id = (select run_id from orch.runs where workflow = 'webhooks');
select is(created, false, 'the same delivery again is the same run') from pg_temp.github('push', '{"ref": 1}', 'It''s a Secret to Everybody', 'd-1');
select is(created, false, 'whatever it brings by now') from pg_temp.github('push', '{"ref": 2}', 'It''s a Secret to Everybody', 'd-1');
select is(created, true, 'another delivery is another run') from pg_temp.github('push', '{"ref": 1}', 'It''s a Secret to Everybody', 'd-2');
select is(count(distinct run_id), 1::bigint, 'without an id what is signed stands for it')
from (select run_id from pg_temp.github('push', '{"ref": 3}', 'It''s a Secret to Everybody')
    union all select run_id from pg_temp.github('push', '{"ref": 3}', 'It''s a Secret to Everybody')) r;

select is(pg_temp.code($$ select pg_temp.github('push', '{"ref": 9}', 'another secret of it') $$), '42501', 'another secret is refused');
select is(pg_temp.code($$ select * from orch.receive_hook('push', '{"ref": 9}', '{}') $$), '42501', 'no signature is');
select is(pg_temp.code($$ select * from orch.receive_hook('push', '{"ref": 9}', '{"X-Hub-Signature-256": "sha1=00"}') $$), '42501', 'and one of another kind');
select is(pg_temp.code(format($$ select * from orch.receive_hook('push', '{"ref": 8}', '{"X-Hub-Signature-256": "sha256=%s"}') $$, pg_temp.signed('{"ref": 9}', 'It''s a Secret to Everybody'))),
    '42501', 'and that of another body');
select is(pg_temp.code($$ select * from orch.receive_hook('pull', '{"ref": 9}', '{}') $$), '42704', 'an unknown hook is unknown');
select is(pg_temp.code($$ select pg_temp.github('push', 'ref=9', 'It''s a Secret to Everybody') $$), '22P02', 'a body that is no JSON is refused, once its signature is right');
select is(pg_temp.code($$ select pg_temp.github('push', 'ref=9', 'another secret of it') $$), '42501', 'and not looked at before');
select is(pg_temp.starts('{"ref": 9}'), 0::bigint, 'what was refused started nothing');

-- In: a template ---------------------------------------------------------------------------------

select orch.create_hook('mapped', 'webhooks', 'sixteen bytes at least',
    '{"what": "{{ headers.\"x-github-event\" }}", "ref": "{{ body.ref }}", "text": "to {{ body.ref }} by {{ body.by ?? ''nobody'' }}", "id": "{{ delivery.id }}"}') \g /dev/null
select run_id as run from pg_temp.github('mapped', '{"ref": [1]}', 'sixteen bytes at least', 'm-1', '{"X-GitHub-Event": "push"}') \gset
select is(input, '{"what": "push", "ref": [1], "text": "to [1] by nobody", "id": "m-1"}', 'a template makes the input of body, headers and delivery') from orch.runs where run_id = :'run';
select is(pg_temp.code($$ select pg_temp.github('mapped', '{}', 'sixteen bytes at least', 'm-2') $$), '22023', 'what it does not find is refused');
select is(pg_temp.code($$ select orch.create_hook('bad', 'webhooks', null, '{"a": "{{ body. }}"}') $$), '22023', 'a template is checked where the hook is made');
select is(pg_temp.code($$ select orch.create_hook('bad', 'webhooks', null, '["{{ input.a }}"]') $$), '22023', 'and can name no more than there is');
select is(pg_temp.code($$ select orch.create_hook('bad', 'webhooks', null, '"{{ secrets.A }}"') $$), '22023', 'least of all secrets');

-- In: Standard Webhooks, and plain hexadecimal digits ----------------------------------------------

select orch.create_hook('std', 'webhooks', 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw', format => 'standard') \g /dev/null
\set key '\'\\x' `echo MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw | base64 -d | od -An -tx1 | tr -d " \n"` '\''
select is(created, true, 'Standard Webhooks') from pg_temp.standard('std', '{"s": 1}', :key::bytea, 's-1', _orch.now());
select is(created, false, 'its id is the key') from pg_temp.standard('std', '{"s": 1}', :key::bytea, 's-1', _orch.now());
select is(created, true, 'one right signature of several is enough') from pg_temp.standard('std', '{"s": 2}', :key::bytea, 's-2', _orch.now(), 'v1,AAAA v1a,BBBB ');
select is(created, true, 'a clock may be off by minutes') from pg_temp.standard('std', '{"s": 3}', :key::bytea, 's-3', _orch.now() - interval '4 min');
select is(pg_temp.code(format($$ select pg_temp.standard('std', '{"s": 4}', %L, 's-4', _orch.now() - interval '6 min') $$, :key)), '42501', 'what is older may be a repetition');
select is(pg_temp.code(format($$ select pg_temp.standard('std', '{"s": 4}', %L, 's-4', _orch.now() + interval '6 min') $$, :key)), '42501', 'nor is it from the future');
select is(pg_temp.code($$ select pg_temp.standard('std', '{"s": 4}', 'something else', 's-4', _orch.now()) $$), '42501', 'another key is refused');

select orch.create_hook('plain', 'webhooks', 'sixteen bytes at least', format => 'hex', signature_header => 'X-Sum') \g /dev/null
select is(created, true, 'plain digits, in a header of one''s own')
from orch.receive_hook('plain', '{"h": 1}', jsonb_build_object('x-sum', upper(pg_temp.signed('{"h": 1}', 'sixteen bytes at least')), 'X-Delivery-Id', 'h-1'));

select alike(orch.create_hook('made', 'webhooks'), 'whsec_%', 'a secret that was not given is made, and shown once');
select is(pg_temp.code($$ select orch.create_hook('made', 'webhooks') $$), '42710', 'a name is taken once');
select is(pg_temp.code($$ select orch.create_hook('a/b', 'webhooks') $$), '22023', 'a name is a part of an address');
select is(pg_temp.code($$ select orch.create_hook('more', 'webhooks-no') $$), 'OR002', 'an unknown workflow');
select is(pg_temp.code($$ select orch.create_hook('more', 'webhooks', 'short') $$), '22023', 'a secret is no password');
select is(pg_temp.code($$ select orch.create_hook('more', 'webhooks', format => 'xml') $$), '22023', 'an unknown format');
select is(pg_temp.code($$ select orch.create_hook('more', 'webhooks', signature_header => 'x-a') $$), '22023', 'a header of one''s own is for plain digits');
select is_empty($$ select from orch.hooks h, orch.notifications n where h::text || n::text like '%MfKQ9%' or h::text like '%Everybody%' $$, 'no view shows a secret');
select results_eq($$ select hook, format, signature_header from orch.hooks where workflow = 'webhooks' order by 1 $$,
    $$ values ('made'::text, 'github'::text, 'x-hub-signature-256'::text), ('mapped', 'github', 'x-hub-signature-256'), ('plain', 'hex', 'x-sum'), ('push', 'github', 'x-hub-signature-256'), ('std', 'standard', 'webhook-signature') $$,
    'the hooks that there are');
select is(orch.drop_hook('made'), true, 'a hook is dropped');
select is(orch.drop_hook('made'), false, 'once');
select is(pg_temp.code($$ select orch.trigger('webhooks', source => 'webhook') $$), '22023', 'nobody else may say that a run is a webhook''s');

-- Out --------------------------------------------------------------------------------------------

select pg_temp.define('webhooks_fails', '{"only": {}}');
select pg_temp.define('webhooks_quiet', '{"only": {"noop": true}}');
select orch.worker_start('webhooks', '{webhooks_fails}', '{noop}') \g /dev/null
select orch.worker_start('webhooks_out', '{orch.notifications}', '{orch.notify}') \g /dev/null
select orch.trigger('webhooks_quiet') as before \gset
call orch.await_run(:'before', '20 s');
select alike(orch.notify_on('ops', 'webhooks_fails', 'https://hooks.example.com/T0/secret-path?x=1'), 'whsec_%', 'a notification has a secret');
select orch.notify_on('all', null, 'http://127.0.0.1:1/', '{run_succeeded,run_cancelled}', 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw') \g /dev/null
select results_eq($$ select name, workflow, events, url from orch.notifications order by 1 $$,
    $$ values ('all'::text, null::text, '{run_succeeded,run_cancelled}'::text[], 'http://127.0.0.1:1'::text), ('ops', 'webhooks_fails', '{run_failed,run_timed_out,dead_letter}', 'https://hooks.example.com') $$,
    'a view shows whom, and not the path');

select orch.trigger('webhooks_quiet', traceparent => '00-11111111111111111111111111111111-2222222222222222-01') as quiet \gset
call orch.await_run(:'quiet', '20 s');
select is((select string_agg(event || ' ' || notification || ' ' || state, ', ' order by d.run_id) from orch.deliveries d where about = :'quiet'), 'run_succeeded all running', 'the end of a run starts a delivery, by the same commit');
select is((select string_agg(notification, ' ') from orch.deliveries where about = :'before'), null, 'what ended before is not told');
call pg_temp.lease_soon('webhooks_out');
select handler as handler, lease, run_id as delivery from leased \gset
select is(source, 'notification', 'a delivery is a run of the engine''s own') from orch.runs where run_id = :'delivery';
select is(input - 'at' - 'run_id', '{"notification": "all", "event": "run_succeeded", "workflow": "webhooks_quiet"}', 'its input is no more than a reference') from orch.runs where run_id = :'delivery';
select url, headers as headers, body from orch.delivery(:'lease') \gset
select is(:'url'::text, 'http://127.0.0.1:1/', 'whoever has the lease gets the whole address');
select is(:'headers'::jsonb ->> 'webhook-id', :'delivery', 'the id of the delivery, the same in every attempt');
select is(:'headers'::jsonb ->> 'traceparent', '00-11111111111111111111111111111111-2222222222222222-01', 'the trace of the run goes on');
select is(split_part(:'headers'::jsonb ->> 'webhook-signature', ',', 2),
    encode(hmac(convert_to((:'headers'::jsonb ->> 'webhook-id') || '.' || (:'headers'::jsonb ->> 'webhook-timestamp') || '.' || :'body', 'UTF8'), :key::bytea, 'sha256'), 'base64'), 'signed by Standard Webhooks');
select is((:'body'::jsonb - 'data' - 'id' - 'time'), jsonb_build_object('specversion', '1.0', 'source', '/workflows/webhooks_quiet', 'type', 'orch.run_succeeded', 'subject', :'quiet',
    'datacontenttype', 'application/json', 'schemaversion', '1', 'tenant', 'default'), 'a CloudEvent');
select is((:'body'::jsonb ->> 'time')::timestamptz, (select at from orch.events where run_id = :'quiet' and kind = 'run_succeeded'), 'at the time of the event');
select alike(:'body'::jsonb ->> 'time', '____-__-__T__:__:__.______Z', 'as RFC 3339 writes it');
select is((:'body'::jsonb #>> '{data,state}') || (:'body'::jsonb #>> '{data,workflow}'), 'succeededwebhooks_quiet', 'with what there is to say');
select orch.complete(:'lease');
call orch.await_run(:'delivery', '20 s');
select is((select count(*) from orch.deliveries where about = :'delivery'), 0::bigint, 'a delivery is not told of itself');
select is(state, 'succeeded', 'the delivery is done') from orch.deliveries where run_id = :'delivery';
select is(pg_temp.code(format('select * from orch.delivery(%L)', :'lease')), 'OR010', 'without the lease there is nothing to send');

-- A failure: the run and its dead letter, with what the error says of itself and no more.
select orch.trigger('webhooks_fails', '{"private": "p4ss"}') as run \gset
call pg_temp.lease_soon('webhooks');
select orch.fail(lease, '{"class": "validation", "code": "E1", "message": "no such thing", "detail": "p4ss", "traceback": "p4ss"}') from leased \g /dev/null
call orch.await_run(:'run', '20 s');
select is((select string_agg(event, ' ' order by event) from orch.deliveries where about = :'run'), 'dead_letter run_failed', 'a failed run, and its dead letter');
call pg_temp.lease_soon('webhooks_out');
select body as one from leased, orch.delivery(lease) \gset
select lease as first from leased \gset
call pg_temp.lease_soon('webhooks_out');
select body as two from leased, orch.delivery(lease) \gset
select set_eq(format($$ select b ->> 'type' from unnest(%L::jsonb[]) b $$, array[:'one', :'two']::jsonb[]), '{orch.dead_letter,orch.run_failed}'::text[], 'both are sent');
select results_eq(format($$ select b #> '{data,error}' from unnest(%L::jsonb[]) b where b ->> 'type' = 'orch.dead_letter' $$, array[:'one', :'two']::jsonb[]),
    $$ values ('{"class": "validation", "code": "E1", "message": "no such thing"}'::jsonb) $$, 'with the error, without what is beside it');
select results_eq(format($$ select b #>> '{data,task_id}', (b #>> '{data,dead_letter}')::bigint from unnest(%L::jsonb[]) b where b ->> 'type' = 'orch.dead_letter' $$, array[:'one', :'two']::jsonb[]),
    format($$ select 'only'::text, id from orch.dead_letters where run_id = %L $$, :'run'), 'a dead letter by its number');
select unalike(:'one'::text || :'two', '%p4ss%', 'inputs and details stay here');
select is_empty(format($$ select from _orch.event e where e::text like '%%MfKQ9%%' or e::text like '%%secret-path%%' $$), 'neither secret nor address stands in the history');

-- What is erased is not sent, what is dropped neither.
select orch.erase(:'run', 'the test wants it') \g /dev/null
select unalike(body, '%no such thing%', 'an erased error is not sent') from orch.delivery(:'first');
select orch.delete_run(:'run', 'the test wants it') \g /dev/null
select is((select count(*) from orch.delivery(:'first') where body::jsonb #>> '{data,run_id}' = :'run'), 1::bigint, 'a run that was deleted is still told of, without what it was');
select is(orch.drop_notification('ops'), true, 'a notification is dropped');
select is_empty(format('select * from orch.delivery(%L)', :'first'), 'and what it has not sent is not wanted any more');
select is(orch.drop_notification('ops'), false, 'once');
select orch.skip(:'first', 'dropped') \g /dev/null
select orch.skip(lease, 'dropped') from leased \g /dev/null

-- What somebody rolls back was never told; a cancelled run is.
begin;
select orch.trigger('webhooks') as rolled \gset
select orch.cancel(:'rolled') \g /dev/null
rollback;
select is((select count(*) from orch.deliveries where about = :'rolled'), 0::bigint, 'what is rolled back is not told');
select orch.trigger('webhooks_fails') as cancelled \gset
select orch.cancel(:'cancelled') \g /dev/null
call orch.await_run(:'cancelled', '20 s');
select is((select string_agg(event, ' ') from orch.deliveries where about = :'cancelled'), 'run_cancelled', 'a cancelled run is told of');
select orch.notify_on('all', null, 'https://other.example.com/', '{run_failed}') \g /dev/null
select is((select url from orch.notifications where name = 'all'), 'https://other.example.com', 'notify_on again changes it');
call pg_temp.lease_soon('webhooks_out');
select is(url, 'https://other.example.com/', 'and what waits goes to the new address') from leased, orch.delivery(lease);
select run_id as delivery from leased \gset
select orch.fail(lease, '{"class": "validation", "message": "410 Gone"}', false) from leased \g /dev/null
call orch.await_run(:'delivery', '20 s');
select is((select count(*) from orch.deliveries where about = :'delivery'), 0::bigint, 'a delivery that failed is not told of either');
select id as letter from orch.dead_letters where run_id = :'delivery' \gset
select is((select run_id from orch.redrive(:letter::bigint)), :'delivery'::uuid, 'it is a dead letter, and can be redriven');
call pg_temp.lease_soon('webhooks_out');
select is((select headers ->> 'webhook-id' from leased, orch.delivery(lease)), :'delivery', 'under the same id');
select orch.complete(lease) from leased \g /dev/null
select is(orch.drop_notification('all'), true, 'no more of it');

-- Who may ----------------------------------------------------------------------------------------

select is(pg_temp.code($$ select orch.notify_on('x', null, 'ftp://a/') $$), '22023', 'http and https only');
select is(pg_temp.code($$ select orch.notify_on('x', null, 'https://user:password@a/') $$), '22023', 'no password in an address');
select is(pg_temp.code($$ select orch.notify_on('x', null, 'https://a/', '{run_slow}') $$), '22023', 'an unknown event');
select is(pg_temp.code($$ select orch.notify_on('x', null, 'https://a/', '{}') $$), '22023', 'no event');
select is(pg_temp.code($$ select orch.notify_on('x', 'webhooks-no', 'https://a/') $$), 'OR002', 'an unknown workflow');
select is(pg_temp.code($$ select pg_temp.define('orch.notification') $$), '42939', 'the engine''s own workflow is nobody else''s');
select is(pg_temp.code($$ select orch.register_code('orch.notification', '1') $$), '42939', 'not as code either');
select orch.trigger('orch.notification', '{"about": "anything"}') as forged \gset
call pg_temp.lease_soon('webhooks_out');
select is_empty('select d.* from leased l, orch.delivery(l.lease) d', 'a run of it that somebody else starts sends nothing');
select orch.skip(lease, 'nothing') from leased \g /dev/null
set role webhooks_operator;
select is(pg_temp.code($$ select orch.create_hook('x', 'webhooks') $$), '42501', 'an operator makes no hooks');
select is(pg_temp.code($$ select orch.notify_on('x', null, 'https://a/') $$), '42501', 'nor notifications');
set role webhooks_worker;
select is(pg_temp.code($$ table orch.hooks $$), '42501', 'a worker sees no hooks');
select is(pg_temp.code($$ select * from orch.receive_hook('push', '{}', '{}') $$), '42501', 'and receives none');
set role webhooks_viewer;
select is(pg_temp.code($$ select * from orch.delivery('x') $$), '42501', 'a viewer gets nothing to send');
select isnt((select count(*) from orch.hooks), 0::bigint, 'and sees the hooks');
reset role;
select is_empty('select * from orch.replay_check(_orch.now() - interval ''1 hour'')', 'the history tells all of these runs as they are');
select * from finish();
