# For the suites of test/suites: one line of TAP a test, output only where it failed. Sourced; $suite is the name that lines begin with.
# shellcheck shell=bash

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cd "$root" || exit 1
build=${BUILD:-build}
suite=$(basename "$0")
suite=${suite#*-}

# True where no name was asked for, or this one holds it.
selected() { [ -z "${ORCH_TEST:-}" ] || [[ "$suite: $1" == *"$ORCH_TEST"* ]]; }

# run_test NAME COMMAND...: exit code 0 is passed, 77 skipped (the last line says why), anything else failed.
run_test()
{
    local name=$1 out status=0 begin=$EPOCHREALTIME seconds
    shift
    selected "$name" || return 0
    out=$(mktemp)
    timeout --kill-after=20 "${ORCH_TEST_TIMEOUT:-300}" "$@" > "$out" 2>&1 < /dev/null || status=$?
    seconds=$(awk -v a="$begin" -v b="$EPOCHREALTIME" 'BEGIN { printf "%.1f s", b - a }')
    case $status in
        0) echo "ok - $suite: $name ($seconds)"; [ -z "${ORCH_TEST_VERBOSE:-}" ] || sed 's/^/# /' "$out" ;;
        77) echo "ok - $suite: $name # SKIP $(tail -n 1 "$out")" ;;
        *) echo "not ok - $suite: $name ($seconds, exit code $status)"; tail -n "${ORCH_TEST_LINES:-80}" "$out" | sed 's/^/# /' ;;
    esac
    rm -f "$out"
}

# Each executable of a folder is a test; it brings up its own server by test/with-server where it needs one. Two at a time, since most of them wait;
# a test that measures begins its second line with "Alone:".
run_folder()
{
    local file out running=0
    for file in "$1"/*; do
        [ -x "$file" ] && [ -f "$file" ] || continue
        selected "$(basename "$file")" || continue
        if sed -n 2p "$file" | grep -q '^# Alone:'; then
            wait
            running=0
            run_test "$(basename "$file")" "$file"
            continue
        fi
        if [ $running -ge 2 ]; then
            wait -n || true
            running=$((running - 1))
        fi
        # In one write, so that the lines of two tests do not mix.
        { out=$(run_test "$(basename "$file")" "$file"); printf '%s\n' "$out"; } &
        running=$((running + 1))
    done
    wait
}

# The tests of a GoogleTest program as TAP, by their own names.
run_gtest()
{
    local program=$1 out
    local filter='*'
    [ -z "${ORCH_TEST:-}" ] || [[ "$suite" == *"$ORCH_TEST"* ]] || filter="*$ORCH_TEST*"
    out=$(mktemp)
    local status=0
    timeout 300 "$program" --gtest_filter="$filter" --gtest_print_time=0 > "$out" 2>&1 < /dev/null || status=$?
    awk -v suite="$suite" '
        /^\[       OK \]/ { print "ok - " suite ": " $4 }
        /^\[  SKIPPED \]/ && !over { print "ok - " suite ": " $4 " # SKIP said by the test" }
        /^\[  FAILED  \]/ && !over { print "not ok - " suite ": " $4; failed++ }
        /^\[==========\].* ran\./ { over = 1 }
    ' "$out"
    if [ "$status" != 0 ]; then
        grep -qE '^\[  FAILED  \]' "$out" || echo "not ok - $suite: $(basename "$program") ended with exit code $status"
        grep -vE '^\[( RUN      |       OK |----------|==========)\]' "$out" | tail -n 60 | sed 's/^/# /'
    fi
    rm -f "$out"
}

# Starts the suite again under test/with-server; the rest of the suite has the server's environment.
under_server()
{
    [ -n "${ORCH_SERVER_DIR:-}" ] || exec "$root/test/with-server" "$0"
}
