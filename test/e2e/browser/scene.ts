// A day at the office: runs of all states, letters, approvals, timers and the rest, so that no page is looked at empty. Made once, by the public API alone.
import { act, call, get, register, runReaches, sql, taskReaches, trigger, until } from './api';

export interface Scene {
    succeeded: string;
    failed: string;
    running: string;
    approval: string;
    letter: number;
}

let made: Promise<Scene> | null = null;
export const scene = (): Promise<Scene> => (made ??= make());

const definitions = [
    {
        id: 'orders',
        name: 'Orders of the day',
        description: 'Takes the orders of a day in, prices them and ships.',
        owner: 'shop',
        tags: ['shop', 'daily'],
        tasks: {
            fetch: { command: 'echo \'{"orders":[1,2,3]}\'' },
            price: {
                command: 'echo priced >&2; echo \'{"total":42.5}\'',
                dependencies: ['fetch'],
            },
            stock: { noop: true, dependencies: ['fetch'] },
            ship: { command: 'echo shipped', dependencies: ['price', 'stock'] },
        },
    },
    {
        id: 'charges',
        name: 'Charge cards',
        owner: 'billing',
        defaults: { retry_delay_seconds: 0.05, retry_jitter: 0 },
        tasks: {
            check: { noop: true },
            charge: {
                command: 'echo "card $CARD declined by the bank" >&2; exit 1',
                env: { CARD: '{{ input.card }}' },
                retries: 1,
                dependencies: ['check'],
            },
            receipt: { noop: true, dependencies: ['charge'] },
        },
    },
    {
        id: 'release',
        name: 'Release to production',
        owner: 'platform',
        tasks: {
            build: { noop: true },
            sign_off: {
                approval: {
                    form: {
                        type: 'object',
                        required: ['ticket'],
                        properties: {
                            ticket: { type: 'string', title: 'Change ticket' },
                            canary: {
                                type: 'boolean',
                                title: 'As a canary first',
                            },
                        },
                    },
                },
                dependencies: ['build'],
            },
            deploy: { noop: true, dependencies: ['sign_off'] },
        },
    },
    {
        id: 'payments',
        name: 'Wait for payment',
        tasks: {
            paid: { signal: { name: 'paid', timeout_seconds: 86400 } },
            thank: { noop: true, dependencies: ['paid'] },
        },
    },
    {
        id: 'reminders',
        name: 'Remind next week',
        tasks: {
            rest: { sleep: 604800 },
            remind: { noop: true, dependencies: ['rest'] },
        },
    },
    { id: 'crawl', name: 'Crawl', tasks: { slow: { command: 'sleep 600' } } },
    {
        id: 'reports',
        name: 'Reports',
        tasks: { render: { command: 'echo report', queue: 'reports' } },
    },
    {
        id: 'rates',
        name: 'Exchange rates',
        tasks: {
            ask: {
                http: { url: 'http://127.0.0.1:9/rates' },
                circuit: { name: 'exchange', failures: 1, open_seconds: 3600 },
            },
        },
    },
];

async function make(): Promise<Scene> {
    for (const one of definitions) await register(one);
    // By a key each: whoever comes later, in a process of its own, finds the same runs.
    const begin = (workflow: string, no: number, request: Record<string, unknown> = {}): Promise<string> =>
        trigger(workflow, {
            ...request,
            idempotency_key: `scene ${workflow} ${no}`,
        });
    const succeeded = await begin('orders', 1, {
        input: { day: '2026-01-31' },
        tags: { team: 'shop' },
    });
    const failed = await begin('charges', 1, { input: { card: '4000-0001' } });
    const running = await begin('crawl', 1);
    const approval = await begin('release', 1, { input: { version: '2.4.0' } });
    const payment = await begin('payments', 1);
    await begin('reminders', 1);
    await begin('rates', 1);
    await begin('charges', 2, { input: { card: '4000-0002' } });
    await begin('orders', 2, { input: { day: '2026-02-01' } });
    await begin('reports', 1);
    await begin('reports', 2);
    await runReaches(succeeded, 'succeeded');
    await runReaches(failed, 'failed');
    await taskReaches(running, 'slow', 'running');
    await taskReaches(approval, 'sign_off', 'waiting');
    if ((await get<{ items: unknown[] }>(`/runs/${payment}/signals`)).items.length === 0)
        await act(`/runs/${payment}/signal`, {
            name: 'invoice',
            payload: { number: 'A-1', amount: 12.5 },
        });
    await until('no circuit opens', async () => (await get<{ items: { state: string }[] }>('/circuits')).items.some((one) => one.state === 'open'));
    await call('admin', 'POST', '/hooks', {
        hook: 'pushed',
        workflow: 'orders',
        input: { day: '{{ body.day }}' },
    });
    await call('admin', 'POST', '/notifications', {
        name: 'pager',
        url: 'https://pager.example/hook',
        events: ['run_failed', 'dead_letter'],
    });
    return {
        succeeded,
        failed,
        running,
        approval,
        letter: Number(sql(`select id from orch.dead_letters where run_id = '${failed}'`)),
    };
}
