// The difference of two texts by lines, as Myers finds it: the fewest lines taken away and put in.
export interface DiffLine {
    kind: 'same' | 'gone' | 'new';
    text: string;
    /** Number of the line in the old and in the new text. */
    old: number | null;
    now: number | null;
}

/** Beyond so many changed lines the rest counts as replaced: nobody reads that line by line, and it would take long. */
const mostChanges = 1500;

function shortest(a: readonly string[], b: readonly string[]): DiffLine['kind'][] {
    const n = a.length;
    const m = b.length;
    const offset = n + m + 1;
    const reach = new Int32Array(2 * offset + 1);
    const trace: Int32Array[] = [];
    for (let d = 0; d <= Math.min(n + m, mostChanges); d++) {
        trace.push(reach.slice(offset - d - 1, offset + d + 2));
        for (let k = -d; k <= d; k += 2) {
            let x = k === -d || (k !== d && reach[offset + k - 1]! < reach[offset + k + 1]!) ? reach[offset + k + 1]! : reach[offset + k - 1]! + 1;
            while (x < n && x - k < m && a[x] === b[x - k]) x++;
            reach[offset + k] = x;
            if (x >= n && x - k >= m) return walkBack(trace, n, m);
        }
    }
    return [...Array<'gone'>(n).fill('gone'), ...Array<'new'>(m).fill('new')];
}

function walkBack(trace: readonly Int32Array[], n: number, m: number): DiffLine['kind'][] {
    const kinds: DiffLine['kind'][] = [];
    let x = n;
    let y = m;
    for (let d = trace.length - 1; d >= 0; d--) {
        const reach = trace[d]!;
        const at = (k: number): number => reach[k + d + 1]!;
        const k = x - y;
        const down = k === -d || (k !== d && at(k - 1) < at(k + 1));
        const before = down ? k + 1 : k - 1;
        const beforeX = d === 0 ? 0 : at(before);
        const beforeY = d === 0 ? 0 : beforeX - before;
        while (x > beforeX && y > beforeY) {
            kinds.push('same');
            x--;
            y--;
        }
        if (d > 0) kinds.push(down ? 'new' : 'gone');
        x = beforeX;
        y = beforeY;
    }
    return kinds.reverse();
}

const linesOf = (text: string): string[] => (text === '' ? [] : text.replace(/\n$/, '').split('\n'));

export function diffLines(before: string, after: string): DiffLine[] {
    const a = linesOf(before);
    const b = linesOf(after);
    let head = 0;
    while (head < a.length && head < b.length && a[head] === b[head]) head++;
    let tail = 0;
    while (tail < a.length - head && tail < b.length - head && a[a.length - 1 - tail] === b[b.length - 1 - tail]) tail++;
    const kinds = [
        ...Array<'same'>(head).fill('same'),
        ...shortest(a.slice(head, a.length - tail), b.slice(head, b.length - tail)),
        ...Array<'same'>(tail).fill('same'),
    ];
    let i = 0;
    let j = 0;
    return kinds.map((kind) => {
        const text = kind === 'new' ? b[j]! : a[i]!;
        return { kind, text, old: kind === 'new' ? null : ++i, now: kind === 'gone' ? null : ++j };
    });
}

export type DiffPart = { lines: DiffLine[] } | { left: number };

/** What changed, with so many lines around it; `left` is how many that are the same are not shown. */
export function hunksOf(lines: readonly DiffLine[], around = 3): DiffPart[] {
    const shown = new Uint8Array(lines.length);
    lines.forEach((line, i) => {
        if (line.kind !== 'same') shown.fill(1, Math.max(0, i - around), Math.min(lines.length, i + around + 1));
    });
    const parts: DiffPart[] = [];
    for (let i = 0; i < lines.length;) {
        let end = i;
        while (end < lines.length && shown[end] === shown[i]) end++;
        // One line that is left out takes as much room as the line.
        if (shown[i] || end - i === 1) {
            const last = parts.at(-1);
            if (last && 'lines' in last) last.lines.push(...lines.slice(i, end));
            else parts.push({ lines: lines.slice(i, end) });
        } else parts.push({ left: end - i });
        i = end;
    }
    return parts;
}

export const changesOf = (lines: readonly DiffLine[]): { gone: number; new: number } => ({
    gone: lines.filter((line) => line.kind === 'gone').length,
    new: lines.filter((line) => line.kind === 'new').length,
});
