-- Webhooks: runs that somebody outside starts by a signed request, and signed requests that tell somebody outside of events.

create or replace function orch.create_hook(
    hook text,
    workflow text,
    secret text default null,
    input jsonb default null,
    format text default 'github',
    signature_header text default null
)
returns text
language c volatile parallel unsafe
as 'MODULE_PATHNAME', 'orch_create_hook';
revoke execute on function orch.create_hook(text, text, text, jsonb, text, text) from public;
grant execute on function orch.create_hook(text, text, text, jsonb, text, text) to orch_admin;
comment on function orch.create_hook(text, text, text, jsonb, text, text) is
    'Lets whoever has the secret start runs of a workflow by POST /api/v1/hooks/HOOK. Without a secret one is made, and returned this once. input is a template over {body, headers, delivery}; without it the body is the input. format is github, standard (Standard Webhooks) or hex, whose signature stands in signature_header [x-signature]. One of that name: 42710; unknown workflow: OR002.';

create or replace function orch.drop_hook(hook text)
returns boolean
language c volatile parallel unsafe
as 'MODULE_PATHNAME', 'orch_drop_hook';
revoke execute on function orch.drop_hook(text) from public;
grant execute on function orch.drop_hook(text) to orch_admin;
comment on function orch.drop_hook(text) is 'Takes a hook away; false where there is none of that name.';

create or replace function orch.receive_hook(
    hook text,
    body bytea,
    headers jsonb,
    out run_id uuid,
    out created boolean,
    out state text
)
language c volatile parallel unsafe
as 'MODULE_PATHNAME', 'orch_receive_hook';
revoke execute on function orch.receive_hook(text, bytea, jsonb) from public;
grant execute on function orch.receive_hook(text, bytea, jsonb) to orch_operator, orch_bridge;
comment on function orch.receive_hook(text, bytea, jsonb) is
    'Checks the signature of a delivery, given the bytes of its body and its headers as {NAME: TEXT}, and starts a run, once for each id of a delivery. Unknown hook: 42704; a signature that is wrong, missing or old: 42501; a body that is no JSON: 22P02; one that the template cannot use: 22023.';

create or replace function orch.notify_on(
    name text,
    workflow text,
    url text,
    events text[] default '{run_failed,run_timed_out,dead_letter}',
    secret text default null
)
returns text
language c volatile parallel unsafe
as 'MODULE_PATHNAME', 'orch_notify_on';
revoke execute on function orch.notify_on(text, text, text, text[], text) from public;
grant execute on function orch.notify_on(text, text, text, text[], text) to orch_admin;
comment on function orch.notify_on(text, text, text, text[], text) is
    'From this commit on, sends a signed CloudEvent to url for each of these events of a workflow, or of all where that is null: run_succeeded, run_failed, run_timed_out, run_cancelled, dead_letter. Without a secret one is made, and returned this once. Again with the same name: changes it. Unknown workflow: OR002.';

create or replace function orch.drop_notification(name text)
returns boolean
language c volatile parallel unsafe
as 'MODULE_PATHNAME', 'orch_drop_notification';
revoke execute on function orch.drop_notification(text) from public;
grant execute on function orch.drop_notification(text) to orch_admin;
comment on function orch.drop_notification(text) is 'Ends a notification, with what it has not sent yet; false where there is none of that name.';

create or replace function orch.delivery(lease text)
returns table (
    url text,
    headers jsonb,
    body text
)
language c volatile parallel unsafe
as 'MODULE_PATHNAME', 'orch_delivery';
revoke execute on function orch.delivery(text) from public;
grant execute on function orch.delivery(text) to orch_worker;
comment on function orch.delivery(text) is
    'For a worker that serves the handler orch.notify on the queue orch.notifications: what to send for this lease, signed with the time of now; no row where it is not to be sent any more. A lost lease: OR010.';

create or replace function _orch.url_origin(url text)
returns text
language c immutable strict parallel unsafe
as 'MODULE_PATHNAME', 'orch_private_url_origin';
revoke execute on function _orch.url_origin(text) from public;
grant execute on function _orch.url_origin(text) to orch_viewer;
comment on function _orch.url_origin(text) is 'Scheme, host and port of a url: the rest may be a secret by itself.';

create or replace function _orch.notified_events(events smallint)
returns text[]
language c immutable strict parallel unsafe
as 'MODULE_PATHNAME', 'orch_private_event_names';
revoke execute on function _orch.notified_events(smallint) from public;
grant execute on function _orch.notified_events(smallint) to orch_viewer;
comment on function _orch.notified_events(smallint) is 'The words for the events of a notification from their bits.';
