# The demo's cluster and workers: brought up, found again, taken down. Sourced by run, dead-letter and stop.
#
# .run/ in the root of the tree (or $ORCH_DEMO_DIR) holds links and pids: data, log and socket lie in a directory of the server's user, since `postgres`
# may not enter a home directory and a socket's name must be short.
# shellcheck shell=bash

cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1
here=${ORCH_DEMO_DIR:-.run}
. test/lib/cluster.sh

if [ -t 1 ]; then bold=$'\e[1m' dim=$'\e[2m' green=$'\e[32m' red=$'\e[31m' yellow=$'\e[33m' plain=$'\e[0m'; else bold='' dim='' green='' red='' yellow='' plain=''; fi
title() { printf '\n%s== %s%s\n' "$bold" "$1" "$plain"; }
say() { printf '   %s\n' "$1"; }
show() { sed 's/^/   /'; }
die() { printf '%s!! %s%s\n' "$red" "$1" "$plain" >&2; exit 1; }
table() { psql -Xq -v ON_ERROR_STOP=1 -P border=1 -P footer=off -P null= -c "$1" | sed '/^$/d' | show; }

# What is installed, as one word: a cluster that was made with another build is made anew.
installed() { cat "$("${PG_CONFIG:-pg_config}" --pkglibdir)/orch.so" "$("${PG_CONFIG:-pg_config}" --sharedir)"/extension/orch--*.sql | sha256sum | cut -c1-16; }

cluster_up()
{
    if [ -f "$here"/port ]; then
        cluster_environment "$(readlink "$here"/socket)" "$(cat "$here"/port)" demo
        if [ "$(cat "$here"/installed)" = "$(installed)" ] && sql 'select 1' > /dev/null 2>&1; then
            say "the cluster of the last demo is up, in $(readlink "$here"/socket)"
            return
        fi
        cluster_down
    fi
    local dir
    dir=$(cluster_directory)
    mkdir -p "$here"
    ln -sfn "$dir" "$here"/socket
    ln -sfn "$dir/data" "$here"/data
    ln -sfn "$dir/log" "$here"/log
    cluster_environment "$dir" "$(cluster_port)" demo
    echo "$PGPORT" > "$here"/port
    (cluster_start) || { tail -n 30 "$here"/log >&2; die 'the server did not start'; }
    cluster_extensions || die 'the extensions could not be created'
    installed > "$here"/installed
    head -n 1 "$dir/data/postmaster.pid" > "$here"/pid
    say "PostgreSQL $(sql 'show server_version') in $dir, orch $(sql "select extversion from pg_extension where extname = 'orch'"), pg_cron beside it"
}

cluster_down()
{
    local dir
    dir=$(readlink "$here"/socket)
    workers_down
    cluster_environment "$dir" "$(cat "$here"/port)" demo
    server-ctl stop -m fast 2> /dev/null || true
    case $dir in */orch.*) rm -rf "$dir" ;; esac
    rm -rf "$here"
}

# worker_up NAME: a process of its own that outlives this script. The short lease is so that nobody waits half a minute for the demo's accident.
worker_up()
{
    setsid orch worker --name "$1" --concurrency 2 --lease-time 3s > "$here/$1.log" 2>&1 < /dev/null &
    echo $! > "$here/$1.pid"
    wait_for 20 "worker $1 does not come up ($here/$1.log)" "select exists (select from orch.workers where worker = '$1' and state <> 'stopped')"
}

# A number that another process has by now is not ours to end.
worker_pid() { local pid; pid=$(cat "$here/$1.pid" 2> /dev/null) && [[ $(readlink "/proc/$pid/exe" | xargs -r basename) =~ ^orch(-bridge)?$ ]] && echo "$pid"; }

# A bridge of its own, too, and the token to call it with: shown once, so it is kept beside, for whoever runs the demo alone.
bridge_up()
{
    local turn n
    sql "do \$\$ begin if to_regrole('bridge') is null then create role bridge login in role orch_bridge; end if; end \$\$"
    [ -s "$here/token" ] || (umask 077 && sql "select orch.create_token('demo', 'admin')" > "$here/token")
    for ((turn = 0; turn < 5; turn++)); do
        bridge_url=http://127.0.0.1:$(cluster_port)
        ORCH_DATABASE_URL="postgresql://bridge@/$PGDATABASE?host=$PGHOST&port=$PGPORT" setsid orch-bridge --listen "${bridge_url#http://}" > "$here/bridge.log" 2>&1 < /dev/null &
        echo $! > "$here/bridge.pid"
        for ((n = 0; n < 200; n++)); do
            ! curl -sf -o /dev/null "$bridge_url/health" || { say "the HTTP bridge at $bold$bridge_url$plain, token $(cat "$here/token")"; return; }
            worker_pid bridge > /dev/null || [ $n -lt 5 ] || break
            sleep 0.1
        done
    done
    tail -n 5 "$here/bridge.log" >&2
    die 'the bridge does not come up'
}

workers_down()
{
    local file name pid end=$((SECONDS + 10))
    for file in "$here"/*.pid; do
        name=$(basename "$file" .pid)
        pid=$(worker_pid "$name") || continue
        kill -TERM "$pid" 2> /dev/null || true
        while alive "$pid" && [ $SECONDS -lt $end ]; do sleep 0.1; done
        kill -KILL "$pid" 2> /dev/null || true
        rm -f "$file"
    done
}

workers_fresh()
{
    workers_down
    local name
    for name in "$@"; do worker_up "$name"; done
    say "$# workers, leases of 3 s: $(for name in "$@"; do printf '%s (pid %s)  ' "$name" "$(worker_pid "$name")"; done)"
}

# All that a run of the demo needs.
demo_up()
{
    title 'A private cluster, two workers and an HTTP bridge'
    cluster_up
    workers_fresh demo-1 demo-2
    bridge_up

    title 'The definition: examples/demo.yaml'
    psql -Xq -v ON_ERROR_STOP=1 <<'END'
set client_min_messages = warning;
create table if not exists shop_day (day date primary key, prepared_at timestamptz not null default now(), closed_at timestamptz);
create table if not exists shop_sale (day date, shop text, amount numeric not null, primary key (day, shop));
END
    orch register examples/demo.yaml | show
    sql "select orch.graph('demo')" | show
}
