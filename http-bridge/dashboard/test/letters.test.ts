import { describe, expect, it } from 'vitest';
import { ApiError } from '../src/api/client';
import {
    discardSql,
    inTurn,
    isFiltered,
    oneOfEachRun,
    readError,
    redriveFilterSql,
    redriveSql,
    toQuery,
    toRedriveFilter,
    type Filter,
} from '../src/pages/deadLetters/letters';

const none: Filter = { resolution: 'open', workflow: '', task: '', run: '', fingerprint: '' };
const refusal = (status: number): ApiError => new ApiError({ type: 'about:blank', title: 'refused', status, code: 'x', instance: '' });

describe('filters of dead letters', () => {
    it('ask for what is set only, and for all by leaving the resolution out', () => {
        expect(toQuery(none)).toEqual({ resolution: 'open' });
        expect(toQuery({ ...none, resolution: 'all', workflow: 'w' })).toEqual({ workflow: 'w' });
    });
    it('become a filter of orch.redrive with its names', () => {
        expect(toRedriveFilter({ ...none, task: 't', run: 'r', fingerprint: 'f' })).toEqual({ task_id: 't', run_id: 'r', fingerprint: 'f' });
        expect([isFiltered(none), isFiltered({ ...none, task: 't' })]).toEqual([false, true]);
        expect(redriveFilterSql({ ...none, workflow: "it's" })).toBe(`select * from orch.redrive(filter => '{"workflow":"it''s"}');`);
    });
});

describe('the SQL of actions', () => {
    it('is a line a letter, with the input quoted', () => {
        expect(redriveSql([1, 2])).toBe('select * from orch.redrive(1);\nselect * from orch.redrive(2);');
        expect(redriveSql([1], { a: "b'c" })).toBe(`select * from orch.redrive(1, input => '{"a":"b''c"}');`);
        expect(redriveSql([1], null)).toBe(`select * from orch.redrive(1, input => 'null');`);
    });
    it('does not fill the page for many', () => {
        const lines = discardSql(Array.from({ length: 500 }, (_, i) => i)).split('\n');
        expect(lines).toHaveLength(21);
        expect(lines.at(-1)).toBe('-- and 480 more');
    });
});

describe('errors of tasks', () => {
    it('are told apart from what else they carry', () => {
        expect(readError({ class: 'handler', code: 'E1', message: 'no', traceback: 'line 1', exit_code: 3 })).toEqual({
            class: 'handler',
            code: 'E1',
            message: 'no',
            traceback: 'line 1',
            rest: { exit_code: 3 },
        });
    });
    it('have a message whatever they are', () => {
        expect([null, 'plain', {}, [1], { message: { a: 1 } }].map((one) => readError(one).message)).toEqual([
            'no message',
            'plain',
            'no message',
            '[1]',
            '{"a":1}',
        ]);
        expect(readError({ message: 'm', stack: ['a', 'b'] }).traceback).toBe('a\nb');
    });
});

describe('many letters at once', () => {
    it('are redriven once a run', () => {
        expect(
            oneOfEachRun([
                { id: 3, run_id: 'a' },
                { id: 2, run_id: 'b' },
                { id: 1, run_id: 'a' },
            ]),
        ).toEqual([3, 2]);
    });
    it('wait where the bridge says that they are too many', async () => {
        let pauses = 0;
        let first = true;
        const call = (): Promise<void> => {
            if (!first) return Promise.resolve();
            first = false;
            return Promise.reject(refusal(429));
        };
        expect(await inTurn([1, 2], call, () => (pauses++, Promise.resolve()))).toBe(2);
        expect(pauses).toBe(1);
    });
    it('say how far they came when one is refused', async () => {
        const call = (id: number): Promise<void> => (id === 3 ? Promise.reject(refusal(409)) : Promise.resolve());
        await expect(inTurn([1, 2, 3, 4], call)).rejects.toThrow('2 of 4 were done, then: refused');
        await expect(inTurn([3], call)).rejects.toThrow('refused');
    });
});
