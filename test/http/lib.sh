# For tests of the HTTP bridge: test/lib/server.sh, and bridges, tokens and requests beside. Sourced first; test/http/lib.py is the same for Python.
#
#   start_bridge NAME [OPTIONS]         a process of orch-bridge: ${bridge_url[NAME]}, ${bridge_pid[NAME]}; again after stop_bridge: at the same address
#   stop_bridge NAME [SIGNAL]           and waits for its end
#   request METHOD PATH [WHO [CURL OPTIONS]]       sets $status and $answer; PATH is below /api/v1 unless it begins with //, and is sent to bridge $bridge [one]
#   expect STATUS METHOD PATH [WHO [OPTIONS]]      the same, and fails on another status
#   header NAME                         of the last answer; json EXPRESSION: of its body as d, in Python: json 'd["items"][0]["run_id"]'
# WHO is a name of ${token[…]}: viewer operator worker admin of tenant default, other_viewer … of tenant other, or nobody.
# shellcheck shell=bash
# shellcheck source-path=SCRIPTDIR

. "$(dirname "${BASH_SOURCE[0]}")/../lib/server.sh"

declare -A bridge_pid=() bridge_url=() token=()
bridge=one

# A bridge that has ended by itself fails its test, whatever else was seen.
end_bridges()
{
    local result=$? name
    for name in "${!bridge_pid[@]}"; do
        if ! alive "${bridge_pid[$name]}"; then
            echo "bridge $name has ended by itself:" >&2
            tail -n 20 "$scratch/bridge-$name.log" >&2
            [ $result != 0 ] || result=1
        else
            stop_bridge "$name" TERM
        fi
    done
    [ $result = 0 ] || [ $result = 77 ] || tail -n 15 "$scratch"/bridge-*.log >&2 2> /dev/null || true
    rm -rf "$scratch"
    exit $result
}
trap end_bridges EXIT

# The bridge's login, and a token for each role in two tenants. Limits that a test is not about are out of its way.
prepare_bridges()
{
    local role tenant name
    sql 'create role bridge login in role orch_bridge'
    for name in orch.http_rate orch.http_anonymous_rate; do sql "alter system set $name = 1000000"; done
    sql 'select pg_reload_conf()' > /dev/null
    for tenant in default other; do
        for role in viewer operator worker admin; do
            name=$([ $tenant = default ] || echo "${tenant}_")$role
            token[$name]=$(sql "select orch.create_token('$name', '$role', '$tenant')")
            export "ORCH_TOKEN_$name=${token[$name]}"
        done
    done
}

start_bridge()
{
    local name=$1 log=$scratch/bridge-$1.log port=${bridge_url[$1]:-:0} n before
    port=${port##*:}
    shift
    [ ${#token[@]} -gt 0 ] || prepare_bridges
    : >> "$log"
    before=$(grep -c '"listening at' "$log" || true)
    # The first time at a port of the system's choice, as its log says then.
    orch-bridge --database "${bridge_database:-postgresql://bridge@/$PGDATABASE?host=$PGHOST&port=$PGPORT}" --listen "127.0.0.1:$port" "$@" >> "$log" 2>&1 < /dev/null &
    bridge_pid[$name]=$!
    for ((n = 0; n < 600; n++)); do
        if (($(grep -c '"listening at' "$log" || true) > before)); then
            bridge_url[$name]=$(grep -o '"listening at [^"]*' "$log" | tail -n 1 | cut -d' ' -f3)
            ORCH_HTTP_URLS=$(for name in "${!bridge_url[@]}"; do echo "$name=${bridge_url[$name]}"; done | sort | tr '\n' ' ')
            export ORCH_HTTP_URLS
            return
        fi
        alive "${bridge_pid[$name]}" || break
        sleep 0.1
    done
    fail "bridge $name does not come up: $(tail -n 5 "$log")"
}

stop_bridge()
{
    local pid=${bridge_pid[$1]}
    unset "bridge_pid[$1]"
    kill -s "${2:-TERM}" "$pid"
    wait "$pid" 2> /dev/null || true
}

request()
{
    local method=$1 path=$2 who=${3:-operator} url=${bridge_url[$bridge]} arguments=()
    shift $(($# < 3 ? $# : 3))
    case $path in
        //*) url+=${path#/} ;;
        *) url+=/api/v1$path ;;
    esac
    # A body without a type is JSON; curl would call it a form.
    [[ " $* " == *content-type:* || " $* " == *' -F '* || " $* " != *' -d '* && " $* " != *' --data'* ]] || arguments+=(-H 'content-type: application/json')
    [ "$who" = nobody ] || arguments+=(-H "authorization: Bearer ${token[$who]}")
    [ "$method" != HEAD ] || arguments+=(--head)
    status=$(curl -sk -m 100 -X "$method" -D "$scratch/headers" -o "$scratch/answer" -w '%{http_code}' "${arguments[@]}" "$@" "$url") \
        || fail "$method $path: no answer, code $?"
    answer=$(tr -d '\0' < "$scratch/answer")
}

expect()
{
    local wanted=$1
    shift
    : > "$scratch/answer"
    request "$@"
    [ "$status" = "$wanted" ] || fail "$1 $2 as ${3:-operator}: got $status, wanted $wanted: ${answer:0:1000}"
    echo "as wanted: $1 $2 as ${3:-operator} = $status"
}

header() { sed -n "s/^$1: *\(.*\)\r\$/\1/Ip" "$scratch/headers" | head -n 1; }

json()
{
    python3 -c 'import json, sys
d = json.load(open(sys.argv[1], encoding="utf-8"))
found = eval(sys.argv[2])
print(found if isinstance(found, str) else json.dumps(found))' "$scratch/answer" "$1"
}
