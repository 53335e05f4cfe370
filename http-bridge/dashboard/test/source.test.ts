import { describe, expect, it } from 'vitest';
import { changesOf, diffLines, hunksOf } from '../src/source/diff';
import { lineOf, partsOf, placesIn } from '../src/source/positions';
import { languageOf, ordered, read, toJson, toYaml } from '../src/source/text';

describe('the place of a problem', () => {
    const yaml = ['id: shop', 'tasks:', '  order: {noop: true}', '  ship:', '    command: echo', '    dependencies: [order, "bill"]', '    a/b: 1', ''].join(
        '\n',
    );
    const at = (text: string, pointer: string): string => {
        const place = placesIn(text)(pointer);
        return text.slice(place.from, place.to);
    };

    it('is the value that its path names', () => {
        expect(at(yaml, '/tasks/ship/dependencies/1')).toBe('"bill"');
        expect(at(yaml, '/tasks/ship/command')).toBe('echo');
        expect(at(yaml, '/id')).toBe('shop');
        expect(at(yaml, '/tasks/ship/a~1b')).toBe('1');
    });
    it('is the name of what has parts', () => {
        expect(at(yaml, '/tasks/ship')).toBe('ship');
        expect(at(yaml, '/tasks')).toBe('tasks');
    });
    it('is the name itself where that is what is wrong', () => {
        const place = placesIn(yaml)('/tasks/ship/command', true);
        expect(yaml.slice(place.from, place.to)).toBe('command');
    });
    it('is what should hold it, where it is missing', () => {
        expect(at(yaml, '/tasks/order/input')).toBe('order');
        expect(at(yaml, '/name')).toBe('id: shop');
        expect(at('', '/tasks')).toBe('');
    });
    it('is the same in JSON, and in a list of tasks by number or id', () => {
        const json = JSON.stringify(
            {
                id: 'x',
                tasks: [
                    { id: 'a', noop: true },
                    { id: 'b', dependencies: ['c'] },
                ],
            },
            null,
            2,
        );
        expect(at(json, '/tasks/1/dependencies/0')).toBe('"c"');
        expect(at(json, '/tasks/b/dependencies/0')).toBe('"c"');
        expect(lineOf(json, placesIn(json)('/tasks/1/dependencies/0').from)).toEqual({ line: 11, column: 9 });
    });
    it('is found though the text cannot be read to its end', () => {
        expect(at('id: x\ntasks:\n  a: {noop: true\n', '/tasks/a')).toBe('a');
        expect(partsOf('/a~01/b~1c')).toEqual(['a~1', 'b/c']);
    });
});

describe('the source', () => {
    const spec = {
        tasks: { z: { dependencies: ['b', 'a'], noop: true }, b: { retries: 0, command: 'x', dependencies: ['a'] }, a: { noop: true } },
        name: 'N',
        id: 'x',
    };

    it('has the order in which people write', () => {
        const names = Object.keys(ordered(spec) as object);
        expect(names).toEqual(['id', 'name', 'tasks']);
        const tasks = (ordered(spec) as { tasks: Record<string, object> }).tasks;
        expect(Object.keys(tasks)).toEqual(['a', 'b', 'z']);
        expect(Object.keys(tasks['b']!)).toEqual(['command', 'dependencies', 'retries']);
    });
    it('keeps a ring of tasks, and a list', () => {
        expect(Object.keys((ordered({ tasks: { a: { dependencies: ['b'] }, b: { dependencies: ['a'] } } }) as { tasks: object }).tasks)).toEqual(['a', 'b']);
        expect((ordered({ tasks: [{ id: 'b' }, { id: 'a' }] }) as { tasks: object[] }).tasks).toEqual([{ id: 'b' }, { id: 'a' }]);
    });
    it('says the same in both languages', () => {
        const strange = {
            id: 'x',
            tasks: { a: { command: 'line 1\nline 2\n', env: { A: 'yes', B: '{{ input.a }}', C: '1', D: '' }, input: [1, [2, { x: null }]] } },
        };
        expect(read(toYaml(strange), 'yaml')).toEqual({ spec: strange });
        expect(read(toJson(strange), 'json')).toEqual({ spec: strange });
        expect(toYaml(ordered(spec))).toContain('dependencies: [b, a]');
    });
    it('says where it cannot be read', () => {
        const yaml = read('id: x\ntasks: {a: ]\n', 'yaml');
        expect('unreadable' in yaml && yaml.unreadable[0]!.from).toBeGreaterThan(5);
        const json = read('{"id": "x",\n "tasks": {},}', 'json');
        expect('unreadable' in json && lineOf('{"id": "x",\n "tasks": {},}', json.unreadable[0]!.from).line).toBe(2);
        expect('unreadable' in read("{'id': 1}", 'json')).toBe(true);
        expect('unreadable' in read('a: 1\na: 2\n', 'yaml')).toBe(true);
    });
    it('is taken for JSON where it looks like it', () => {
        expect([languageOf('  {"a": 1}'), languageOf('id: x'), languageOf('')]).toEqual(['json', 'yaml', 'yaml']);
    });
});

describe('the difference of two versions', () => {
    const apply = (a: string, b: string): [string[], string[]] => {
        const lines = diffLines(a, b);
        return [lines.filter((line) => line.kind !== 'new').map((line) => line.text), lines.filter((line) => line.kind !== 'gone').map((line) => line.text)];
    };

    it('gives back both texts', () => {
        const words = ['a', 'b', 'c', 'd'];
        for (let seed = 1; seed < 400; seed++) {
            let state = seed;
            const random = (n: number): number => (state = (state * 48271) % 2147483647) % n;
            const text = (): string[] => Array.from({ length: random(9) }, () => words[random(4)]!);
            const [a, b] = [text(), text()];
            expect(apply(a.join('\n'), b.join('\n'))).toEqual([a, b]);
        }
    });
    it('takes as few lines as can be, and numbers them', () => {
        const lines = diffLines('a\nb\nc\nd\n', 'a\nc\nx\nd\n');
        expect(changesOf(lines)).toEqual({ gone: 1, new: 1 });
        expect(lines.map((line) => [line.kind, line.old, line.now])).toEqual([
            ['same', 1, 1],
            ['gone', 2, null],
            ['same', 3, 2],
            ['new', null, 3],
            ['same', 4, 4],
        ]);
        expect(changesOf(diffLines('a\n', 'a\n'))).toEqual({ gone: 0, new: 0 });
        expect(changesOf(diffLines('', 'a\nb'))).toEqual({ gone: 0, new: 2 });
    });
    it('shows what lies around a change, and how much it leaves out', () => {
        const before = Array.from({ length: 40 }, (_, i) => `line ${i}`);
        const after = before.map((line, i) => (i === 20 ? 'other' : line));
        const parts = hunksOf(diffLines(before.join('\n'), after.join('\n')), 2);
        expect(parts.map((part) => ('left' in part ? part.left : part.lines.length))).toEqual([18, 6, 17]);
    });
    it('does not take for ever', () => {
        const lines = (name: string): string => Array.from({ length: 5000 }, (_, i) => `${name} ${i}`).join('\n');
        expect(changesOf(diffLines(lines('a'), lines('b')))).toEqual({ gone: 5000, new: 5000 });
    });
});
