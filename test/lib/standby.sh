# Further servers beside the one of test/with-server: standbys and restored backups. Sourced after server.sh.
#
# A node is a number; 0 is the server that the test began with. All lie in its directory, listen on sockets there and write the same log; test/with-server stops and
# removes them all, whatever becomes of the test.
# shellcheck shell=bash

node_base=${ORCH_SERVER_DIR%/data} node_first_port=$PGPORT

node_data() { if [ "$1" = 0 ]; then echo "$node_base/data"; else echo "$node_base/node$1"; fi; }
node_port() { echo $((node_first_port + $1)); }

# on NODE COMMAND...: sql, psql, server-ctl or whatever else, with that node alone in its environment.
on()
{
    local node=$1 data port
    shift
    data=$(node_data "$node") port=$(node_port "$node")
    PGHOST=$node_base PGPORT=$port PGTARGETSESSIONATTRS=any ORCH_SERVER_DIR=$data "$@"
}

# follow NODE...: from now on clients look for the one of these that takes writes: psql is told to by PGTARGETSESSIONATTRS, which the caller exports; the orch command does
# so without.
follow()
{
    local node hosts='' ports=''
    for node in "$@"; do hosts+="${hosts:+,}$node_base" ports+="${ports:+,}$(node_port "$node")"; done
    export PGHOST=$hosts PGPORT=$ports
    export ORCH_DATABASE_URL="postgresql://postgres@/$PGDATABASE?host=$hosts&port=$ports"
}

# back_up NODE OF [LINES]: a base backup as the data of a new node, not started; further lines for its postgresql.conf.
back_up()
{
    local data
    data=$(node_data "$1")
    (cd "$node_base" && on "$2" "${cluster_as[@]}" "$cluster_bindir/pg_basebackup" -D "$data" -d "application_name=node$1" -c fast -X stream "${@:4}") || return
    printf 'port = %s\n%s\n' "$(node_port "$1")" "${3:-}" >> "$data/postgresql.conf"
}

# as_server COMMAND...: by the user whom the data belongs to.
as_server() { (cd "$node_base" && "${cluster_as[@]}" "$@"); }

# make_standby NODE OF [LINES]: streams from OF and can be read when this returns.
make_standby() { back_up "$1" "$2" "${3:-}" -R && on "$1" server-ctl start; }

promote() { on "$1" server-ctl promote; }

# kill_node NODE: as if its machine had gone; its data goes too.
kill_node()
{
    local data postmaster children
    data=$(node_data "$1")
    postmaster=$(head -n 1 "$data/postmaster.pid")
    children=$(ps -o pid= --ppid "$postmaster")
    # shellcheck disable=SC2086 # several numbers
    kill -KILL "$postmaster" $children 2> /dev/null || true
    while alive "$postmaster"; do sleep 0.05; done
    as_server rm -rf "$data"
}

# caught_up NODE OF: everything that OF has written is shown by NODE.
caught_up()
{
    local lsn
    lsn=$(on "$2" sql 'select pg_current_wal_lsn()')
    on "$1" wait_for 60 "node $1 does not catch up" "select pg_last_wal_replay_lsn() >= '$lsn'"
}
