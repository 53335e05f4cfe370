// Where the machine's cores went between two moments: this process, what it started, the server under test, everything else (foreign), the host (steal).
// A figure taken beside much that is foreign is not to be trusted, so each result carries these.
import fs from 'node:fs';

function times(pid) {
    try {
        const text = fs.readFileSync(`/proc/${pid}/stat`, 'utf8');
        const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
        return { parent: +fields[1], own: +fields[11] + +fields[12], ended: +fields[13] + +fields[14] };
    } catch {
        return null; // it has ended
    }
}

/** Ticks of a process, of its children that have ended, and of those that live. */
function ticks(pid) {
    const top = pid && times(pid);
    if (!top) return 0;
    let sum = top.own + top.ended;
    for (const name of fs.readdirSync('/proc')) {
        const child = /^\d+$/.test(name) && times(name);
        if (child && child.parent === pid) sum += child.own;
    }
    return sum;
}

export function postmaster() {
    try {
        return +fs.readFileSync(`${process.env.ORCH_SERVER_DIR}/postmaster.pid`, 'utf8').split('\n')[0];
    } catch {
        return 0;
    }
}

export function look(serverPid) {
    const [user, nice, system, idle, wait, interrupt, soft, steal] = fs.readFileSync('/proc/stat', 'utf8').split('\n')[0].trim().split(/\s+/).slice(1).map(Number);
    const busy = user + nice + system + interrupt + soft;
    return { busy, steal, all: busy + idle + wait + steal, client: ticks(process.pid), server: ticks(serverPid) };
}

export function shares(from, to) {
    const all = Math.max(1, to.all - from.all);
    const percent = (value) => Math.round((1000 * value) / all) / 10;
    const busy = to.busy - from.busy, client = to.client - from.client, server = to.server - from.server, steal = to.steal - from.steal;
    return {
        client_pct: percent(client), server_pct: percent(server), foreign_pct: Math.max(0, percent(busy - client - server)), steal_pct: percent(steal),
        idle_pct: percent(all - busy - steal),
    };
}
