// The lines of a run, by peer, workload and tag; median, least and most over the repetitions.
import fs from 'node:fs';

export function median(values) {
    const sorted = values.filter(Number.isFinite).sort((a, b) => a - b);
    if (sorted.length === 0) return null;
    const middle = sorted.length >> 1;
    return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

export class Results {
    constructor(lines) {
        this.lines = lines.filter((line) => line.peer);
        this.machine = lines.find((line) => line.machine);
        this.leftOut = [...new Map(lines.filter((line) => line.left_out).map((line) => [line.left_out, line.why]))];
        this.bridge = lines.find((line) => line.bridge)?.bridge;
        this.failed = lines.filter((line) => line.failed);
    }
    static read(file) {
        return new Results(fs.readFileSync(file, 'utf8').split('\n').filter(Boolean).map((text) => JSON.parse(text)));
    }
    peers() {
        return [...new Set(this.lines.map((line) => line.peer))].filter((peer) => peer !== 'floor');
    }
    of(peer, workload, tag = '') {
        return this.lines.filter((line) => line.peer === peer && line.workload === workload && (line.tag ?? '') === tag);
    }
    tags(peer, workload) {
        return [...new Set(this.lines.filter((line) => line.peer === peer && line.workload === workload).map((line) => line.tag ?? ''))];
    }
    /** {median, least, most, count} of one field, or null where nothing was measured. */
    figure(peer, workload, tag, phase, field) {
        const values = this.of(peer, workload, tag).map((line) => line.phases[phase]?.[field]).filter(Number.isFinite);
        return values.length === 0 ? null : { median: median(values), least: Math.min(...values), most: Math.max(...values), count: values.length };
    }
    value(peer, workload, tag, phase, field) {
        return this.figure(peer, workload, tag, phase, field)?.median ?? null;
    }
    floor(name, field = 'per_s') {
        return this.value('floor', 'floor', name, 'floor', field);
    }
    /** Core-microseconds a task, of the client and the server: what holds on a machine that others use too. */
    processorOf(peer, workload, tag, phase) {
        const cores = this.machine?.machine.cores ?? 1;
        return median(this.of(peer, workload, tag).map((line) => {
            const p = line.phases[phase];
            return p?.processor ? ((p.processor.client_pct + p.processor.server_pct) / 100) * cores * (p.s / p.n) * 1e6 : NaN;
        }));
    }
    foreign(peer, workload, tag = '') {
        return median(this.of(peer, workload, tag).flatMap((line) => Object.values(line.phases).map((phase) => phase?.processor?.foreign_pct)));
    }
}

export function show(value) {
    if (value === null || value === undefined || !Number.isFinite(value)) return '-';
    if (value === 0) return '0';
    const size = Math.abs(value);
    if (size >= 1000) return Math.round(value).toLocaleString('en-US');
    return String(Number(value.toPrecision(size >= 100 ? 3 : 2)));
}

export function spread(figure) {
    if (!figure) return '-';
    return figure.count > 1 ? `${show(figure.median)} (${show(figure.least)} to ${show(figure.most)})` : show(figure.median);
}
