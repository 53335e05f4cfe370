import { describe, expect, it } from 'vitest';
import { demo } from '../src/demo/demo';
import { rowsOf, tasksOf } from '../src/pages/workflows/spec';
import { bodyOf, inputNames, sqlOfTrigger, tagsIn, type TriggerFields } from '../src/pages/workflows/trigger';
import { read, type Json } from '../src/source/text';

const nothing: TriggerFields = { input: '', key: '', priority: '', at: '', tags: '', timeout: '', version: '' };

describe('a trigger', () => {
    it('needs nothing', () => {
        expect(bodyOf(nothing)).toEqual({ body: { input: {}, source: 'manual' } });
        expect(sqlOfTrigger("o'neil", { input: {}, source: 'manual' })).toBe("select orch.trigger('o''neil', '{}');");
    });
    it('takes all of its fields', () => {
        const made = bodyOf({
            input: '[1]',
            key: ' day-1 ',
            priority: '-5',
            at: '2099-01-01T10:00',
            tags: 'team=shop, urgent',
            timeout: '1 hour',
            version: '3',
        });
        if (!('body' in made)) throw new Error('refused');
        expect(made.body).toMatchObject({
            input: [1],
            idempotency_key: 'day-1',
            priority: -5,
            tags: { team: 'shop', urgent: '' },
            timeout: '1 hour',
            version: 3,
        });
        expect(new Date(made.body.run_at!).getTime()).toBe(new Date('2099-01-01T10:00').getTime());
        expect(sqlOfTrigger('x', made.body)).toContain("    idempotency_key => 'day-1',\n    priority => -5,\n    run_at => '2099");
    });
    it('says which field is wrong', () => {
        const made = bodyOf({ ...nothing, input: '{', priority: '1.5', at: 'soon' });
        expect('errors' in made && Object.keys(made.errors)).toEqual(['input', 'priority', 'at']);
    });
    it('reads tags', () => expect(tagsIn('a=b=c,, d ,=e')).toEqual({ a: 'b=c', d: '' }));
    it('knows what the definition reads', () => {
        const spec = {
            tasks: {
                a: { env: { X: '{{ input.day }}', Y: '{{ input.shop ?? 1 }}' }, params: ['{{ input."a b".c }} {{ input.day }}', '{{ tasks.b.output }}'] },
            },
        };
        expect(inputNames(spec)).toEqual(['day', 'a b']);
    });
});

describe('what a definition says', () => {
    it('is drawn by levels', () => {
        const rows = rowsOf(
            tasksOf({
                tasks: [
                    { id: 'c', sleep: 1, dependencies: ['b', 'a', 'gone', 'c'] },
                    { id: 'a', noop: true },
                    { id: 'b', dependencies: ['a', 'a'] },
                ],
                finally: { z: { sql: 'select 1' } },
            }),
        );
        expect(rows.map((row) => [row.task_id, row.level, row.executor, row.dependencies, row.is_finally])).toEqual([
            ['c', 2, 'sleep', ['b', 'a'], false],
            ['a', 0, 'noop', [], false],
            ['b', 1, '?', ['a'], false],
            ['z', 0, 'sql', [], true],
        ]);
    });
    it('may be anything while it is written', () => {
        const drafts: Json[] = [null, 1, 'x', [], { tasks: 1 }, { tasks: { a: null, b: [] } }, { tasks: { a: { dependencies: 'b' } } }];
        for (const draft of drafts) expect(() => rowsOf(tasksOf(draft))).not.toThrow();
        const ring = rowsOf(tasksOf({ tasks: { a: { dependencies: ['b'] }, b: { dependencies: ['a'] } } }));
        expect(ring).toHaveLength(2);
    });
    it('does not end in a long chain', () => {
        const tasks = Object.fromEntries(Array.from({ length: 5000 }, (_, i) => [`t${i}`, { noop: true, dependencies: i > 0 ? [`t${i - 1}`] : [] }]));
        expect(rowsOf(tasksOf({ tasks })).at(-1)!.level).toBe(4999);
    });
});

describe('the demo', () => {
    const workerless = new Set(['noop', 'sleep', 'signal', 'approval', 'decision', 'workflow', 'until']);

    it('needs no worker', () => {
        for (const one of demo) {
            const text = read(one.text, 'yaml');
            if (!('spec' in text)) throw new Error(`${one.id} cannot be read`);
            expect((text.spec as { id: string }).id).toBe(one.id);
            for (const task of tasksOf(text.spec)) expect(workerless, `${one.id}.${task.id}`).toContain(task.executor);
        }
    });
});
