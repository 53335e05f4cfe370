-- The feed of events: all of them in one order, for those who follow. A bridge follows it once for all of its readers.

create or replace function orch.events_after(
    after_pos bigint,
    max_rows int default 1000,
    run uuid default null
)
returns table (
    pos bigint,
    run_id uuid,
    task_id text,
    no int,
    kind text,
    at timestamptz,
    actor text,
    data jsonb,
    tenant text,
    workflow text,
    traceparent text,
    task_no int
)
language c stable parallel unsafe
as 'MODULE_PATHNAME', 'orch_events_after';
revoke execute on function orch.events_after(bigint, int, uuid) from public;
grant execute on function orch.events_after(bigint, int, uuid) to orch_viewer;
comment on function orch.events_after(bigint, int, uuid) is
    'The next events of the feed in the order of pos, of all runs or of one; no event can appear later below a pos that was returned.';

create or replace function orch.feed(
    after_pos bigint,
    max_rows int default 1000
)
returns table (
    pos bigint,
    run_id uuid,
    task_id text,
    no int,
    kind text,
    at timestamptz,
    actor text,
    data jsonb,
    tenant text,
    workflow text,
    traceparent text,
    task_no int
)
language c stable parallel unsafe
as 'MODULE_PATHNAME', 'orch_feed';
revoke execute on function orch.feed(bigint, int) from public;
grant execute on function orch.feed(bigint, int) to orch_bridge;
comment on function orch.feed(bigint, int) is
    'As orch.events_after, of all tenants: for the one session by which a bridge follows the feed for all of its readers.';

create or replace function orch.feed_position()
returns bigint
language c volatile parallel unsafe
as 'MODULE_PATHNAME', 'orch_feed_position';
revoke execute on function orch.feed_position() from public;
grant execute on function orch.feed_position() to orch_viewer, orch_bridge;
comment on function orch.feed_position() is
    'Up to where the feed can be read now: who begins here sees what happens from now on.';

create or replace function orch.event_page(
    after_pos bigint default 0,
    max_rows int default 100,
    run uuid default null,
    workflow text default null,
    kinds text[] default null
)
returns table (
    items jsonb,
    next_pos bigint
)
language plpgsql volatile parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    -- First, so that a page that is not full is known to be whole up to here.
    v_end bigint := orch.feed_position();
    v_read int;
    v_last bigint;
begin
    select
        coalesce(
            jsonb_agg(
                jsonb_build_object(
                    'pos', e.pos, 'run_id', e.run_id, 'task_id', e.task_id, 'no', e.no, 'kind', e.kind, 'at', e.at, 'actor', e.actor,
                    'workflow', e.workflow,
                    'data', case when pg_column_size(e.data) > 16384 then jsonb_build_object('left_out_bytes', pg_column_size(e.data)) else e.data end
                )
                order by e.pos
            ) filter (where (event_page.workflow is null or e.workflow = event_page.workflow) and (event_page.kinds is null or e.kind = any (event_page.kinds))),
            '[]'
        ),
        count(*),
        max(e.pos)
    into items, v_read, v_last
    from orch.events_after(event_page.after_pos, event_page.max_rows, event_page.run) as e;
    next_pos := case when v_read >= event_page.max_rows then v_last else greatest(v_last, v_end, event_page.after_pos) end;
    return next;
end
$$;
revoke execute on function orch.event_page(bigint, int, uuid, text, text[]) from public;
grant execute on function orch.event_page(bigint, int, uuid, text, text[]) to orch_viewer;
comment on function orch.event_page(bigint, int, uuid, text, text[]) is
    'One row: those of the next max_rows events that are of this run, this workflow and one of these kinds, as a JSON array, and the pos behind which to go on. A page may be empty though more follows. data of more than 16 KiB is left out, and its size told instead.';

create or replace function orch.feed_lines(after_pos bigint, max_rows int default 500)
returns table (
    pos bigint,
    tenant text,
    workflow text,
    run_id uuid,
    kind text,
    event jsonb
)
language sql volatile parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
    select
        e.pos,
        e.tenant,
        e.workflow,
        e.run_id,
        e.kind,
        jsonb_build_object(
            'pos', e.pos, 'run_id', e.run_id, 'task_id', e.task_id, 'no', e.no, 'kind', e.kind, 'at', e.at, 'actor', e.actor,
            'workflow', e.workflow,
            'data', case when pg_column_size(e.data) > 16384 then jsonb_build_object('left_out_bytes', pg_column_size(e.data)) else e.data end
        )
    from orch.feed(feed_lines.after_pos, feed_lines.max_rows) as e
    order by e.pos
$$;
revoke execute on function orch.feed_lines(bigint, int) from public;
grant execute on function orch.feed_lines(bigint, int) to orch_bridge;
comment on function orch.feed_lines(bigint, int) is
    'As orch.feed, each event as the JSON that orch.event_page has, beside what a bridge asks to know who gets it.';

create or replace procedure orch.await_events(after_pos bigint, timeout interval default '10 minutes')
language c
as 'MODULE_PATHNAME', 'orch_await_events';
revoke execute on procedure orch.await_events(bigint, interval) from public;
grant execute on procedure orch.await_events(bigint, interval) to orch_viewer, orch_bridge;
comment on procedure orch.await_events(bigint, interval) is
    'Sleeps, without a snapshot, until events_after may have more, the client sends more, or the timeout has passed; refused in a transaction block (25001).';

-- A browser's EventSource sends no header of ours: it gets a ticket instead of a token, good for one stream on any replica.
create or replace function orch.create_event_ticket(expires timestamptz default null)
returns text
language plpgsql volatile parallel unsafe
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_ticket text := 'ticket_' || replace(gen_random_uuid()::text || gen_random_uuid()::text, '-', '');
begin
    -- The role of the request is that of SET ROLE, since this function runs as its owner. Of other sessions orch.tenant is anybody's word.
    if not _orch.is_bridge_session() or current_setting('role') not in ('orch_viewer', 'orch_operator', 'orch_admin') then
        raise exception using
            errcode = '42501',
            message = 'a ticket is made in a session of the bridge',
            detail = 'It stands for a bearer token, and only the bridge knows whose request this is.',
            hint = 'POST /api/v1/events/ticket, with the token.';
    end if;
    delete from _orch.event_ticket as t
    where t.dies_at < _orch.now();
    insert into _orch.event_ticket (ticket_hash, name, role, tenant, expires_at, dies_at)
    values (
        sha256(convert_to(v_ticket, 'UTF8')),
        coalesce(current_setting('orch.token', true), ''),
        current_setting('role'),
        coalesce(nullif(current_setting('orch.tenant', true), ''), 'default'),
        expires,
        _orch.now() + interval '1 minute'
    );
    return v_ticket;
end
$$;
revoke execute on function orch.create_event_ticket(timestamptz) from public;
grant execute on function orch.create_event_ticket(timestamptz) to orch_viewer;
comment on function orch.create_event_ticket(timestamptz) is
    'A ticket for one stream of events, good for a minute, with the rights of the request that asks for it; for sessions of the bridge.';

create or replace function orch.use_event_ticket(ticket_hash bytea)
returns table (
    name text,
    role text,
    tenant text,
    expires_at timestamptz
)
language sql volatile parallel unsafe
security definer
set search_path = pg_catalog, pg_temp
as $$
    delete from _orch.event_ticket as t
    where t.ticket_hash = use_event_ticket.ticket_hash
        and t.dies_at >= _orch.now()
    returning t.name, t.role, t.tenant, t.expires_at
$$;
revoke execute on function orch.use_event_ticket(bytea) from public;
grant execute on function orch.use_event_ticket(bytea) to orch_bridge;
comment on function orch.use_event_ticket(bytea) is
    'Takes a ticket by its SHA-256 and tells whose it is; none where it was used, is too old, or never was.';

create or replace function orch.engine_time()
returns timestamptz
language sql stable parallel unsafe
security definer
set search_path = pg_catalog, pg_temp
as $$
    select _orch.now()
$$;
revoke execute on function orch.engine_time() from public;
grant execute on function orch.engine_time() to orch_viewer, orch_bridge;
comment on function orch.engine_time() is
    'The time that the engine goes by.';

create or replace function orch.tokens_ended(tenants text[], names text[], since timestamptz[])
returns setof int
language sql stable parallel unsafe
security definer
set search_path = pg_catalog, pg_temp
as $$
    select u.i::int
    from unnest(tenants, names, since) with ordinality as u (tenant, name, since, i)
    where not exists (
        select
        from _orch.token as t
        where t.tenant = u.tenant
            and t.name = u.name
            and t.created_at <= u.since
            and t.revoked_at is null
            and (t.expires_at is null or t.expires_at > _orch.now())
    )
$$;
revoke execute on function orch.tokens_ended(text[], text[], timestamptz[]) from public;
grant execute on function orch.tokens_ended(text[], text[], timestamptz[]) to orch_bridge;
comment on function orch.tokens_ended(text[], text[], timestamptz[]) is
    'Which of these tokens, each as it was admitted at a moment, have been revoked or have expired since, by their place in the arrays from 1: whoever still uses one is sent away.';

create or replace function orch.readiness()
returns table (
    "check" text,
    ok boolean,
    detail text
)
language sql volatile parallel unsafe
security definer
set search_path = pg_catalog, pg_temp
as $$
    select
        'engine',
        e.phase in ('open', 'unused'),
        case
            when e.phase = 'held' then 'The database is a copy that waits for orch.adopt.'
            when e.phase = 'standby' then 'The server is a standby.'
            when e.phase in ('open', 'unused') then 'Tasks are handed out.'
            else 'It is reading its state after a start.'
        end
    from _orch.engine_status() as e
    union all
    select
        'steward',
        e.phase = 'unused' or (e.steward_pid is not null and e.steward_late < 300),
        case
            when e.phase = 'unused' then 'Nothing has been registered yet.'
            when e.steward_pid is null then 'None runs.'
            when e.steward_late < 300 then 'It comes when it is wanted.'
            else format('It has been wanted for %s s.', e.steward_late::bigint)
        end
    from _orch.engine_status() as e
    union all
    select
        'redis',
        not n.wanted or n.state = 'connected',
        case
            when not n.wanted then 'No hints are wanted.'
            else format('The sender of hints is %s.', n.state)
        end
    from _orch.notifier_status() as n
$$;
revoke execute on function orch.readiness() from public;
grant execute on function orch.readiness() to orch_viewer, orch_bridge;
comment on function orch.readiness() is
    'A row for each of engine, steward and redis: whether it is fit for work. For load balancers; orch.health tells people more.';

create or replace function orch.export_position(name text)
returns bigint
language plpgsql volatile parallel unsafe
security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_pos bigint;
begin
    insert into _orch.export (name, pos, at)
    values (export_position.name, orch.feed_position(), _orch.now())
    on conflict do nothing;
    select x.pos
    into v_pos
    from _orch.export as x
    where x.name = export_position.name;
    return v_pos;
end
$$;
revoke execute on function orch.export_position(text) from public;
grant execute on function orch.export_position(text) to orch_bridge;
comment on function orch.export_position(text) is
    'Up to where the feed was exported under this name; the first to ask begins with what happens from now on.';

create or replace function orch.set_export_position(name text, pos bigint)
returns void
language sql volatile parallel unsafe
security definer
set search_path = pg_catalog, pg_temp
as $$
    update _orch.export as x
    set pos = greatest(x.pos, set_export_position.pos),
        at = _orch.now()
    where x.name = set_export_position.name
$$;
revoke execute on function orch.set_export_position(text, bigint) from public;
grant execute on function orch.set_export_position(text, bigint) to orch_bridge;
comment on function orch.set_export_position(text, bigint) is
    'Everything up to this position has arrived.';

-- Runs and attempts that ended, as spans. A run that is reopened has a span for each end.
create or replace function orch.span_page(after_pos bigint, max_rows int default 1000)
returns table (
    spans jsonb,
    next_pos bigint
)
language plpgsql volatile parallel unsafe
security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_end bigint := orch.feed_position();
    v_read int;
    v_last bigint;
    v_ended jsonb;
begin
    select
        coalesce(
            jsonb_agg(
                jsonb_build_object(
                    'pos', e.pos, 'run_id', e.run_id, 'task_id', e.task_id, 'attempt', e.data -> 'attempt', 'kind', e.kind, 'tenant', e.tenant,
                    'workflow', e.workflow, 'traceparent', e.traceparent, 'actor', e.actor, 'error', e.data -> 'error',
                    'task_no', e.task_no, 'no', e.no, 'ended_us', (extract(epoch from e.at) * 1000000)::bigint
                )
                order by e.pos
            ) filter (where e.kind like 'run_%' or e.data ? 'attempt'),
            '[]'
        ),
        count(*),
        max(e.pos)
    into v_ended, v_read, v_last
    from orch.feed(span_page.after_pos, span_page.max_rows) as e;
    -- In a statement of its own: the snapshot of the one above may be older than what the feed showed it.
    select
        coalesce(
            jsonb_agg(
                e.ended - 'task_no' - 'no' || jsonb_build_object(
                    'started_us', (extract(epoch from b.at) * 1000000)::bigint,
                    -- How often it had been reopened: each time has a span of its own.
                    'opening', (select count(*) from _orch.event as r where r.run_id = e.run_id and r.task_no = -1 and r.kind = 6 and r.pos < e.pos)
                )
                order by e.pos
            ) filter (where b.at is not null),
            '[]'
        )
    into spans
    from (
        select
            v.ended,
            (v.ended ->> 'run_id')::uuid,
            (v.ended ->> 'task_no')::int,
            (v.ended ->> 'no')::int,
            (v.ended ->> 'pos')::bigint,
            v.ended ->> 'kind',
            (v.ended ->> 'attempt')::int
        from jsonb_array_elements(v_ended) as v (ended)
    ) as e (ended, run_id, task_no, no, pos, kind, attempt)
    left join lateral (
        select max(s.at) as at
        from _orch.event as s
        where s.run_id = e.run_id
            and s.task_no = e.task_no
            and s.no < e.no
            and case
                when e.kind in ('run_succeeded', 'run_failed', 'run_timed_out', 'run_cancelled') then s.kind in (2, 6)
                when e.kind in ('task_succeeded', 'task_failed', 'task_timed_out', 'task_skipped', 'task_cancelled', 'task_retry_scheduled', 'task_released')
                then s.kind = 20 and s.attempt = e.attempt
            end
    ) as b on true;
    next_pos := case when v_read >= span_page.max_rows then v_last else greatest(v_last, v_end, span_page.after_pos) end;
    return next;
end
$$;
revoke execute on function orch.span_page(bigint, int) from public;
grant execute on function orch.span_page(bigint, int) to orch_bridge;
comment on function orch.span_page(bigint, int) is
    'One row: the runs and attempts that ended within the next max_rows events, of all tenants, with when they began, for an export to a tracing system, and the pos behind which to go on.';
