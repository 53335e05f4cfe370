# A private PgBouncer for a test: the real one, in transaction mode, on a socket beside the server's own. Sourced behind server.sh; skips the test where there is none.
# shellcheck shell=bash

pgbouncer=$(command -v pgbouncer || true)
[ -n "$pgbouncer" ] || pgbouncer=/usr/sbin/pgbouncer
[ -x "$pgbouncer" ] || skip 'pgbouncer is not installed'
pooler_port=$(cluster_port)
pooler_size=${pooler_size:-3}

# pooled_url ROLE [PARAMETERS]: the test's database through it. Each role has a pool of its own.
pooled_url() { echo "postgresql://$1@/$PGDATABASE?host=$PGHOST&port=$pooler_port${2:+&$2}"; }

# pooler_start [LINES]: further lines for pgbouncer.ini.
pooler_start()
{
    cat > "$scratch/pgbouncer.ini" <<END
[databases]
$PGDATABASE = host=$PGHOST port=$PGPORT
[pgbouncer]
pool_mode = transaction
default_pool_size = $pooler_size
max_client_conn = 500
auth_type = trust
auth_file = $scratch/users.txt
unix_socket_dir = $PGHOST
listen_port = $pooler_port
listen_addr =
logfile = $scratch/pgbouncer.log
${1:-}
END
    psql -XAtqc "select format('\"%s\" \"\"', rolname) from pg_roles where rolcanlogin" > "$scratch/users.txt"
    : >> "$scratch/pgbouncer.log"
    chmod 711 "$scratch"
    local as=()
    # It refuses to be root, too. It dies with the test itself.
    if [ "$(id -u)" = 0 ]; then
        chown postgres "$scratch"/pgbouncer.*
        as=(--reuid=postgres --regid=postgres --init-groups)
    fi
    setpriv "${as[@]}" --pdeathsig KILL "$pgbouncer" "$scratch/pgbouncer.ini" > /dev/null 2>&1 &
    pooler_pid=$!
    local n
    for ((n = 0; n < 200; n++)); do ! through postgres 'select 1' > /dev/null 2>&1 || return 0; sleep 0.05; done
    fail "PgBouncer does not start: $(tail -n 5 "$scratch/pgbouncer.log")"
}

pooler_kill()
{
    kill -KILL "$pooler_pid"
    wait "$pooler_pid" 2> /dev/null || true
    # Its socket stays, and the next one removes it.
}

# through ROLE SQL: psql through it.
through() { psql -XAtqv ON_ERROR_STOP=1 "$(pooled_url "$1")" -c "$2"; }

# server_connections ROLE: how many the pooler has, at this moment.
server_connections() { sql "select count(*) from pg_stat_activity where usename = '$1'"; }
