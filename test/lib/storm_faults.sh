# What strikes in test/fault/storm, each by its name. Sourced.
# shellcheck shell=bash

faults=(worker_kill worker_kill worker_stop worker_stop worker_drain session_end session_end sessions_end session_cancel session_kill
    runner_end runner_kill runner_cancel steward_end steward_kill launcher_end launcher_kill restart_fast restart_immediate
    connections_gone reload clock_forward clock_back copied closed_for_a_while drop_rolled_back)

storm_worker()
{
    worker_number=$((worker_number + 1))
    orch worker --name "w$worker_number" --concurrency 3 --lease-time '2 seconds' --drain 2s > "$scratch/w$worker_number.log" 2>&1 < /dev/null &
    workers[w$worker_number]=$!
}

# Waited for, or the shell tells of its end.
kill_worker() { { kill -KILL "${workers[$1]}" && wait "${workers[$1]}"; } 2> /dev/null || true; unset "workers[$1]"; }

# In the shell itself, since a subshell's RANDOM would not go on in ours.
any_worker()
{
    local names
    mapfile -t names < <(printf '%s\n' "${!workers[@]}" | sort)
    struck=${names[RANDOM % ${#names[@]}]}
}

# signal_one SIGNAL TYPE, ask_one FUNCTION TYPE [COUNT]: processes of the server by their type, ours and the caller's left out.
victims() { sql "select pid from pg_stat_activity where backend_type ~ '$1' and datname is not distinct from case when '$1' ~ 'launcher' then null else current_database() end
    and pid <> pg_backend_pid() order by random() limit ${2:-1}" 2> /dev/null || true; }
signal_one() { local pid; pid=$(victims "$2"); [ -z "$pid" ] || server-ctl kill "$1" "$pid" 2> /dev/null || true; }
ask_one() { local pid; for pid in $(victims "$2" "${3:-1}"); do sql "select $1($pid)" > /dev/null 2>&1 || true; done; }

strike()
{
    local struck
    case $1 in
        worker_kill) any_worker; kill_worker "$struck"; storm_worker ;;
        worker_drain) any_worker; kill -TERM "${workers[$struck]}"; unset "workers[$struck]"; storm_worker ;;
        worker_stop)
            any_worker
            kill -STOP "${workers[$struck]}"
            # It may be killed meanwhile, and its number may be anybody's then.
            (pid=${workers[$struck]}; sleep "$((2 + RANDOM % 3)).5"; ! tr '\0' ' ' < "/proc/$pid/cmdline" 2> /dev/null | grep -q "$struck " || kill -CONT "$pid") 2> /dev/null & ;;
        session_end) ask_one pg_terminate_backend '^client' ;;
        sessions_end) ask_one pg_terminate_backend '^client' 10 ;;
        session_cancel) ask_one pg_cancel_backend '^client' ;;
        session_kill) signal_one KILL '^client' ;;
        runner_end) ask_one pg_terminate_backend 'sql runner' ;;
        runner_kill) signal_one KILL 'sql runner' ;;
        runner_cancel) ask_one pg_cancel_backend 'sql runner' ;;
        steward_end) ask_one pg_terminate_backend steward ;;
        steward_kill) signal_one KILL steward ;;
        launcher_end) signal_one TERM 'orch launcher' ;;
        launcher_kill) signal_one KILL 'orch launcher' ;;
        connections_gone)
            # Sessions of a role that may take none of the reserved places hold all the others for two seconds.
            local n
            for ((n = 0; n < 45; n++)); do PGUSER=storm_guest psql -Xqc 'select pg_sleep(2)' > /dev/null 2>&1 & done
            ask_one pg_terminate_backend '^client' 10 ;;
        reload) sql "alter system set orch.sql_workers = $((RANDOM % 4 + 1))" > /dev/null && sql 'select pg_reload_conf()' > /dev/null || true ;;
        clock_forward) sql "select _orch.jump_wall_clock('$((RANDOM % 30 + 1)) minutes')" > /dev/null || true ;;
        clock_back) sql "select _orch.jump_wall_clock('-$((RANDOM % 30 + 1)) minutes'), _orch.advance_clock('61 s')" > /dev/null || true ;;
        copied)
            # Refused while clients are there, which they mostly are; our own processes have stepped aside in vain.
            sql "create database storm_copy template $PGDATABASE" > /dev/null 2>&1 && sql 'drop database storm_copy' > /dev/null || true ;;
        closed_for_a_while)
            local database=$PGDATABASE
            PGDATABASE=postgres sql "alter database $database allow_connections false" && ask_one pg_terminate_backend '^client' 10
            sleep 1
            PGDATABASE=postgres sql "alter database $database allow_connections true" ;;
        drop_rolled_back) sql 'begin; drop extension orch cascade; rollback' > /dev/null 2>&1 || true ;;
        restart_*) server-ctl restart -m "${1#*_}" || { ps -o pid,stat,wchan,etime,args -u postgres; fail 'the server does not restart'; } ;;
    esac
}
