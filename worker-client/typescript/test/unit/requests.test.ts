import assert from 'node:assert/strict';
import { test } from 'node:test';
import { defineWorkflow, TaskError, type Context } from '../../src/index.js';
import { TestEnvironment } from '../../src/testing/index.js';

let validated = 0;
const cart = defineWorkflow('cart', async (ctx: Context) => {
    const items: string[] = [];
    let paid = false;
    ctx.query('items', () => items);
    ctx.query('asks', () => ctx.now());
    ctx.query('waits', async () => items);
    ctx.update('add', {
        validate: ({ item }) => {
            validated++;
            if (!item) throw new Error('an item has a name');
        },
        handle: async ({ item }) => {
            items.push(await ctx.step('check', () => `${item}!`));
            return items.length;
        },
    });
    ctx.update('pay', {
        handle: async () => {
            await ctx.wait('1 hour');
            return (paid = true);
        },
    });
    ctx.update('fails', { handle: () => Promise.reject(new TaskError('handler', 'no_luck', 'on purpose')) });
    await ctx.condition(() => paid);
    return items;
});

test('an update is validated, done once and answered, and a query sees what it did', async () => {
    const env = new TestEnvironment();
    const run = env.start(cart);
    assert.deepEqual(await env.query(run, 'items'), []);
    assert.equal(await env.update(run, 'add', { item: 'a' }, 'u1'), 1);
    assert.equal(await run.update('add', { item: 'a' }, 'u1'), 1);
    assert.equal(await run.update('add', { item: 'b' }), 2);
    assert.deepEqual(await run.query('items'), ['a!', 'b!']);
    const rows = run.history.length;
    await run.query('items');
    assert.equal(run.history.length, rows);
    assert.equal(validated, 2);
    await assert.rejects(run.update('add', {}, 'u3'), { errorClass: 'validation', message: 'an item has a name' });
    await assert.rejects(run.update('fails'), { code: 'no_luck' });
    await assert.rejects(run.update('other'), { code: 'unknown_update', message: /there are: add, pay, fails/ });
    assert.equal(await run.update('pay'), true);
    assert.deepEqual(await run.result(), ['a!', 'b!']);
    assert.deepEqual(await run.query('items'), ['a!', 'b!']);
    assert.equal(await run.update('add', { item: 'a' }, 'u1'), 1);
    await assert.rejects(run.update('add', { item: 'c' }), { code: 'OR020' });
    assert.equal(validated, 3);
    assert.equal((await env.replay(cart, run.history)).state, 'succeeded');
});

test('a query gives at once what it gives, and asks its run for nothing', async () => {
    const run = new TestEnvironment().start(cart);
    await assert.rejects(run.query('asks'), { code: 'nested_step', message: /query asks/ });
    await assert.rejects(run.query('waits'), { code: 'async_query' });
    await assert.rejects(run.query('other'), { code: 'unknown_query', message: /there are: items, asks, waits/ });
});

test('a query is answered beside what the code has not got yet', async () => {
    const flow = defineWorkflow('flow', async (ctx) => {
        const told = [ctx.now().getTime() > 0];
        ctx.query('told', () => told);
        const first = ctx.step('one', () => 1).then(() => told.push(true));
        await ctx.signal('go');
        await first;
        ctx.log('never in a query');
    });
    const run = new TestEnvironment().start(flow);
    assert.deepEqual(await run.query('told'), [true, true]);
    run.signal('go');
    await run.result();
    assert.deepEqual(run.logs, ['never in a query']);
    assert.deepEqual(await run.query('told'), [true, true]);
    assert.deepEqual(run.logs, ['never in a query']);
});

test('the handlers of two updates go on beside each other, and their replay is the same', async () => {
    const flow = defineWorkflow('flow', async (ctx) => {
        const order: string[] = [];
        ctx.update('slow', {
            handle: async (name: string) => {
                order.push(`${name} begins`);
                await ctx.wait('1 hour');
                await ctx.step('in place', () => name);
                order.push(`${name} ends`);
                return order.length;
            },
        });
        await ctx.condition(() => order.length === 4);
        await ctx.wait('1 hour');
        return order;
    });
    const env = new TestEnvironment();
    const run = env.start(flow);
    const both = [run.update('slow', 'a'), run.update('slow', 'b')];
    assert.deepEqual(await Promise.all(both), [3, 4]);
    assert.deepEqual(await run.result(), ['a begins', 'b begins', 'a ends', 'b ends']);
    assert.equal((await env.replay(flow, run.history)).state, 'succeeded');
});

test('code that lost an update which its history has is told so, and conditions that nothing can change fail', async () => {
    const env = new TestEnvironment();
    const run = env.start(cart);
    await run.update('add', { item: 'a' }, 'u1');
    const changed = defineWorkflow('cart', (ctx) => ctx.signal('other'));
    assert.match(JSON.stringify(await env.replay(changed, run.history)), /non_deterministic.*update:u1.*no update add/);
    const stuck = defineWorkflow('stuck', (ctx) => ctx.condition(() => false));
    await assert.rejects(env.run(stuck), { code: 'deadlock' });
    const nosy = defineWorkflow('nosy', (ctx) => ctx.condition(() => ctx.random() > 0));
    await assert.rejects(env.run(nosy), { code: 'nested_step' });
});

test('an approval is what a person decides, or nobody in time', async () => {
    const flow = defineWorkflow('flow', async (ctx) => {
        const { approved, by } = await ctx.approval('may we', { form: { amount: 5 }, timeout: '1 day' });
        try {
            await ctx.approval('really', { timeout: '1 hour' });
        } catch (error) {
            return [approved, by, (error as TaskError).errorClass];
        }
        return [];
    });
    const env = new TestEnvironment();
    const run = env.start(flow);
    await env.settle();
    run.approve('may we', false, { by: 'ann' });
    assert.deepEqual(await run.result(), [false, 'ann', 'timeout']);
    assert.deepEqual(run.history[0]!.definition, { id: 'may we#1', approval: { form: { amount: 5 }, timeout_seconds: 86_400 } });
});
