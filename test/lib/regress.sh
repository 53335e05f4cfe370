# pg_regress and pg_isolation_regress as TAP. Sourced by their suites.
# shellcheck shell=bash
. "$(dirname "${BASH_SOURCE[0]}")/tap.sh"

# run_regress NAME PROGRAM FOLDER INPUTDIR: the tests named in FOLDER/schedule, in that order.
run_regress()
{
    local program out=$build/$suite tests=() name status=0
    for name in $(sed -n 's/^test: *//p' "$3/schedule"); do
        ! selected "$name" || tests+=("$name")
    done
    [ ${#tests[@]} -gt 0 ] || return 0
    under_server
    program=$(dirname "$("${PG_CONFIG:-pg_config}" --pgxs)")/../../src/test/$2
    rm -rf "$out"
    mkdir -p "$out"
    # Looked for below the output directory first, so that results stay out of the tree and expected/ in its root.
    ln -s "$root/expected" "$out/expected"
    "$program" --inputdir="$4" --outputdir="$out" --bindir="$("${PG_CONFIG:-pg_config}" --bindir)" --use-existing --dbname=orch_test "${tests[@]}" \
        > "$out/output" 2>&1 || status=$?
    # The lines are "test NAME ... ok 12 ms" up to 15 and TAP from 16 on.
    awk -v suite="$suite" '
        /^test .* \.\.\. ok/ { print "ok - " suite ": " $2; next }
        /^test .* \.\.\. FAILED/ { print "not ok - " suite ": " $2; next }
        /^(not )?ok [0-9]+ / { match($0, /- *[^ ]+/); name = substr($0, RSTART, RLENGTH); sub(/^- */, "", name); print (/^not/ ? "not ok" : "ok") " - " suite ": " name }
    ' "$out/output" | tee "$out/lines"
    if [ "$status" != 0 ]; then
        grep -q '^not ok' "$out/lines" || { echo "not ok - $suite: $1 ended with exit code $status"; sed 's/^/# /' "$out/output"; }
        [ ! -f "$out/regression.diffs" ] || head -n 150 "$out/regression.diffs" | sed 's/^/# /'
    fi
}
