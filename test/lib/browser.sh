# The browser's tests: their packages, and a server with a bridge, a worker and a token for each role around them. Sourced.
#
#   browser_packages            by the lock, quick where nothing has changed; no browser is fetched, Debian's is used
#   browser_scene               under test/with-server: the bridge, the worker `steady`, and ORCH_HTTP_URL and ORCH_TOKEN_… for the specs
#   browser_tests [OPTIONS]     playwright test with them, from test/e2e
# shellcheck shell=bash
# shellcheck source-path=SCRIPTDIR

. "$(dirname "${BASH_SOURCE[0]}")/node.sh"

browser_packages()
{
    local out
    (
        cd "$node_root/test/e2e" || exit
        PATH=$(dirname "$node"):$PATH
        if [ ! -e node_modules/.package-lock.json ] || [ package-lock.json -nt node_modules/.package-lock.json ]; then
            out=$(PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD=1 npm ci --no-audit --no-fund 2>&1) || { printf '%s\n' "$out" >&2; exit 1; }
            touch node_modules/.package-lock.json
        fi
    )
}

browser_scene()
{
    . "$node_root/test/http/lib.sh"
    start_bridge one
    start_worker steady --concurrency 4
    export ORCH_HTTP_URL=${bridge_url[one]}
}

browser_tests() { (cd "$node_root/test/e2e" && NODE_NO_WARNINGS=1 "$node" node_modules/@playwright/test/cli.js test "$@"); }
