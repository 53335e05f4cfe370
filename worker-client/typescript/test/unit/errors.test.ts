import assert from 'node:assert/strict';
import { test } from 'node:test';
import { OrchError, TaskError } from '../../src/index.js';
import { errorFields } from '../../src/errors.js';
import { milliseconds, snakeCased } from '../../src/json.js';

test('whatever is thrown has the class of the table', () => {
    const classes: [unknown, string][] = [
        [new Error('x'), 'handler'],
        ['text', 'handler'],
        [undefined, 'handler'],
        [new TaskError('resource', 'full', 'x'), 'resource'],
        [Object.assign(new Error('x'), { code: '40001' }), 'transient'],
        [Object.assign(new Error('x'), { code: '55P03' }), 'transient'],
        [Object.assign(new Error('x'), { code: '23505' }), 'validation'],
        [Object.assign(new Error('x'), { code: '42P01' }), 'validation'],
        [Object.assign(new Error('x'), { code: 'XX000' }), 'handler'],
        [Object.assign(new Error('x'), { code: 'ECONNREFUSED' }), 'transient'],
        [Object.assign(new Error('x'), { status: 429 }), 'resource'],
        [Object.assign(new Error('x'), { status: 503 }), 'transient'],
        [Object.assign(new Error('x'), { status: 404 }), 'validation'],
    ];
    for (const [thrown, expected] of classes) assert.equal(errorFields(thrown).class, expected, String((thrown as any)?.code ?? thrown));
});

test('an error keeps code, detail and traceback', () => {
    const { class: kind, code, message, detail, traceback } = errorFields(new TaskError('validation', 'no_width', 'the input has no width', { given: [] }));
    assert.deepEqual([kind, code, message, detail], ['validation', 'no_width', 'the input has no width', { given: [] }]);
    assert.match(traceback ?? '', /errors\.test/);
    assert.equal(errorFields(new RangeError('x')).code, 'RangeError');
});

test('a refusal of the server says whether to try again', () => {
    const lost = new OrchError(Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' }));
    assert.deepEqual([lost.code, lost.retryable, lost.poisonsConnection], ['08006', true, true]);
    const refused = new OrchError({ code: 'OR010', message: 'the lease is lost', hint: 'Roll back.' });
    assert.deepEqual([refused.code, refused.hint, refused.retryable, refused.poisonsConnection], ['OR010', 'Roll back.', false, false]);
});

test('durations are milliseconds or text', () => {
    assert.deepEqual(
        ['250 ms', '1.5s', '90 seconds', '5 min', '2 hours', '3 days', '1 w', 7].map(milliseconds),
        [250, 1500, 90_000, 300_000, 7_200_000, 259_200_000, 604_800_000, 7],
    );
    for (const wrong of ['', '5', '3 fortnights', -1, NaN, '1 day 2 hours']) assert.throws(() => milliseconds(wrong), RangeError);
});

test('fields go by the words of the definition', () => {
    assert.deepEqual(snakeCased({ retries: 1, retryDelaySeconds: 0.5, queue: undefined }), { retries: 1, retry_delay_seconds: 0.5 });
});
