import { describe, expect, it } from 'vitest';
import { readForm, writeForm, type FormField } from '../src/pages/approvals/form';
import { mayDecide } from '../src/pages/approvals/may';

const fieldsOf = (asked: unknown): FormField[] => {
    const form = readForm(asked);
    return form.kind === 'fields' ? form.fields : [];
};

describe('what a definition asks of who decides', () => {
    it('is nothing, or a schema of an object', () => {
        expect(readForm(null)).toEqual({ kind: 'none' });
        const fields = fieldsOf({
            type: 'object',
            required: ['ticket'],
            properties: {
                ticket: { type: 'string', title: 'Ticket' },
                size: { enum: ['s', 'l'], default: 's' },
                seats: { type: 'integer' },
                sure: { type: 'boolean' },
            },
        });
        expect(fields.map(({ name, kind, required }) => [name, kind, required])).toEqual([
            ['ticket', 'text', true],
            ['size', 'choice', false],
            ['seats', 'number', false],
            ['sure', 'boolean', false],
        ]);
        expect(fields[0]!.title).toBe('Ticket');
        expect(fields[1]).toMatchObject({ choices: ['s', 'l'], initial: 's' });
    });
    it('is names with types, or a list of them', () => {
        expect(fieldsOf({ amount: 'number', why: 'text' }).map((one) => one.kind)).toEqual(['number', 'text']);
        expect(fieldsOf(['why', { name: 'amount', type: 'number', label: 'How much' }]).map((one) => one.title)).toEqual(['why', 'How much']);
        expect(fieldsOf({ fields: [{ name: 'why' }] }).map((one) => one.name)).toEqual(['why']);
    });
    it('is shown as it is where it is none of these', () => {
        for (const odd of ['Is it right?', { amount: 24.9, reason: 'broken' }, [1], {}]) expect(readForm(odd)).toEqual({ kind: 'json', asked: odd });
    });
});

describe('what is answered', () => {
    const fields = fieldsOf({
        required: ['ticket'],
        properties: { ticket: { type: 'string' }, seats: { type: 'number' }, more: { type: 'object' }, sure: { type: 'boolean' } },
    });
    it('has the types that were asked for, without what was left empty', () => {
        expect(writeForm(fields, { ticket: 'C-1', seats: '3', more: '{"a":1}', sure: 'true' })).toEqual({
            ok: true,
            value: { ticket: 'C-1', seats: 3, more: { a: 1 }, sure: true },
        });
        expect(writeForm(fields, { ticket: 'C-1' })).toEqual({ ok: true, value: { ticket: 'C-1', sure: false } });
    });
    it('is refused by field', () => {
        const written = writeForm(fields, { ticket: ' ', seats: 'three', more: '{' });
        expect(written.ok ? [] : Object.keys(written.errors)).toEqual(['ticket', 'seats', 'more']);
    });
});

describe('who may decide', () => {
    const operator = (role: string): boolean => role === 'viewer' || role === 'operator';
    it('is an operator, or a member of the roles that are named', () => {
        expect([null, ['orch_admin'], ['orch_admin', 'orch_viewer'], ['finance']].map((roles) => mayDecide(operator, roles))).toEqual([
            true,
            false,
            true,
            true,
        ]);
        expect(mayDecide((role) => role === 'viewer', ['finance'])).toBe(false);
    });
});
