import { describe, expect, it } from 'vitest';
import { createHookSql, createTokenSql, expiryOf, notifySql, tokenState, urlProblem } from '../src/pages/admin/admin';
import { parseJson } from '../src/pages/lists/json';

const now = Date.parse('2026-01-31T10:20:30Z');

describe('tokens', () => {
    it('expire at a whole hour, or never', () => {
        expect([expiryOf('1', now), expiryOf('', now)]).toEqual(['2026-02-01T11:00:00Z', null]);
    });
    it('are valid until they are revoked or over', () => {
        const of = (revoked_at: string | null, expires_at: string | null) => tokenState({ revoked_at, expires_at }, now);
        expect([of(null, null), of(null, '2026-02-01T00:00:00Z'), of(null, '2026-01-31T00:00:00Z'), of('2026-01-30T00:00:00Z', null)]).toEqual([
            'valid',
            'valid',
            'expired',
            'revoked',
        ]);
    });
    it('are made by this SQL', () => {
        expect(createTokenSql("o'neil", 'viewer', null)).toBe("select orch.create_token('o''neil', 'viewer');");
        expect(createTokenSql('ci', 'operator', '2026-02-01T11:00:00Z')).toBe("select orch.create_token('ci', 'operator', expires => '2026-02-01T11:00:00Z');");
    });
});

describe('webhooks', () => {
    it('are made by this SQL', () => {
        expect(createHookSql({ hook: 'h', workflow: 'w', format: 'github', header: 'x', input: undefined })).toBe("select * from orch.create_hook('h', 'w');");
        expect(createHookSql({ hook: 'h', workflow: 'w', format: 'hex', header: 'X-Sum', input: { a: 1 } })).toBe(
            `select * from orch.create_hook('h', 'w', input => '{"a":1}', format => 'hex', signature_header => 'X-Sum');`,
        );
        expect(notifySql('n', '', 'https://a.example', ['run_failed', 'dead_letter'])).toBe(
            "select orch.notify_on('n', null, 'https://a.example', '{run_failed,dead_letter}');",
        );
    });
    it('go to addresses of the web', () => {
        expect(['', 'https://a.example/x', 'ftp://a.example', 'nowhere'].map((url) => urlProblem(url) === null)).toEqual([true, true, false, false]);
    });
});

describe('JSON that somebody types', () => {
    it('is a value or a reason', () => {
        expect([parseJson('null'), parseJson('{"a": 1}'), parseJson(' ').ok, parseJson('{').ok]).toEqual([
            { ok: true, value: null },
            { ok: true, value: { a: 1 } },
            false,
            false,
        ]);
    });
});
