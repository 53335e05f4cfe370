-- Tokens: shown once, kept as a hash, revoked for all at once; who is let in how often; what a bridge's login role can do by itself, which is to ask and to become.
\ir common.psql
create role access_bridge login in role orch_bridge;
create role access_admin login in role orch_admin;
create role access_super superuser login in role orch_bridge;

-- What admit answers for a token, from a bridge's session.
create function pg_temp.ask(token text, address text default '192.0.2.1', subject text default null) returns record
language sql
as $$ select a from orch.admit(sha256(token::bytea), address, subject) as a $$;
create function pg_temp.status(token text, address text default '192.0.2.1', subject text default null) returns text
language sql
as $$ select a.status from orch.admit(sha256(token::bytea), address, subject) as a $$;

-- Tokens ----------------------------------------------------------------------------

-- The steward does nothing before something is registered.
select pg_temp.define('access_any') \g /dev/null
select orch.create_token('ci', 'operator') as ci \gset
select matches(:'ci'::text, '^orch_[A-Za-z0-9_-]{43}$', 'a token is a word to find it by and 256 bits');
select isnt(orch.create_token('other', 'viewer'), :'ci'::text, 'no two are the same');
select results_eq(
    $$ select name, role, tenant, created_by, expires_at is null, revoked_at is null, last_used_at is null from orch.tokens where name = 'ci' $$,
    format($$ values ('ci', 'operator', 'default', 'role:%s', true, true, true) $$, current_user),
    'it stands in orch.tokens with who made it'
);
select is_empty(
    format($$ select from _orch.token t where t::text like %L or encode(hash, 'escape') like %1$L $$, '%' || :'ci' || '%'),
    'which keeps no token'
);
select results_eq(
    $$ select actor, tenant, workflow, reason, details from orch.audit where action = 'create_token' and details ->> 'token' = 'ci' $$,
    format($$ values ('role:%s', 'default', null::text, null::text, '{"token": "ci", "role": "operator"}'::jsonb) $$, current_user),
    'nor does the audit trail, which tells of it'
);
select is(pg_temp.code($$ select orch.create_token('ci', 'viewer') $$), '23505', 'a name is taken once');
select is(pg_temp.code($$ select orch.create_token('x', 'superuser') $$), '22023', 'there are four roles');
select is(pg_temp.code($$ select orch.create_token('x', 'engine') $$), '22023', 'and the engine''s is none of them');
select is(pg_temp.code($$ select orch.create_token('x', 'viewer', expires => 'yesterday') $$), '22023', 'none is made that is over already');
select is(pg_temp.code($$ select orch.create_token('x', null) $$), '22004', 'none has no role');
select is(pg_temp.code(format($$ select orch.create_token(%L, 'viewer') $$, n)), '22023', format('%s is no name', to_json(n)))
from unnest(array['', ' ', 'a b', 'a/b', 'oidc:a', '-a', E'a\nb', repeat('x', 129)]) n;
select is(pg_temp.code($$ select orch.create_token('x', 'viewer', E'a\nb') $$), '22023', 'a tenant has no control character');
select is(pg_temp.code($$ select orch.create_token('x', 'viewer', '*') $$), '22023', 'and none stands for all');
select lives_ok($$ select orch.create_token('ci', 'orch_viewer', 'access_b') $$, 'names are unique within a tenant; the role may be named in full');
select lives_ok($$ select orch.create_token('endless', 'viewer', expires => 'infinity') $$, 'infinity is no end');

-- Let in --------------------------------------------------------------------------------

select results_eq(
    format($$ select status, name, role, tenant, expires_at, rate_limit, rate_remaining, rate_reset_seconds, retry_after_seconds from orch.admit(sha256(%L), '192.0.2.1') $$, :'ci'::text),
    $$ values ('ok', 'ci', 'orch_operator', 'default', null::timestamptz, 300, 299, 1, null::int) $$,
    'who has it is let in, as the role and tenant of it'
);
select ok((select last_used_at > _orch.now() - interval '1 minute' from orch.tokens where name = 'ci' and tenant = 'default'), 'and its use is known at once');
select is((select last_used_at from _orch.token where name = 'ci' and tenant = 'default'), null, 'though nothing is written for it');
call pg_temp.wait_until($$ select _orch.advance_clock('61 s') is not null and exists (select from _orch.token where name = 'ci' and tenant = 'default' and last_used_at is not null) $$);
select pass('the steward writes it a minute later');
select is(pg_temp.status('orch_' || repeat('A', 43)), 'unknown', 'an unknown token is told so');
select is(pg_temp.status(null), 'anonymous', 'and nobody, too');
select is(pg_temp.status(null, subject => 'https://issuer#me'), 'ok', 'whom an issuer vouches for is let in');
select orch.create_token('short', 'viewer', expires => _orch.now() + interval '1 minute') as short \gset
select is(pg_temp.status(:'short'), 'ok', 'a token works until it expires');
select _orch.advance_clock('1 minute') \g /dev/null
select is(pg_temp.status(:'short'), 'expired', 'and no longer');

-- The transaction that revokes is the last in which it works.
select orch.revoke_token('ci') as revoked \gset
select ok(:'revoked'::boolean, 'a token is revoked');
select is(pg_temp.status(:'ci'), 'revoked', 'and opens nothing from then on');
select is(orch.revoke_token('ci'), false, 'once');
select is(orch.revoke_token('nobody'), false, 'and only what there is');
select is((select count(*) from orch.audit where action = 'revoke_token' and details ->> 'token' = 'ci'), 1::bigint, 'the audit trail tells that, too');
select is(pg_temp.code($$ delete from _orch.audit $$), '55000', 'and cannot be changed');
select orch.create_token('ci', 'viewer') as ci2 \gset
select is(pg_temp.status(:'ci2'), 'ok', 'its name may be given again');
select is(pg_temp.status(:'ci'), 'revoked', 'which does not bring the old one back');

-- How often ---------------------------------------------------------------------------------

-- Slow enough that what comes back while this runs is nothing.
set orch.http_rate = 6;
set orch.http_anonymous_rate = 3;
create function pg_temp.let_in(times int, token text, address text default '192.0.2.2', subject text default null) returns bigint
language sql
as $$ select count(*) from generate_series(1, times) i, lateral orch.admit(sha256(token::bytea), address || left(i::text, 0), subject) a where a.status <> 'limited' $$;
select orch.create_token('busy', 'viewer') as busy \gset
select orch.create_token('quiet', 'viewer') as quiet \gset
select is(pg_temp.let_in(10, :'busy'), 6::bigint, 'a minute''s requests at once');
select results_eq(
    format($$ select status, name, rate_limit, rate_remaining, rate_reset_seconds between 50 and 60, retry_after_seconds between 1 and 10 from orch.admit(sha256(%L), '192.0.2.2') $$, :'busy'::text),
    $$ values ('limited', 'busy', 6, 0, true, true) $$,
    'are the last for now, and when to come again is said'
);
select is(pg_temp.status(:'quiet'), 'ok', 'which is nothing to another token');
select is(pg_temp.status(null, '192.0.2.2'), 'anonymous', 'nor to the address');
select _orch.advance_clock('20 s') \g /dev/null
select is(pg_temp.let_in(10, :'busy'), 2::bigint, 'they come back at the rate');
select _orch.advance_clock('1 h') \g /dev/null
select is(pg_temp.let_in(10, :'busy'), 6::bigint, 'and are never more than a minute''s');
select is(pg_temp.let_in(10, null, '192.0.2.3'), 3::bigint, 'an address without a token has its own rate');
select is(pg_temp.let_in(1, :'ci', '192.0.2.3'), 0::bigint, 'wrong tokens count for the address they come from');
select is(pg_temp.let_in(1, :'busy', '192.0.2.4'), 0::bigint, 'a token that is out is out, from wherever');
select is(pg_temp.let_in(1, :'quiet', '192.0.2.3'), 1::bigint, 'and a good one comes in from an address that is');
select is(pg_temp.let_in(10, null, '192.0.2.3', 'https://issuer#you'), 6::bigint, 'a subject has as many as a token');
-- More addresses than there are places.
select is((select count(*) from generate_series(1, 20000) i, lateral orch.admit(null, '10.0.' || i) a where a.status = 'limited'), 0::bigint, 'twenty thousand addresses are no trouble');
select is(pg_temp.let_in(5, :'busy'), 0::bigint, 'and take no bucket from a token');

set orch.http_rate = 0;
set orch.http_burst = '1 s';
select results_eq(
    format($$ select status, rate_limit, rate_remaining, retry_after_seconds from orch.admit(sha256(%L)) $$, :'busy'::text),
    $$ values ('ok', null::int, null::int, null::int) $$,
    'without a rate there is no limit'
);
select is(pg_temp.let_in(5, null, '192.0.2.4'), 1::bigint, 'a short burst leaves one at a time');
reset orch.http_rate;
reset orch.http_anonymous_rate;
reset orch.http_burst;

-- What a bridge may ------------------------------------------------------------------------------

-- Every object of ours, as the role that a bridge logs in as: it may call orch.admit and nothing else.
create function pg_temp.can(statement text) returns boolean
language plpgsql
as $$
begin
    execute statement;
    raise exception using errcode = 'ZZ000';
exception
    when others then
        return sqlstate <> '42501';
end
$$;
create temp table things as
select p.oid::regprocedure::text as thing,
    format('%s %I.%I(%s)', case p.prokind when 'p' then 'call' else 'select' end, n.nspname, p.proname,
        (select string_agg('null::' || format_type(t, null), ', ' order by i) from unnest(p.proargtypes) with ordinality a (t, i))) as statement
from pg_proc p
join pg_namespace n on n.oid = p.pronamespace
where n.nspname in ('orch', '_orch')
union all
select c.oid::regclass::text, format('select 1 from %s limit 1', c.oid::regclass)
from pg_class c
where c.relnamespace in ('orch'::regnamespace, '_orch'::regnamespace) and c.relkind in ('r', 'p', 'v', 'S');
grant select on things to public;
set session authorization access_bridge;
select set_eq(
    $$ select split_part(thing, '(', 1) from things where pg_temp.can(statement) $$,
    '{orch.admit,orch.await_events,orch.engine_time,orch.export_position,orch.feed,orch.feed_lines,orch.feed_position,orch.readiness,orch.receive_hook,orch.set_export_position,orch.span_page,orch.tokens_ended,orch.use_event_ticket}'::text[],
    'a bridge''s role can ask whom it lets in, pass on signed deliveries and follow the feed, and nothing else'
);
select is(pg_temp.code($$ set local role orch_engine $$), '42501', 'it cannot become the engine');
select is(pg_temp.code($$ select pg_read_file('postgresql.conf') $$), '42501', 'nor read files');
select lives_ok(format('set local role %I', r), format('it can become %s', r)) from unnest(array['orch_viewer', 'orch_operator', 'orch_worker', 'orch_admin']) r;
select is(pg_temp.status(:'quiet'), 'ok', 'it asks');

-- What it says of itself counts in its sessions, and in nobody else's.
set orch.tenant = 'access_b';
set orch.token = 'quiet';
set role orch_admin;
select lives_ok($$ select orch.create_token('mine', 'viewer') $$, 'an administrator''s token makes another');
select is(pg_temp.code($$ select orch.create_token('theirs', 'viewer', 'default') $$), '42501', 'of its own tenant, not of another');
select results_eq($$ select name, tenant, created_by from orch.tokens where created_by <> 'role:' || current_user and name = 'mine' $$, $$ values ('mine', 'access_b', 'token:quiet') $$, 'who made it is told by the token');
select results_eq($$ select distinct tenant from orch.tokens $$, $$ values ('access_b') $$, 'tokens of other tenants are not seen');
select is(orch.revoke_token('busy'), false, 'nor revoked');
select pg_temp.define('access') \g /dev/null
select is((select actor || ' ' || tenant || ' ' || details from orch.audit where action = 'register' and workflow = 'access'), 'token:quiet access_b {"version": 1}', 'the audit trail names the token that registered');
set role orch_operator;
select orch.trigger('access') as run \gset
set role orch_viewer;
select is((select tenant from orch.runs where run_id = :'run'), 'access_b', 'a run is of the tenant of the token');
select is((select actor from orch.events where run_id = :'run' and kind = 'run_triggered'), 'token:quiet', 'and its events name the token');
set orch.tenant = 'default';
select is_empty(format('select from orch.runs where run_id = %L', :'run'), 'a request of another tenant does not see it');
set orch.token = 'oidc:me@example.org';
set orch.tenant = 'access_b';
set role orch_operator;
select orch.cancel(:'run') \g /dev/null
select is((select actor from orch.events where run_id = :'run' and kind = 'run_cancel_requested'), 'oidc:me@example.org', 'whom an issuer vouches for is named as such');
select is(pg_temp.code($$ set orch.token = E'a\nb' $$), '22023', 'no actor has a control character');
reset role;
reset session authorization;

set session authorization access_super;
set orch.tenant = 'default';
set orch.token = 'quiet';
set role orch_operator;
set orch.tenant = 'access_b';
select is_empty(format('select from orch.runs where run_id = %L', :'run'), 'a superuser is no bridge, whatever he is a member of');
reset role;
reset session authorization;
set orch.tenant = 'access_b';
set orch.token = 'quiet';
select orch.trigger('access') as forged \gset
select is((select actor from orch.events where run_id = :'forged' and kind = 'run_triggered'), 'role:' || current_user, 'nobody else forges the name of a token');
reset orch.tenant;
reset orch.token;

drop role access_bridge, access_admin, access_super;
select * from finish();
