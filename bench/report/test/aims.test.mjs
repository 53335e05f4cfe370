import assert from 'node:assert/strict';
import { test } from 'node:test';
import { aims } from '../aims.mjs';
import { Results, median, show, spread } from '../results.mjs';

const line = (peer, workload, tag, phases, rep = 1, options = {}) => ({ peer, version: '1', workload, tag, rep, options, phases });
const rate = (per_s) => ({ drain: { per_s }, trigger: { per_s } });
const find = (list, text) => list.find((aim) => aim.text.startsWith(text));

test('a ratio of medians decides, not the best of the repetitions', () => {
    const lines = [100, 160, 90].map((per_s, i) => line('orch', 'W1', '', rate(per_s), i)).concat([100, 100, 10].map((per_s, i) => line('graphile', 'W1', '', rate(per_s), i)));
    const aim = find(aims(new Results(lines)), 'drain by 500, to graphile');
    assert.equal(aim.ratio, 1);
    assert.equal(aim.verdict, 'missed');
});

test('what was not measured is neither passed nor missed', () => {
    assert.ok(aims(new Results([])).every((aim) => aim.verdict === 'not measured'));
    assert.equal(find(aims(new Results([line('orch', 'W1', '', rate(5))])), 'drain by 500, to pg-boss').verdict, 'not measured');
});

test('the larger bag counts where graphile-worker was measured with it', () => {
    const lines = [line('orch', 'W1', '', rate(1)), line('orch', 'W1', 'large', rate(30)), line('graphile', 'W1', '', rate(10)), line('graphile', 'W1', 'large', rate(10))];
    assert.equal(find(aims(new Results(lines)), 'drain by 500, to graphile').ratio, 3);
});

test('chains are held against the best peer in any form, and against engines that record them', () => {
    const work = (per_s) => ({ work: { per_s } });
    const list = aims(new Results([line('orch', 'W2', '', work(90)), line('pgboss', 'W2', '', work(5)), line('pgboss', 'W2', 'send', work(40)), line('dbos', 'W2', '', work(6)), line('code', 'W2', '', work(99))]));
    assert.deepEqual([find(list, 'chains, to the best in any').theirs, find(list, 'chains, to the best in any').against], [40, 'pgboss (send)']);
    assert.deepEqual([find(list, 'chains, to the best engine').theirs, find(list, 'chains, to the best engine').verdict], [6, 'passed']);
});

test('a limit from above and one from below', () => {
    const list = aims(new Results([line('orch', 'W4', '', { latency: { p50_ms: 1.2, p99_ms: 4.1 } }), line('orch', 'W10', '', { work: { per_s: 5999 } })]));
    assert.equal(find(list, 'chain of three alone, p50').verdict, 'passed');
    assert.equal(find(list, 'chain of three alone, p99').verdict, 'missed');
    assert.equal(find(list, 'SQL steps').verdict, 'missed');
});

test('a rate that falls to the end misses its aim', () => {
    const falling = [1, 2, 3, 4, 5, 6, 7, 9, 11, 13], flat = falling.map((_, i) => i + 1);
    const held = (tenths) => find(aims(new Results([line('orch', 'W6', 'held', { drain: { per_s: 1, tenths } })])), 'the rate at its end').verdict;
    assert.equal(held(falling), 'missed');
    assert.equal(held(flat), 'passed');
});

test('medians, and how figures are written', () => {
    assert.equal(median([3, 1, 2]), 2);
    assert.equal(median([]), null);
    assert.deepEqual([show(71483.4), show(0.0456), show(null), show(0)], ['71,483', '0.046', '-', '0']);
    assert.equal(spread({ median: 5, least: 4, most: 6, count: 3 }), '5 (4 to 6)');
});
