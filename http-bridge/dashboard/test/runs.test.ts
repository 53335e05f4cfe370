import { describe, expect, it } from 'vitest';
import { ApiError } from '../src/api/client';
import type { Event, Page, Problem, Run } from '../src/api/types';
import { forEachRun, mayTake } from '../src/pages/runs/bulk';
import { addressOf, filtersOf, instantOf, meantBy, noFilters, queryOf, sqlOf } from '../src/pages/runs/filters';
import { bringsNew, countNew, mergeHead, patchPages, placeOf, type RunPages } from '../src/pages/runs/list';

const idOf = (n: number): string => `019abf3e-7c00-7000-8000-${String(n).padStart(12, '0')}`;
const run = (n: number, state: Run['state'] = 'running'): Run =>
    ({ run_id: idOf(n), workflow: 'etl', state, started_at: null, finished_at: null, created_at: '2026-01-31T00:00:00Z' }) as Run;
const falling = (from: number, to: number, state?: Run['state']): Run[] => Array.from({ length: from - to + 1 }, (_, i) => run(from - i, state));
const page = (items: Run[], next_cursor: string | null): Page<Run> => ({ items, next_cursor });
const event = (n: number, kind: string): Event => ({ run_id: idOf(n), kind, at: '2026-01-31T00:00:05Z' }) as Event;
const none: ReadonlySet<string> = new Set();
const numbers = (data: RunPages): number[] => data.pages.flatMap((one) => one.items.map((item) => Number(item.run_id.slice(-12))));

describe('filters', () => {
    const all = {
        workflow: 'shop/orders',
        state: 'failed',
        tags: ['team=shop', 'urgent'],
        since: '24h',
        until: '2026-01-31T09:00:00.000Z',
        key: 'day=1&x',
        source: 'api',
        parent: idOf(1),
    } as const;

    it('come out of the address as they went in', () => {
        expect(filtersOf(new URLSearchParams(addressOf(all).toString()))).toEqual(all);
        expect(filtersOf(new URLSearchParams())).toEqual(noFilters);
        expect(addressOf(noFilters).size).toBe(0);
    });
    it('leave out what is none', () => {
        expect(filtersOf(new URLSearchParams('state=sleeping&since=yesterday&until=&tag=&tag=a&tag=a&else=1'))).toEqual({ ...noFilters, tags: ['a'] });
    });
    it('are times of the API once they are asked for', () => {
        const now = Date.parse('2026-02-01T00:00:00Z');
        expect(instantOf('90m', now)?.toISOString()).toBe('2026-01-31T22:30:00.000Z');
        expect(instantOf('soon', now)).toBeNull();
        expect(queryOf(all, now)).toMatchObject({
            since: '2026-01-31T00:00:00.000Z',
            until: '2026-01-31T09:00:00.000Z',
            tag: ['team=shop', 'urgent'],
            idempotency_key: 'day=1&x',
        });
    });
    it('are SQL that nobody breaks out of', () => {
        const text = sqlOf({ ...noFilters, workflow: "o'neil", tags: ['a=b=c', "it's"], since: '7d' });
        expect(text).toContain("workflow = 'o''neil'");
        expect(text).toContain("tags ->> 'a' = 'b=c'");
        expect(text).toContain("tags ? 'it''s'");
        expect(text).toContain("created_at >= now() - interval '7 days'");
        expect(sqlOf(noFilters)).not.toContain('where');
    });
    it('are what was meant by a word', () => {
        const known = ['etl', 'shop/orders', 'shop/returns'];
        expect(meantBy(idOf(7).toUpperCase(), noFilters, known)).toEqual({ run: idOf(7) });
        expect(meantBy('timed out', noFilters, known)).toEqual({ filters: { ...noFilters, state: 'timed_out' } });
        expect(meantBy('team=shop', noFilters, known)).toEqual({ filters: { ...noFilters, tags: ['team=shop'] } });
        expect(meantBy('tag:urgent', { ...noFilters, tags: ['a'] }, known)).toEqual({ filters: { ...noFilters, tags: ['a', 'urgent'] } });
        expect(meantBy('orders', noFilters, known)).toEqual({ filters: { ...noFilters, workflow: 'shop/orders' } });
        expect(meantBy('shop', noFilters, known)).toEqual({ filters: { ...noFilters, key: 'shop' } });
    });
});

describe('the list of runs', () => {
    const data: RunPages = { pages: [page(falling(100, 51), 'c51'), page(falling(50, 1), null)], pageParams: ['', 'c51'] };

    it('finds a run by its place', () => {
        expect(placeOf(data.pages[0]!.items, idOf(73))).toBe(27);
        expect(placeOf(data.pages[0]!.items, idOf(50))).toBe(-1);
        expect(placeOf([], idOf(50))).toBe(-1);
    });
    it('takes events into the one page that they belong to', () => {
        const patched = patchPages(data, [event(50, 'run_succeeded'), event(999, 'run_failed'), event(60, 'task_failed')], { state: '' }, none);
        expect(patched.pages[0]).toBe(data.pages[0]);
        expect(patched.pages[1]!.items[0]).toMatchObject({ state: 'succeeded', finished_at: '2026-01-31T00:00:05Z' });
        expect(data.pages[1]!.items[0]!.state).toBe('running');
        expect(patchPages(data, [event(999, 'run_failed')], { state: '' }, none)).toBe(data);
    });
    it('lets go what no longer fits, but not what was chosen', () => {
        const batch = [event(80, 'run_succeeded'), event(79, 'run_succeeded')];
        const patched = patchPages(data, batch, { state: 'running' }, new Set([idOf(79)]));
        expect(numbers(patched)).not.toContain(80);
        expect(numbers(patched)).toContain(79);
    });
    it('knows what is new at its top', () => {
        expect(bringsNew(data, [event(101, 'run_triggered')], { state: '' })).toBe(true);
        expect(bringsNew(data, [event(100, 'run_triggered')], { state: '' })).toBe(false);
        expect(bringsNew(data, [event(101, 'run_triggered')], { state: 'failed' })).toBe(false);
        expect(bringsNew(data, [event(101, 'run_failed')], { state: 'failed' })).toBe(true);
    });
    it('takes a new head and keeps what lies below, by the cursors that lead there', () => {
        const head = page(falling(120, 71), 'c71');
        expect(countNew(data, head)).toBe(20);
        const merged = mergeHead(data, head);
        expect(numbers(merged)).toEqual(numbers({ pages: [page(falling(120, 1), null)], pageParams: [''] }));
        expect(merged.pageParams).toEqual(['', 'c71', 'c51']);
        expect(merged.pages.at(-1)!.next_cursor).toBeNull();
    });
    it('begins anew where there is a gap, or where the head is all', () => {
        expect(mergeHead(data, page(falling(500, 400), 'c400')).pages).toHaveLength(1);
        expect(numbers(mergeHead(data, page(falling(3, 1), null)))).toEqual([3, 2, 1]);
        expect(mergeHead({ pages: [page([], null)], pageParams: [''] }, page(falling(3, 2), 'c2')).pages).toHaveLength(1);
    });
});

describe('an action on many runs', () => {
    const refusal = (status: number): ApiError => new ApiError({ type: 'about:blank', title: 'no', status, code: 'x', instance: 'i' } as Problem);

    it('is offered where the state allows it', () => {
        expect([mayTake('cancel', run(1)), mayTake('cancel', run(1, 'cancelling')), mayTake('cancel', run(1, 'failed'))]).toEqual([true, false, false]);
        expect([mayTake('retry', run(1, 'timed_out')), mayTake('retry', run(1, 'succeeded')), mayTake('retry', run(1))]).toEqual([true, false, false]);
    });
    it('goes on behind a refusal, and notes it', async () => {
        const seen: number[] = [];
        const result = await forEachRun(
            [1, 2, 3, 4, 5],
            (n) => (n === 2 ? Promise.reject(refusal(409)) : Promise.resolve()),
            (now) => seen.push(now.done + now.refused.length),
        );
        expect(result.done).toBe(4);
        expect(result.refused.map((one) => one.item)).toEqual([2]);
        expect(seen).toEqual([1, 2, 3, 4, 5]);
    });
    it('waits where it is too fast, and stops when it is told to', async () => {
        let tries = 0;
        const pauses: number[] = [];
        const slow = await forEachRun(
            ['a'],
            () => (++tries < 3 ? Promise.reject(refusal(429)) : Promise.resolve()),
            () => {},
            {
                pause: (ms) => (pauses.push(ms), Promise.resolve()),
            },
        );
        expect([slow.done, tries, pauses.length]).toEqual([1, 3, 2]);
        let done = 0;
        await forEachRun(
            ['a', 'b', 'c'],
            () => Promise.resolve(void done++),
            () => {},
            { lanes: 1, stopped: () => done === 2 },
        );
        expect(done).toBe(2);
    });
});
