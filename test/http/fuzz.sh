# fuzz COUNT [PROCESSES]: so many spoilt requests to a bridge; none is a fault of the server's, the process is the same, and its memory does not
# grow. Sourced after lib.sh.
# shellcheck shell=bash

resident() { awk '/^VmRSS/ {print $2}' "/proc/${bridge_pid[one]}/status"; }

send_spoilt()
{
    local n pids=() failed=0
    for ((n = 0; n < $2; n++)); do
        PYTHONPATH=$cluster_root/test/http /usr/bin/python3 "$cluster_root/test/http/fuzz.py" "$(($1 / $2))" "$(($3 + n))" &
        pids+=($!)
    done
    for n in "${pids[@]}"; do wait "$n" || failed=1; done
    [ $failed = 0 ] || fail 'see above'
}

fuzz()
{
    local count=$1 processes=${2:-1} pid before after
    start_bridge one
    for spec in '{"id":"quick","tasks":{"first":{"noop":true}}}' '{"id":"waits","tasks":{"only":{"signal":{"name":"go"}}}}' \
        '{"id":"breaks","tasks":{"only":{"noop":true,"input":"{{ input.missing }}","retries":0}}}' \
        '{"id":"works","tasks":{"only":{"handler":"h","circuit":"shop"}}}'; do
        expect 201 POST /workflows admin -d "$spec"
    done
    for workflow in quick waits breaks works; do
        expect 201 POST "/workflows/$workflow/trigger"
        ORCH_FUZZ_RUNS+=" $(json 'd["run_id"]')"
    done
    export ORCH_FUZZ_RUNS
    pid=${bridge_pid[one]}
    # What is made once, pools and plans and the heap's own habits, is there after the first part.
    send_spoilt $((count / 4)) "$processes" 1
    before=$(resident)
    send_spoilt $((count - count / 4)) "$processes" 1001
    after=$(resident)
    echo "resident after a quarter: $before kB, after $count requests: $after kB"
    [ "${bridge_pid[one]}" = "$pid" ] && alive "$pid" || fail 'the bridge has ended'
    ((after - before < 8192 + before / 4)) || fail 'the bridge grows with its requests'
    expect 200 GET /workflows viewer
}
