// The axis of a timeline: which times get a line.
const steps = [
    0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400,
];

/** Seconds at which lines stand, at most so many, at round distances. */
export function ticks(from: number, to: number, most: number): number[] {
    const span = to - from;
    if (!(span > 0) || most < 1) return [];
    const step = steps.find((one) => span / one <= most) ?? Math.ceil(span / most / 86_400) * 86_400;
    const all: number[] = [];
    for (let i = Math.ceil(from / step - 1e-9); i * step <= to + step * 1e-9; i++) all.push(Number((i * step).toFixed(6)));
    return all;
}

/** The part of the whole that is seen after zooming by `factor` about `at` (0 to 1 of what is seen): never beyond the whole. */
export function zoom(view: readonly [number, number], whole: readonly [number, number], factor: number, at: number): [number, number] {
    const span = Math.min(whole[1] - whole[0], Math.max((view[1] - view[0]) * factor, (whole[1] - whole[0]) / 5000));
    const middle = view[0] + (view[1] - view[0]) * at;
    const from = Math.max(whole[0], Math.min(whole[1] - span, middle - span * at));
    return [from, from + span];
}
