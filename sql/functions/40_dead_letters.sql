-- Dead letters: run a failed task again, one or many, or put it aside.

create or replace function orch.redrive(id bigint, input jsonb default null)
returns table (
    run_id uuid,
    task_id text
)
language c volatile parallel unsafe
as 'MODULE_PATHNAME', 'orch_redrive';
revoke execute on function orch.redrive(bigint, jsonb) from public;
grant execute on function orch.redrive(bigint, jsonb) to orch_operator;
comment on function orch.redrive(bigint, jsonb) is
    'Reopens the run of an open dead letter as retry does, and resolves every open dead letter of that run as redriven, a row each; input, where given, replaces the input of the task of this dead letter. Unknown id: 42704; one that is resolved, or whose run goes on: OR020.';

create or replace function orch.redrive(filter jsonb, input jsonb default null)
returns table (
    run_id uuid,
    task_id text
)
language plpgsql volatile parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
declare
    v_unknown text;
    v_letter record;
begin
    if filter is null or jsonb_typeof(filter) <> 'object' then
        raise exception using
            errcode = '22023',
            message = 'a filter of dead letters must be a JSON object',
            hint = 'Write {} for all, or some of workflow, run_id, task_id, fingerprint, created_after, created_before, limit.';
    end if;
    select k.key into v_unknown
    from jsonb_object_keys(filter) as k(key)
    where k.key not in ('workflow', 'run_id', 'task_id', 'fingerprint', 'created_after', 'created_before', 'limit')
    limit 1;
    if v_unknown is not null then
        raise exception using
            errcode = '22023',
            message = format('a filter of dead letters has no key "%s"', v_unknown),
            hint = 'The keys are workflow, run_id, task_id, fingerprint, created_after, created_before, limit.';
    end if;

    for v_letter in
        select d.id, d.run_id
        from orch.dead_letters as d
        where d.resolution is null
            and (not filter ? 'workflow' or d.workflow = filter ->> 'workflow')
            and (not filter ? 'run_id' or d.run_id = (filter ->> 'run_id')::uuid)
            and (not filter ? 'task_id' or d.task_id = filter ->> 'task_id')
            and (not filter ? 'fingerprint' or d.fingerprint = filter ->> 'fingerprint')
            and (not filter ? 'created_after' or d.created_at > (filter ->> 'created_after')::timestamptz)
            and (not filter ? 'created_before' or d.created_at < (filter ->> 'created_before')::timestamptz)
        order by d.run_id, d.id
        limit (filter ->> 'limit')::bigint
    loop
        -- One redrive reopens a whole run and resolves all that it left, so the next of that run may be done already. And a run that goes on after
        -- a failure cannot be reopened before it is over: one such run must not keep all others from being redriven.
        continue when exists (select from orch.dead_letters as d where d.id = v_letter.id and d.resolution is not null);
        continue when exists (select from orch.runs as r where r.run_id = v_letter.run_id and r.finished_at is null);
        return query select r.run_id, r.task_id from orch.redrive(v_letter.id, input) as r;
    end loop;
end
$$;
revoke execute on function orch.redrive(jsonb, jsonb) from public;
grant execute on function orch.redrive(jsonb, jsonb) to orch_operator;
comment on function orch.redrive(jsonb, jsonb) is
    'Redrives every open dead letter that matches: {workflow, run_id, task_id, fingerprint, created_after, created_before, limit}, {} being all; those of runs that are not over are left. Written as redrive(filter => ''{...}'').';

create or replace function orch.discard(id bigint)
returns void
language c volatile parallel unsafe
as 'MODULE_PATHNAME', 'orch_discard';
revoke execute on function orch.discard(bigint) from public;
grant execute on function orch.discard(bigint) to orch_operator;
comment on function orch.discard(bigint) is
    'Resolves an open dead letter as discarded; its run stays as it ended. Unknown id: 42704; one that is resolved: OR020.';
