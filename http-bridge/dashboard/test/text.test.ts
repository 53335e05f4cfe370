import { describe, expect, it } from 'vitest';
import { withQuery } from '../src/api/client';
import { Metrics, parseMetrics, quantile } from '../src/api/metrics';
import { KeySequence } from '../src/app/keyboard';
import { rates } from '../src/charts/rates';
import { loudest, packMosaic, taskAt, mosaicWidth } from '../src/pages/run/mosaic';
import { ticks, zoom } from '../src/pages/run/scale';
import { readView, writeView } from '../src/pages/run/view';
import { formatDuration, formatRelative, secondsOfInterval } from '../src/ui/time';

describe('durations', () => {
    it('are read as PostgreSQL writes them', () => {
        expect(secondsOfInterval('00:00:01.5')).toBe(1.5);
        expect(secondsOfInterval('1 day 02:00:03')).toBe(93_603);
        expect(secondsOfInterval('-00:00:02')).toBe(-2);
        expect(secondsOfInterval('2 days')).toBe(172_800);
        expect(secondsOfInterval(null)).toBeNull();
    });

    it('are told in two units at most', () => {
        expect([0, 0.0004, 0.012, 1.25, 42.13, 59.96, 187, 7500, 360_000, null].map((one) => formatDuration(one))).toEqual([
            '0 ms',
            '0.4 ms',
            '12 ms',
            '1.25 s',
            '42.1 s',
            '1m 00s',
            '3m 07s',
            '2h 05m',
            '4d 04h',
            '–',
        ]);
    });

    it('are told from now', () => {
        expect([0, 12_000, 200_000, -90_000, 7_300_000].map((ago) => formatRelative(1e9 - ago, 1e9))).toEqual(['now', '12s ago', '3m ago', 'in 1m', '2h ago']);
    });
});

describe('the address of a run', () => {
    it('says what is looked at, and comes back the same', () => {
        const search = writeView(new URLSearchParams(), { view: 'tasks', task: 'a/b', state: 'failed' });
        expect(readView(new URLSearchParams(search.toString()))).toEqual({ view: 'tasks', task: 'a/b', state: 'failed', search: '' });
    });

    it('leaves out what is as usual, and bears with what nobody knows', () => {
        expect(writeView(new URLSearchParams('view=tasks&task=a'), { view: 'graph', task: null }).toString()).toBe('');
        expect(readView(new URLSearchParams('view=nonsense')).view).toBe('graph');
    });
});

it('makes queries without what is not asked for', () => {
    expect(withQuery('/runs', { workflow: 'a b', state: '', cursor: null, tag: ['x=1', 'y'], limit: 5 })).toBe('/runs?workflow=a+b&tag=x%3D1&tag=y&limit=5');
    expect(withQuery('/runs', {})).toBe('/runs');
});

describe('keys', () => {
    const known = new Set(['/', '?', 'g r', 'g o']);
    const press = (key: string, more = {}) => ({ key, ctrlKey: false, metaKey: false, altKey: false, ...more });

    it('go by one and by two', () => {
        const keys = new KeySequence();
        expect(keys.press(press('/'), 0, known)).toBe('/');
        expect(keys.press(press('g'), 10, known)).toBeNull();
        expect(keys.press(press('r'), 500, known)).toBe('g r');
        expect(keys.press(press('r'), 510, known)).toBeNull();
    });

    it('forget the first after a second, and let the browser have its own', () => {
        const keys = new KeySequence();
        keys.press(press('g'), 0, known);
        expect(keys.press(press('r'), 1500, known)).toBeNull();
        expect(keys.press(press('/', { ctrlKey: true }), 0, known)).toBeNull();
        keys.press(press('g'), 2000, known);
        expect(keys.press(press('/'), 2100, known)).toBe('/');
    });
});

describe('metrics', () => {
    const scrape = (at: number, done: number, buckets: number[]): Metrics =>
        new Metrics(
            parseMetrics(
                `# HELP x y\norch_runs_finished_total{state="failed"} ${done}\norch_runs_finished_total{state="a\\"b,c"} 1\nh_bucket{le="0.1"} ${buckets[0]}\nh_bucket{le="1"} ${buckets[1]}\nh_bucket{le="+Inf"} ${buckets[2]}\n`,
            ),
            at,
        );

    it('are read with their labels', () => {
        const one = scrape(0, 3, [0, 0, 0]);
        expect(one.sum('orch_runs_finished_total')).toBe(4);
        expect(one.sum('orch_runs_finished_total', { state: 'failed' })).toBe(3);
        expect(one.all('orch_runs_finished_total')[1]!.labels).toEqual({ state: 'a"b,c' });
    });

    it('give rates, and a gap where a server began anew or nobody looked', () => {
        const history = [scrape(0, 10, [0, 0, 0]), scrape(2000, 14, [0, 0, 0]), scrape(4000, 1, [0, 0, 0]), scrape(90_000, 5, [0, 0, 0])];
        expect(rates(history, (one) => one.sum('orch_runs_finished_total'))).toEqual([null, 2, null, null]);
    });

    it('give quantiles of what came between', () => {
        const before = scrape(0, 0, [10, 10, 10]);
        const now = scrape(1, 0, [15, 20, 20]);
        expect(quantile(0.5, before, now, 'h')).toBeCloseTo(0.1);
        expect(quantile(0.75, before, now, 'h')).toBeCloseTo(0.55);
        expect(quantile(0.5, now, now, 'h')).toBeNull();
    });
});

describe('a mosaic', () => {
    it('has room for any number of tasks', () => {
        for (const count of [2, 24, 400, 2500, 10_000, 100_000]) {
            const mosaic = packMosaic(count);
            expect(mosaic.columns * mosaic.pitch).toBeLessThanOrEqual(mosaicWidth);
            expect(mosaic.height).toBeLessThanOrEqual(170);
            expect(mosaic.columns * mosaic.rows * mosaic.perCell).toBeGreaterThanOrEqual(count);
            expect(taskAt(mosaic, count, 1, 1)).toBe(0);
            expect(taskAt(mosaic, count, mosaicWidth + 1, 1)).toBe(-1);
        }
    });

    it('shows what somebody should look at', () => {
        expect(loudest(['succeeded', 'running', 'failed', 'pending'])).toBe('failed');
        expect(loudest(['succeeded', 'pending'])).toBe('pending');
    });
});

describe('the axis of a timeline', () => {
    it('has lines at round distances', () => {
        expect(ticks(0, 5, 5)).toEqual([0, 1, 2, 3, 4, 5]);
        expect(ticks(0.013, 0.05, 5)).toEqual([0.02, 0.03, 0.04, 0.05]);
        expect(ticks(0, 0, 5)).toEqual([]);
    });

    it('is zoomed about a point, and not beyond the whole', () => {
        expect(zoom([0, 100], [0, 100], 0.5, 0.5)).toEqual([25, 75]);
        expect(zoom([0, 10], [0, 100], 0.5, 0)).toEqual([0, 5]);
        expect(zoom([25, 75], [0, 100], 10, 0.5)).toEqual([0, 100]);
    });
});
