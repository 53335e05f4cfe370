# For tests in bash that want a server and workers. Sourced first; set ORCH_TEST_SETTINGS and the like before.
#
# A test is one executable that exits 0 (passed), 77 (skipped, the last line says why) or anything else. Run by itself it starts under test/with-server.
# shellcheck shell=bash
# shellcheck source-path=SCRIPTDIR

. "$(dirname "${BASH_SOURCE[0]}")/cluster.sh"
[ -n "${ORCH_SERVER_DIR:-}" ] || exec "$cluster_root/test/with-server" "$0" "$@"

skip() { echo "$1"; exit 77; }
fail() { echo "failed: $1" >&2; exit 1; }

# is GOT WANTED WHAT
is() { [ "$1" = "$2" ] || fail "$3: got \"$1\", wanted \"$2\""; echo "as wanted: $3 = $1"; }

register() { sql "select orch.register(\$json\$$1\$json\$)" > /dev/null; }

# start_worker NAME [OPTIONS]: a process of the orch command; its pid is in ${workers[NAME]}, its log below the test's own directory.
declare -A workers=()
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
start_worker()
{
    local name=$1
    shift
    orch worker --name "$name" "$@" > "$scratch/$name.log" 2>&1 < /dev/null &
    workers[$name]=$!
    wait_for 20 "worker $name does not come up" "select exists (select from orch.workers where worker = '$name' and state <> 'stopped')" \
        || fail "$(tail -n 5 "$scratch/$name.log")"
}

# Until it answers again, after a crash.
server_answers()
{
    local n
    for ((n = 0; n < 300; n++)); do ! sql 'select 1' > /dev/null 2>&1 || return 0; sleep 0.1; done
    fail 'the server does not come back'
}

# all_over SECONDS: until no run is open.
all_over() { wait_for "$1" 'runs are still open' "select not exists (select from orch.runs where state not in ('succeeded', 'failed', 'timed_out', 'cancelled'))"; }

# one_task NAME: a workflow of a single task for the handler noop.
one_task() { register "{\"id\":\"$1\",\"tasks\":{\"only\":{\"handler\":\"noop\"}}}"; }

# drain CLIENTS TURNS [BATCH]: workers made of nothing but SQL, so that what is measured is the server.
drain()
{
    local client
    for ((client = 0; client < $1; client++)); do sql "select orch.worker_start('drain-$client', handlers => '{noop}')" > /dev/null; done
    pgbench -n -M prepared -c "$1" -j "$1" -t "$2" -D results='[]' -D left="$2" -D batch="${3:-50}" -f "$cluster_root/test/lib/drain.pgbench" 2>&1 | grep -vE '^(pgbench|transaction type|query mode|scaling)' 
}
