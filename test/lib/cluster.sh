# A private cluster in one directory: what test/with-server and the demo share. Sourced; nothing is exported or started until a function is called.
# shellcheck shell=bash

cluster_bindir=$("${PG_CONFIG:-pg_config}" --bindir)
cluster_root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
# The server runs as the caller, or as `postgres` where that is root, which the server refuses to be.
cluster_as=()
[ "$(id -u)" != 0 ] || cluster_as=(runuser -u postgres --)

# A directory that the server's user owns and the caller can enter. Short, since a socket's whole name has at most 107 characters.
cluster_directory()
{
    local dir
    dir=$(mktemp -d "${TMPDIR:-/tmp}/orch.XXXXXX")
    if [ "$(id -u)" = 0 ]; then
        chown postgres "$dir"
        chmod 755 "$dir"
    fi
    echo "$dir"
}

# Only the socket's name needs the number, and the directory is ours alone; still nobody's TCP port, for tools that try localhost when PGHOST is lost.
cluster_port()
{
    local port
    # Below those that the system gives to outgoing connections.
    while port=$((10000 + RANDOM % 22000)); do
        (exec 3<> "/dev/tcp/127.0.0.1/$port") 2> /dev/null || { echo "$port"; return; }
    done
}

# cluster_environment DIR PORT DATABASE: for psql, libpq, orch and server-ctl.
cluster_environment()
{
    export PGHOST=$1 PGPORT=$2 PGUSER=postgres PGDATABASE=$3 PGCONNECT_TIMEOUT=10
    export ORCH_DATABASE_URL="postgresql://postgres@/$3?host=$1&port=$2"
    export ORCH_SERVER_DIR=$1/data ORCH_SERVER_LOG=$1/log ORCH_SERVER_AS="${cluster_as[*]}"
    export PATH="$cluster_root/${BUILD:-build}/bin:$cluster_root/test/bin:$cluster_bindir:$PATH"
    unset PGOPTIONS PGSERVICE PGPASSWORD
}

# In the environment above: a new cluster with the database, started. cluster_start [LINES]: further lines for postgresql.conf.
cluster_start()
{
    local dir=$PGHOST database=$PGDATABASE
    cd "$dir" || return
    "${cluster_as[@]}" "$cluster_bindir/initdb" -D "$dir/data" -U postgres -A trust --no-sync --encoding=UTF8 --locale=C.UTF-8 > "$dir/log" 2>&1 || return
    # pg_cron looks for its database as soon as it starts, and notes each failure in the log: so the database comes first.
    "${cluster_as[@]}" "$cluster_bindir/postgres" --single -D "$dir/data" postgres <<< "create database $database" > "$dir/log" 2>&1 || return
    rm "$dir/log"
    cat >> "$dir/data/postgresql.conf" <<END
listen_addresses = ''
unix_socket_directories = '$dir'
port = $PGPORT
shared_preload_libraries = 'orch,pg_cron'
cron.database_name = '$database'
cron.host = '$dir'
max_worker_processes = 32
max_connections = 120
timezone = 'UTC'
log_timezone = 'UTC'
lc_messages = 'C'
log_line_prefix = '%m [%p] %b %d %e '
${1:-}
END
    server-ctl start
}

cluster_extensions() { psql -Xqv ON_ERROR_STOP=1 -c 'create extension pg_cron' -c 'create extension orch' > /dev/null; }

sql() { psql -XAtq -v ON_ERROR_STOP=1 -c "$1"; }

# A process that has ended and was not yet collected by its parent still takes signals, but it is not alive.
alive() { [[ $(sed 's/.*) //' "/proc/$1/stat" 2> /dev/null) =~ ^[^Z] ]]; }

# wait_for SECONDS WHAT QUERY: until the query answers t. Looking on from outside is polling; the engine itself never does.
wait_for()
{
    local end=$((SECONDS + $1)) answer=''
    until answer=$(sql "$3") && [ "$answer" = t ]; do
        if [ $SECONDS -ge $end ]; then
            echo "waited $1 s: $2" >&2
            return 1
        fi
        sleep 0.1
    done
}
