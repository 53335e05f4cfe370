import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
// @ts-expect-error it has no types
import S3rver from 's3rver';
import { DirectoryStore, load, PayloadRef, S3Store, type PayloadStore } from '../../src/index.js';
import { Payloads } from '../../src/payloads.js';
import { signature } from '../../src/s3.js';
import { encryption } from './codec.js';

const directory = await mkdtemp(join(tmpdir(), 'orch-payloads.'));
after(() => rm(directory, { recursive: true }));

const large = { text: 'grüße '.repeat(1000), list: [1, null, { a: true }] };

async function keeps(store: PayloadStore): Promise<void> {
    const payloads = new Payloads({ store, inlineLimit: 1000 });
    assert.deepEqual(await payloads.encode({ small: 1 }, 'runs/r'), { small: 1 });
    const kept = (await payloads.encode(large, 'runs/r')) as any;
    assert.deepEqual(Object.keys(kept), ['$orch_ref']);
    assert.equal(kept.$orch_ref.size, Buffer.byteLength(JSON.stringify(large)));
    // Nothing is fetched before it is asked for, and what is passed on stays a reference.
    const got = (await payloads.decode({ doc: kept, other: [kept] })) as { doc: PayloadRef; other: PayloadRef[] };
    assert.ok(got.doc instanceof PayloadRef);
    assert.deepEqual(JSON.parse(JSON.stringify(got)), { doc: kept, other: [kept] });
    assert.deepEqual(await got.doc.get(), large);
    assert.deepEqual(await load(got.other[0]), large);
    const keys = [];
    for await (const { key, uri, modified } of store.list('runs/')) keys.push([key, uri === kept.$orch_ref.uri, modified.getTime() > Date.now() - 600_000]);
    assert.deepEqual(keys, [[`runs/r/${kept.$orch_ref.sha256}.json`, true, true]]);
    // Another size or hash is another value.
    const forged = (await payloads.decode({ $orch_ref: { ...kept.$orch_ref, sha256: '0'.repeat(64) } })) as PayloadRef;
    await assert.rejects(forged.get(), { code: 'payload_damaged' });
    await store.delete(`runs/r/${kept.$orch_ref.sha256}.json`);
    await assert.rejects(got.doc.get());
}

test('a directory keeps large values', async () => {
    await keeps(new DirectoryStore(directory));
    assert.deepEqual(
        (await readdir(directory, { recursive: true })).filter((name) => name.endsWith('.json')),
        [],
    );
});

test('an S3-compatible server keeps large values, by signed requests', async (t) => {
    const server = new S3rver({
        port: 0,
        address: '127.0.0.1',
        silent: true,
        directory: join(directory, 's3'),
        configureBuckets: [{ name: 'payloads', configs: [] }],
    });
    const { port } = (await server.run()) as AddressInfo;
    t.after(() => server.close());
    const settings = { endpoint: `http://127.0.0.1:${port}`, bucket: 'payloads', prefix: 'a (team)/', accessKeyId: 'S3RVER', secretAccessKey: 'S3RVER' };
    await keeps(new S3Store(settings));
    const refused = new S3Store({ ...settings, accessKeyId: 'nobody' });
    await assert.rejects(refused.put('runs/x', Buffer.from('{}')), { errorClass: 'validation', code: 'InvalidAccessKeyId' });
    const missing = new S3Store({ ...settings, bucket: 'nothing' });
    await assert.rejects(missing.put('runs/x', Buffer.from('{}')), { errorClass: 'validation', code: 'NoSuchBucket' });
    const away = new S3Store({ ...settings, endpoint: 'http://127.0.0.1:9' });
    await assert.rejects(away.put('runs/x', Buffer.from('{}')), { errorClass: 'transient', code: 'storage_unreachable' });
});

test('a list of more keys than one answer holds is read to its end', async (t) => {
    // Not by s3rver: its tokens are made with a cipher that OpenSSL 3 has no more.
    const page = (key: string, more: string) =>
        `<ListBucketResult><Contents><Key>p/${key}</Key><LastModified>2026-01-01T00:00:00.000Z</LastModified></Contents>${more}</ListBucketResult>`;
    const server = createServer((request, answer) => {
        const token = new URL(request.url!, 'http://x').searchParams.get('continuation-token');
        answer.end(token === 'a&b' ? page('two &lt;2&gt;', '') : page('one', '<NextContinuationToken>a&amp;b</NextContinuationToken>'));
    }).listen(0, '127.0.0.1');
    t.after(() => server.close());
    await once(server, 'listening');
    const store = new S3Store({ endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, bucket: 'b', prefix: 'p/' });
    const keys = [];
    for await (const { key } of store.list('')) keys.push(key);
    assert.deepEqual(keys, ['one', 'two <2>']);
});

test('requests are signed as the examples of the specification are', () => {
    // s3rver looks at the key's name only. These are the signatures of Amazon's own examples.
    const headers = {
        host: 'examplebucket.s3.amazonaws.com',
        'x-amz-content-sha256': 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
        'x-amz-date': '20130524T000000Z',
    };
    const keys = { region: 'us-east-1', accessKeyId: 'AKIAIOSFODNN7EXAMPLE', secretAccessKey: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY' };
    const get = (path: string, search: string, more = {}) =>
        signature({ method: 'GET', path, search, headers: { ...headers, ...more }, ...keys }).split('Signature=')[1];
    assert.equal(get('/', 'max-keys=2&prefix=J'), '34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7');
    assert.equal(get('/', 'lifecycle='), 'fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543');
    assert.equal(get('/test.txt', '', { range: 'bytes=0-9' }), 'f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41');
});

test('a store reads nothing outside of its own place', async () => {
    const store = new DirectoryStore(join(directory, 'own'));
    const secret = join(directory, 'secret');
    await writeFile(secret, 'x');
    for (const uri of [`file://${secret}`, `file://${directory}/own/../secret`, 's3://other/x', fileURLToPath(`file://${secret}`)])
        await assert.rejects(store.get(uri), { code: 'foreign_payload' });
    await assert.rejects(new S3Store({ endpoint: 'http://127.0.0.1:9', bucket: 'b', prefix: 'p/' }).get('s3://b/other/x'), { code: 'foreign_payload' });
});

test('a codec hides values and errors, inline and stored', async () => {
    const codec = encryption(randomBytes(32));
    const payloads = new Payloads({ codec, store: new DirectoryStore(directory), inlineLimit: 2000 });
    for (const value of [{ secret: 'abc' }, null, '', 0, [], large]) {
        const kept = await payloads.encode(value, 'runs/c');
        assert.doesNotMatch(JSON.stringify(kept), /abc|grüße/);
        assert.deepEqual(await load(await payloads.decode(kept)), value);
    }
    const error = { class: 'handler' as const, code: 'E', message: 'the card 4711 was refused', detail: { card: 4711 }, traceback: 'at 4711' };
    const hidden = await payloads.encodeError(error);
    assert.doesNotMatch(JSON.stringify(hidden), /4711/);
    assert.deepEqual([hidden.class, hidden.code], ['handler', 'E']);
    assert.deepEqual(await payloads.decodeError(hidden), error);
    // What others wrote without it is read as it is.
    assert.deepEqual(await payloads.decode({ plain: [1] }), { plain: [1] });
});
