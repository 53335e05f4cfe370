// The text of /metrics, as far as the dashboard reads it.
export interface Sample {
    name: string;
    labels: Record<string, string>;
    value: number;
}

const line = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? ([^ ]+)/;
const label = /([a-zA-Z_]\w*)="((?:[^"\\]|\\.)*)"/g;

export function parseMetrics(text: string): Sample[] {
    const samples: Sample[] = [];
    for (const row of text.split('\n')) {
        if (row === '' || row.startsWith('#')) continue;
        const found = line.exec(row);
        if (!found) continue;
        const labels: Record<string, string> = {};
        for (const [, name, value] of (found[2] ?? '').matchAll(label)) labels[name!] = value!.replace(/\\(.)/g, (_, c: string) => (c === 'n' ? '\n' : c));
        samples.push({ name: found[1]!, labels, value: Number(found[3]) });
    }
    return samples;
}

/** One scrape, asked by name. */
export class Metrics {
    private readonly byName = new Map<string, Sample[]>();
    constructor(
        samples: readonly Sample[],
        readonly at: number,
    ) {
        for (const sample of samples) {
            const all = this.byName.get(sample.name);
            if (all) all.push(sample);
            else this.byName.set(sample.name, [sample]);
        }
    }

    all(name: string): readonly Sample[] {
        return this.byName.get(name) ?? [];
    }

    /** The sum over all samples of the name that have these labels. */
    sum(name: string, labels: Record<string, string> = {}): number {
        let total = 0;
        for (const sample of this.all(name)) if (Object.entries(labels).every(([key, value]) => sample.labels[key] === value)) total += sample.value;
        return total;
    }
}

/** The quantile of what was counted into the histogram between two scrapes, as Prometheus reckons it; null where nothing was. */
export function quantile(q: number, before: Metrics, now: Metrics, name: string): number | null {
    const counts = new Map<number, number>();
    const add = (metrics: Metrics, sign: number): void => {
        for (const { labels, value } of metrics.all(`${name}_bucket`)) {
            const le = labels['le'] === '+Inf' ? Infinity : Number(labels['le']);
            counts.set(le, (counts.get(le) ?? 0) + sign * value);
        }
    };
    add(now, 1);
    add(before, -1);
    const bounds = [...counts.keys()].sort((a, b) => a - b);
    const total = counts.get(Infinity) ?? 0;
    if (total <= 0) return null;
    const rank = q * total;
    let below = 0;
    let lower = 0;
    for (const bound of bounds) {
        const count = counts.get(bound)!;
        if (count >= rank) return bound === Infinity ? lower : lower + ((bound - lower) * (rank - below)) / Math.max(1e-9, count - below);
        below = count;
        lower = bound;
    }
    return lower;
}
