-- A client for workflows in code made of nothing but SQL, for tests of the server: what the code does next follows from its journal alone, as in any client.
--
-- The code has six stages. An even one records two steps in place; an odd one starts two remote ones and a short wait and waits for all of them (1, 5) or for one after the other (3).
create or replace procedure code_client(worker text, step_worker text, seconds int, lease_seconds int default 2)
language plpgsql
as $$
declare
    v_main record;
    v_rows jsonb;
    v_stage int;
    v_answer text;
    v_end timestamptz := clock_timestamp() + make_interval(secs => seconds);
    v_idle boolean;
begin
    while clock_timestamp() < v_end loop
        v_idle := true;
        select * into v_main from orch.lease(worker, 1, make_interval(secs => lease_seconds));
        if found then
            v_idle := false;
            commit;
            loop
                select coalesce(jsonb_object_agg(h.id, h.state), '{}') into v_rows from orch.history(v_main.lease) as h;
                commit;
                v_stage := (select count(*) from generate_series(0, 5) as s where v_rows ? ('done#' || s));
                if v_stage = 6 then
                    perform orch.complete(v_main.lease, to_jsonb((select count(*) from jsonb_object_keys(v_rows))));
                    commit;
                    exit;
                elsif v_stage % 2 = 0 then
                    perform orch.record(v_main.lease, jsonb_build_array(
                        jsonb_build_object('id', 'local#' || v_stage, 'output', v_stage),
                        jsonb_build_object('id', 'done#' || v_stage, 'output', null)));
                    commit;
                else
                    select orch.suspend(v_main.lease, jsonb_build_object(
                        case when v_stage = 3 and not coalesce(v_rows ->> 'a#3' in ('succeeded'), false) then 'any' else 'all' end,
                        jsonb_build_array('a#' || v_stage, 'b#' || v_stage, 'nap#' || v_stage),
                        'steps', case when v_rows ? ('a#' || v_stage) then '[]'::jsonb else jsonb_build_array(
                            jsonb_build_object('id', 'a#' || v_stage, 'handler', 'echo', 'input', v_stage, 'retries', 20, 'retry_delay_seconds', 0.1),
                            jsonb_build_object('id', 'b#' || v_stage, 'handler', 'echo', 'retries', 20, 'retry_delay_seconds', 0.1),
                            jsonb_build_object('id', 'nap#' || v_stage, 'sleep', 0.05)) end)) into v_answer;
                    commit;
                    exit when v_answer = 'suspended';
                    -- What is waited for first may be over while the others are not.
                    if (select count(*) from orch.outcomes(v_main.lease, array['a#' || v_stage, 'b#' || v_stage, 'nap#' || v_stage])) = 3 then
                        perform orch.record(v_main.lease, jsonb_build_array(jsonb_build_object('id', 'done#' || v_stage, 'output', null,
                            'seen', jsonb_build_array('a#' || v_stage, 'b#' || v_stage, 'nap#' || v_stage))));
                    else
                        commit;
                        select orch.suspend(v_main.lease, jsonb_build_object('all', jsonb_build_array('a#' || v_stage, 'b#' || v_stage, 'nap#' || v_stage))) into v_answer;
                        commit;
                        exit when v_answer = 'suspended';
                    end if;
                    commit;
                end if;
            end loop;
        end if;
        commit;
        for v_main in select * from orch.lease(step_worker, 10, make_interval(secs => lease_seconds)) loop
            v_idle := false;
            perform orch.complete(v_main.lease, v_main.input);
        end loop;
        commit;
        if v_idle then
            perform pg_sleep(0.01);
        end if;
    end loop;
end
$$;
