-- What must hold after any storm: each row that this returns is a promise broken. The tables expected, acknowledged and effect are those of test/fault/storm.
with final (kind, letter) as (
    values (23, 'S'), (24, 'F'), (25, 'T'), (26, 'K'), (27, 'U'), (28, 'C')
),
task as (
    select t.run_id, t.task_no, t.state, t.attempt, t.no, p.task_id, p.executor, p.dependencies, w.workflow, v.spec -> 'tasks' -> p.task_id ->> 'trigger_rule' as rule
    from _orch.task as t
    join _orch.version_task as p using (version_id, task_no)
    join _orch.version as v using (version_id)
    join _orch.workflow as w using (workflow_id)
),
events as (
    select run_id, task_no, count(*) as number, min(no) as first, max(no) as last, count(distinct no) as different,
        count(*) filter (where kind = 23) as succeeded, count(*) filter (where kind between 23 and 28) as ended, count(*) filter (where kind = 20) as started,
        min(pos) filter (where kind = 20) as start_pos, max(pos) filter (where kind between 23 and 28) as end_pos,
        (array_agg(kind order by no desc) filter (where kind between 20 and 28))[1] as last_kind,
        count(*) filter (where kind = 1) as triggered, count(*) filter (where kind = 2) as run_started, count(*) filter (where kind between 7 and 10) as run_ended, count(*) filter (where kind = 10) as cancelled
    from _orch.event
    group by run_id, task_no
),
effects as (select run, task, count(*) as number from effect group by run, task)
select 'a run ended otherwise' as broken, format('%s %s %s', r.run_id, r.workflow, r.state) as where
from orch.runs as r left join expected as e using (workflow) where r.state is distinct from e.state
union all
select 'an acknowledged run is lost', run::text from acknowledged where not exists (select from _orch.run where run_id = run)
union all
select 'a run without its tasks', run_id::text from _orch.run as r where (select count(*) from _orch.task as t where t.run_id = r.run_id) <> (select count(*) from _orch.version_task as p where p.version_id = r.version_id)
union all
select 'a task ended otherwise', format('%s %s %s %s', t.run_id, t.workflow, t.task_id, t.state)
from task as t join expected as e using (workflow)
where _orch.task_state(t.state) <> coalesce(e.except_tasks ->> t.task_id, 'succeeded') and e.except_tasks <> 'null'
union all
select 'an effect that is not there exactly once', format('%s %s: %s', coalesce(t.run_id, e.run), coalesce(t.task_id, e.task), coalesce(e.number, 0))
from (select * from task where executor = 'sql' and state = 'S') as t full join effects as e on e.run = t.run_id and e.task = t.task_id
where t.run_id is null or e.number is distinct from 1
union all
select 'a success that is not there exactly once', format('%s %s: %s', t.run_id, t.task_id, e.succeeded)
from task as t left join events as e using (run_id, task_no) where coalesce(e.succeeded, 0) <> (t.state = 'S')::int or coalesce(e.ended, 0) <> 1
union all
select 'the last event tells another state', format('%s %s: %s, %s', t.run_id, t.task_id, t.state, e.last_kind)
from task as t left join events as e using (run_id, task_no) left join final as f on f.kind = e.last_kind where f.letter is distinct from t.state::text
union all
select 'attempts that were not all recorded', format('%s %s: %s, %s', t.run_id, t.task_id, t.attempt, e.started)
from task as t left join events as e using (run_id, task_no) where t.attempt <> coalesce(e.started, 0)
union all
select 'a gap in the history', format('%s %s: %s events, %s to %s', run_id, task_no, number, first, last) from events where first <> 1 or number <> last or different <> number
union all
select 'a row that counts other events', format('%s %s: %s, %s', r.run_id, r.task_no, r.no, e.last)
from (select run_id, task_no, no from task union all select run_id, -1, no from _orch.run) as r left join events as e using (run_id, task_no) where r.no <> coalesce(e.last, 0)
union all
select 'a run not begun and ended exactly once', format('%s: %s %s %s', run_id, triggered, run_started, run_ended) from events
-- One that was cancelled may not have begun.
where task_no = -1 and (triggered <> 1 or run_started not between 1 - cancelled and 1 or run_ended <> 1)
union all
select 'a task before its parent', format('%s %s before %s', c.run_id, c.task_id, p.task_id)
from task as c join events as ce using (run_id, task_no)
join task as p on p.run_id = c.run_id and p.task_id = any(c.dependencies) join events as pe on pe.run_id = p.run_id and pe.task_no = p.task_no
where ce.start_pos < pe.end_pos and coalesce(c.rule, 'all_success') in ('all_success', 'all_done', 'none_failed')
union all
select 'more active runs than allowed', format('%s: %s', run_id, active)
from (
    select e.run_id, sum(case when e.kind = 2 then 1 else -1 end) over (order by e.pos) as active
    from _orch.event as e join orch.runs as r using (run_id) where r.workflow = 'narrow' and e.task_no = -1 and (e.kind = 2 or e.kind between 7 and 10)
) as a where active > 3
union all
select 'a signal that was not taken exactly once', format('%s %s', run_id, taken_by) from _orch.signal group by run_id, taken_by having taken_by is null or count(*) > 1
union all
select 'children not started once an attempt', format('%s %s: %s', t.run_id, t.task_id, count(r.run_id))
from task as t left join _orch.run as r on r.parent_run_id = t.run_id and r.parent_task_no = t.task_no
where t.executor = 'workflow' group by t.run_id, t.task_id, t.attempt having count(r.run_id) <> t.attempt
union all
select 'a position given twice', pos::text from _orch.event group by pos having count(*) > 1
union all
select 'left in shared memory', format('%s %s', used, part) from _orch.memory_status() where part in ('leases', 'counters') and used > 0
union all
select 'stored otherwise than the history says', format('%s %s: %s %s, not %s', run_id, task_id, what, stored, replayed) from orch.replay_check()
