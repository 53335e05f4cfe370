# The Node that the TypeScript client is built and tested with: that of PATH if it is 20 or newer, else npm's package of it below build/. Sourced.
# shellcheck shell=bash

node_root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
node=$(command -v node || true)
if [ -z "$node" ] || [ "$("$node" -p 'parseInt(process.versions.node)')" -lt 20 ]; then
    node=$node_root/${BUILD:-build}/node/node_modules/node/bin/node
fi
client=$node_root/worker-client/typescript
