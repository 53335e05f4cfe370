import assert from 'node:assert/strict';
import { test } from 'node:test';
import pg from 'pg';
import { Client } from '../../src/index.js';
import { hostsOf, pause, pooledOf } from '../../src/hosts.js';

const read = (url: string) => {
    const { config, places, target } = hostsOf(url);
    const { user, database, host, port } = new pg.Client(config);
    return { user, database, host, port, places, target };
};

test('the hosts of a URL are those that libpq reads in it', () => {
    const same = { user: 'u', database: 'd', target: 'read-write' };
    const { places, ...first } = read('postgresql://u:p%40@a:1,b,[::1]:3/d?application_name=x');
    assert.deepEqual(places, [
        { host: 'a', port: 1 },
        { host: 'b', port: 5432 },
        { host: '::1', port: 3 },
    ]);
    assert.deepEqual([first.user, first.database, first.target], Object.values(same));
    assert.deepEqual(read('postgresql://u@/d?host=/run/a,/run/b&port=7,8').places, [
        { host: '/run/a', port: 7 },
        { host: '/run/b', port: 8 },
    ]);
    assert.deepEqual(read('postgresql://u@/d?host=a,b&port=7').places[1], { host: 'b', port: 7 });
    assert.equal(read('postgresql://a,b/d?target_session_attrs=any').target, 'any');
});

test('a URL of one host is left to the driver', () => {
    const { user, database, host, port, places, target } = read('postgresql://u@a:7/d');
    assert.deepEqual([user, database, host, port, places, target], ['u', 'd', 'a', 7, [{}], 'any']);
    assert.equal(read('postgresql://u@a/d?target_session_attrs=read-write').target, 'read-write');
});

test('a URL says whether a pooler gives connections away', () => {
    assert.equal(pooledOf('postgresql://u@a,b/d?application_name=x&pooled=1'), true);
    assert.equal(pooledOf({ connectionString: 'postgresql:///d?pooled=0' }), false);
    assert.equal(pooledOf('postgresql:///d?host=/tmp'), undefined);
    assert.throws(() => pooledOf('postgresql:///d?pooled=yes'), { code: '22023' });
    assert.equal(read('postgresql://u@a,b/d?pooled=1').database, 'd');
});

test('pauses grow from 100 ms to 2 s', () => {
    for (const [vain, least] of [100, 200, 400, 800, 1000, 1000].entries()) {
        const ms = pause(vain);
        assert.ok(ms >= least && ms < 2 * least, `${ms}`);
    }
});

test('a server that is away is told of as a connection that broke', async () => {
    const client = new Client('postgresql://nobody@/nothing?host=/nowhere&port=1');
    for (const asked of [client.result('00000000-0000-7000-8000-000000000000', '1 s'), client.status('00000000-0000-7000-8000-000000000000')])
        await assert.rejects(asked, { name: 'OrchError', code: '08006', poisonsConnection: true });
    await client.close();
});
