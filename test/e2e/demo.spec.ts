// From what `make demo` starts: the demo is loaded in the dashboard, a run goes live through graph and timeline, its worker is killed and it recovers, and a dead letter is redriven.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { call, expect, picture, settled, test, until } from './browser/test';

const root = join(__dirname, '../..');
const place = mkdtempSync(join(tmpdir(), 'orch-demo-'));
const there = join(place, 'run');
const env = { ...process.env, ORCH_DEMO_DIR: there };
const demo = (command: string): string =>
    execFileSync('bash', ['-c', `set -euo pipefail; . examples/demo/lib.sh; ${command}`], { cwd: root, env, encoding: 'utf8' }).trim();
const demoSql = (text: string): string => demo(`cluster_environment "$(readlink "$here"/socket)" "$(cat "$here"/port)" demo; sql "${text}"`);

// Each goes on from what the one before has left.
test.describe.configure({ mode: 'serial' });

let address = '';
let token = '';

test.beforeAll(() => {
    test.setTimeout(120_000);
    const said = demo('demo_up');
    address = /http:\/\/127\.0\.0\.1:\d+/.exec(said)![0];
    token = readFileSync(join(there, 'token'), 'utf8').trim();
});
test.afterAll(() => {
    execFileSync('examples/demo/stop', { cwd: root, env });
    rmSync(place, { recursive: true, force: true });
});
test.beforeEach(async ({ page }) => {
    await page.addInitScript((mine) => sessionStorage.setItem('orch.token', mine), token);
});

test('the demo: it is loaded, and its run goes live through graph and timeline', async ({ page }) => {
    await page.goto(address);
    await page.getByRole('button', { name: 'Keyboard help' }).click();
    await page.getByRole('button', { name: 'Load the demo …' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Load the demo', exact: true }).click();
    await expect(page).toHaveURL(/\/runs\?tag=demo/);
    await expect(page.getByRole('row').filter({ hasText: 'demo_sales' }).first()).toBeVisible();
    const { body } = await call<{ items: { run_id: string; state: string }[] }>({ token }, 'GET', '/runs?workflow=demo_sales', undefined, address);
    const run = body.items.find((one) => one.state === 'running')!.run_id;
    await page.goto(`${address}/runs/${run}`);
    const node = (task: string) => page.getByRole('region', { name: /^Graph/ }).locator(`[data-task="${task}"]`);
    await expect(node('web')).toHaveAttribute('data-state', 'succeeded');
    await expect(node('publish')).toHaveAttribute('data-state', 'pending');
    await expect(page.getByRole('region', { name: 'Timeline' })).toContainText('airport');
    await picture(page, 'demo-live');
    // All of it comes by the stream: nothing is loaded again.
    await expect(node('close_day')).toHaveAttribute('data-state', 'succeeded', {
        timeout: 40_000,
    });
    await expect(page.locator('#main h1').locator('xpath=..')).toContainText('succeeded');
});

test('the demo: its worker is killed in the middle of a task, and another goes on with it', async ({ page }) => {
    await page.goto(`${address}/workflows/demo`);
    await page.getByRole('button', { name: 'Trigger', exact: true }).click();
    const dialog = page.getByRole('dialog');
    await dialog.getByLabel('Input').fill('{"day": "2026-01-31"}');
    await dialog.getByRole('button', { name: 'Trigger', exact: true }).click();
    await expect(page).toHaveURL(/\/runs\/[0-9a-f-]{36}/);
    const run = new URL(page.url()).pathname.split('/')[2]!;
    const render = page.getByRole('region', { name: /^Graph/ }).locator('[data-task="render"]');
    await expect(render).toHaveAttribute('data-state', 'running', {
        timeout: 40_000,
    });
    const worker = demoSql(`select worker from orch.tasks where run_id = '${run}' and task_id = 'render'`);
    process.kill(Number(demo(`worker_pid ${worker}`)), 'SIGKILL');
    await page.goto(`${address}/runs/${run}?task=render`);
    const details = page.getByRole('complementary', { name: 'Details' });
    await expect(details).toContainText('lost', { timeout: 40_000 });
    await expect(render).toHaveAttribute('data-state', 'succeeded', {
        timeout: 40_000,
    });
    await picture(page, 'demo-recovered');
    await expect(page.locator('#main h1').locator('xpath=..')).toContainText('succeeded', { timeout: 40_000 });
    expect(demoSql(`select attempt from orch.tasks where run_id = '${run}' and task_id = 'render'`)).toBe('2');
    expect(demoSql(`select count(*) from orch.events where run_id = '${run}' and kind = 'lease_expired'`)).toBe('1');
});

test('the demo: its dead letter is redriven with another input, and the run goes on', async ({ page }) => {
    await until(
        'no dead letter lies there',
        () => demoSql(`select exists (select from orch.dead_letters where workflow = 'demo_charge' and resolution is null)`) === 't',
        40,
    );
    await page.goto(`${address}/dead-letters?workflow=demo_charge`);
    await settled(page);
    await page.getByRole('row').filter({ hasText: 'demo_charge' }).click();
    await page.getByRole('region', { name: 'Dead letter', exact: true }).getByRole('button', { name: 'Redrive' }).click();
    const dialog = page.getByRole('dialog');
    await dialog.getByLabel('With another input').check();
    await dialog.getByLabel('Input', { exact: true }).fill('{"bank": "open"}');
    await dialog.getByRole('button', { name: 'Redrive' }).click();
    await expect(page.getByRole('region', { name: 'Dead letter', exact: true })).toContainText('redriven');
    await page.getByRole('region', { name: 'Dead letter', exact: true }).locator('a[href^="/runs/"]').click();
    await expect(page.getByRole('region', { name: /^Graph/ }).locator('[data-task="ship"]')).toHaveAttribute('data-state', 'succeeded', { timeout: 40_000 });
});
