// The rates and latencies of a run as one SVG: a panel a workload, a bar a peer, on a logarithmic axis, with the spread of the repetitions as a line.
const panels = [
    { title: 'W1: drain a bag, tasks a second', workload: 'W1', phase: 'drain', field: 'per_s', floor: 'two_500' },
    { title: 'W2: chains of 20, steps a second', workload: 'W2', phase: 'work', field: 'per_s' },
    { title: 'W3: fans of 100, tasks a second', workload: 'W3', phase: 'work', field: 'per_s' },
    { title: 'W4: a chain of three alone, p50 in ms (short is good)', workload: 'W4', phase: 'latency', field: 'p50_ms' },
];
const escape = (text) => text.replace(/[&<>]/g, (c) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;' })[c]);
const label = (value) => (value >= 1000 ? Math.round(value).toLocaleString('en-US') : String(Number(value.toPrecision(2))));

export function plot(results, names) {
    const width = 760, left = 190, right = 90, bar = 18, parts = [];
    let y = 10;
    for (const panel of panels) {
        const rows = results.peers().flatMap((peer) => results.tags(peer, panel.workload).filter((tag) => !['large', 'query'].includes(tag)).map((tag) => ({
            name: (names[peer] ?? peer) + (tag ? ` (${tag})` : ''), ours: peer === 'orch' || peer === 'code', figure: results.figure(peer, panel.workload, tag, panel.phase, panel.field) })))
            .filter((row) => row.figure);
        if (rows.length === 0) continue;
        const floor = panel.floor && results.figure('floor', 'floor', panel.floor, 'floor', 'per_s');
        if (floor) rows.push({ name: 'bare rows (floor)', floor: true, figure: floor });
        rows.sort((a, b) => (panel.field === 'per_s' ? b.figure.median - a.figure.median : a.figure.median - b.figure.median));
        const low = Math.floor(Math.log10(Math.min(...rows.map((row) => row.figure.least))) - 0.2), high = Math.log10(Math.max(...rows.map((row) => row.figure.most)));
        const x = (value) => left + ((Math.log10(value) - low) / (high - low)) * (width - left - right);
        parts.push(`<text x="8" y="${y + 16}" class="title">${escape(panel.title)}</text>`);
        y += 26;
        const top = y;
        for (let power = low; power <= high; power++) {
            const at = x(10 ** power).toFixed(1);
            parts.push(`<line x1="${at}" y1="${top}" x2="${at}" y2="${top + rows.length * bar}" class="grid"/><text x="${at}" y="${top + rows.length * bar + 12}" class="axis">${label(10 ** power)}</text>`);
        }
        for (const { name, ours, floor: isFloor, figure } of rows) {
            const end = x(figure.median).toFixed(1);
            parts.push(`<text x="${left - 8}" y="${y + 13}" class="name">${escape(name)}</text>`);
            parts.push(`<rect x="${left}" y="${y + 3}" width="${Math.max(1, +end - left).toFixed(1)}" height="${bar - 6}" class="${isFloor ? 'floor' : ours ? 'ours' : 'peer'}"/>`);
            parts.push(`<line x1="${x(figure.least).toFixed(1)}" y1="${y + bar / 2}" x2="${x(figure.most).toFixed(1)}" y2="${y + bar / 2}" class="spread"/>`);
            parts.push(`<text x="${(Math.max(+end, x(figure.most)) + 6).toFixed(1)}" y="${y + 13}" class="value">${label(figure.median)}</text>`);
            y += bar;
        }
        y += 30;
    }
    const style = 'text{font:12px sans-serif;fill:#222}.title{font-weight:bold}.name{text-anchor:end}.axis{text-anchor:middle;font-size:10px;fill:#777}.grid{stroke:#ddd}.ours{fill:#2f6fb7}.peer{fill:#b9bec6}'
        + '.floor{fill:#e8d9a8}.spread{stroke:#222}';
    return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${y}" width="${width}" height="${y}"><style>${style}</style><rect width="${width}" height="${y}" fill="#fff"/>${parts.join('')}</svg>\n`;
}
