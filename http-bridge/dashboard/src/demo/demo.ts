// The demo: workflows of tasks that need no worker, and runs of them that show what can happen.
import bank from './demo_bank.yaml?raw';
import charge from './demo_charge.yaml?raw';
import order from './demo_order.yaml?raw';
import refund from './demo_refund.yaml?raw';
import sales from './demo_sales.yaml?raw';
import transfer from './demo_transfer.yaml?raw';

export interface DemoRun {
    input: unknown;
    /** Seconds from now. */
    later?: number;
    tags?: Record<string, string>;
}

export interface DemoWorkflow {
    id: string;
    text: string;
    shows: string;
    runs: readonly DemoRun[];
}

// The one that others start comes before them.
export const demo: readonly DemoWorkflow[] = [
    { id: 'demo_bank', text: bank, shows: 'a workflow that others start, and whose time is limited', runs: [] },
    {
        id: 'demo_sales',
        text: sales,
        shows: 'a fan-out, its join, a decision, and a clean-up at the end',
        runs: [
            { input: { day: '2026-01-30', amount: 530.4 }, tags: { demo: 'yes', team: 'shop' } },
            { input: { day: '2026-01-31', amount: 410 }, tags: { demo: 'yes', team: 'shop' } },
            { input: { day: '2026-02-01', amount: 612 }, later: 600, tags: { demo: 'yes', team: 'shop' } },
        ],
    },
    { id: 'demo_order', text: order, shows: 'a run that waits for a signal', runs: [{ input: { item: 'book' }, tags: { demo: 'yes', team: 'orders' } }] },
    {
        id: 'demo_refund',
        text: refund,
        shows: 'a run that waits for an approval',
        runs: [{ input: { amount: 24.9, reason: 'arrived broken' }, tags: { demo: 'yes', team: 'orders' } }],
    },
    {
        id: 'demo_charge',
        text: charge,
        shows: 'a failure, its retries, and a dead letter to redrive',
        runs: [{ input: { bank: 'closed' }, tags: { demo: 'yes', team: 'orders' } }],
    },
    { id: 'demo_transfer', text: transfer, shows: 'retries that end well', runs: [{ input: {}, tags: { demo: 'yes', team: 'shop' } }] },
];
