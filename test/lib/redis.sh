# A private Redis for a test: the real redis-server, on a socket beside the server's own and a free port. Sourced behind server.sh; skips the test where there is none.
# shellcheck shell=bash

[ -x "$(command -v redis-server)" ] || skip 'redis-server is not installed'

redis_socket=$PGHOST/redis.sock
redis_url=unix://$redis_socket
redis_port=$(cluster_port)
redis_tcp_url=redis://127.0.0.1:$redis_port/3

# redis_start [OPTIONS]
redis_start()
{
    # It overwrites its environment, by which test/with-server finds what a test has left behind: so it dies with the test itself.
    setpriv --pdeathsig KILL redis-server --bind 127.0.0.1 --port "$redis_port" --unixsocket "$redis_socket" --unixsocketperm 777 --save '' --appendonly no --dir "$scratch" --daemonize no "$@" > "$scratch/redis.log" 2>&1 &
    redis_pid=$!
    local n
    for ((n = 0; n < 200; n++)); do [ -z "$(redis_cli ping 2> /dev/null)" ] || return 0; sleep 0.05; done
    fail "Redis does not start: $(tail -n 5 "$scratch/redis.log")"
}

redis_kill()
{
    kill -KILL "$redis_pid"
    wait "$redis_pid" 2> /dev/null || true
}

redis_cli() { redis-cli -s "$redis_socket" "$@"; }

# hints_are STATE: until the server says that of its link to Redis.
hints_are() { wait_for 30 "hints are not $1" "select state = '$1' from _orch.notifier_status()"; }

# How many sessions the workers hold.
worker_connections() { sql "select count(*) from pg_stat_activity where datname = current_database() and backend_type = 'client backend' and application_name = 'orch'"; }
