// What keeps a page true while things change under it: the stream of events, a bridge that goes away, and the keyboard that moves through it all.
import { expect, fresh, register, runReaches, settled, test, trigger, until } from './browser/test';
import { end, freePort, startBridge } from './browser/processes';
import { scene } from './browser/scene';

test('a page goes on by itself once its bridge has been killed and is back', async ({ page, open, watched }) => {
    watched.expectErrors(
        /ERR_CONNECTION_REFUSED|ERR_EMPTY_RESPONSE|ERR_INCOMPLETE_CHUNKED_ENCODING|ERR_CONNECTION_RESET|ERR_SOCKET_NOT_CONNECTED|network error/i,
    );
    const workflow = fresh('quick');
    await register({ id: workflow, tasks: { one: { noop: true } } });
    const port = await freePort();
    let bridge = await startBridge(port);
    try {
        await open('/', 'operator', `http://127.0.0.1:${port}`);
        const light = page.locator('header [data-status]');
        await expect(light).toHaveAttribute('data-status', 'live');
        await end(bridge, 'SIGKILL');
        await expect(light).toHaveAttribute('data-status', /waiting|connecting/);
        const missed = await trigger(workflow);
        await runReaches(missed, 'succeeded');
        bridge = await startBridge(port);
        await expect(light).toHaveAttribute('data-status', 'live', {
            timeout: 40_000,
        });
        await expect(page.locator(`a[href="/runs/${missed}"]`)).toBeVisible();
        const next = await trigger(workflow);
        await expect(page.locator(`a[href="/runs/${next}"]`)).toBeVisible();
    } finally {
        await end(bridge, 'SIGKILL');
    }
});

test('the keyboard: pages by g, search by /, help by ?, rows by j, k and Enter, Esc closes', async ({ page, open }) => {
    await scene();
    await open('/');
    await settled(page);
    for (const [key, path] of [
        ['d', '/dead-letters'],
        ['a', '/approvals'],
        ['s', '/signals'],
        ['t', '/timers'],
        ['k', '/workers'],
        ['q', '/queues'],
        ['c', '/circuits'],
        ['x', '/admin'],
        ['o', '/'],
    ] as const) {
        await page.keyboard.press('g');
        await page.keyboard.press(key);
        await expect.poll(() => new URL(page.url()).pathname).toBe(path);
    }
    await page.keyboard.press('?');
    await expect(page.getByRole('dialog')).toContainText('Dead letters');
    await page.keyboard.press('Escape');
    await expect(page.getByRole('dialog')).toHaveCount(0);
    await page.keyboard.press('/');
    await page.keyboard.type('dead');
    await expect(page.getByRole('option').first()).toContainText('Dead letters');
    await page.keyboard.press('Enter');
    await expect.poll(() => new URL(page.url()).pathname).toBe('/dead-letters');
    await settled(page);
    await page.keyboard.press('j');
    await page.keyboard.press('j');
    await page.keyboard.press('k');
    await page.keyboard.press('x');
    await expect(page.getByText('1 chosen')).toBeVisible();
    await page.keyboard.press('Enter');
    await expect(page.getByRole('region', { name: 'Dead letter', exact: true })).toBeVisible();
    await expect.poll(() => new URL(page.url()).searchParams.has('letter')).toBe(true);
});

test('a dead letter comes into the open list by itself', async ({ page, open }) => {
    await scene();
    await open('/dead-letters');
    await settled(page);
    const workflow = fresh('breaks');
    await register({
        id: workflow,
        tasks: { only: { command: 'exit 3', retries: 0 } },
    });
    await runReaches(await trigger(workflow), 'failed');
    await expect(page.getByRole('row').filter({ hasText: workflow })).toBeVisible();
});

test('the theme is switched and kept', async ({ page, open }) => {
    await open('/');
    const html = page.locator('html');
    await expect(html).toHaveAttribute('data-theme', 'dark');
    const button = page.getByRole('button', { name: /^Theme:/ });
    await button.click();
    await button.click();
    await expect(html).toHaveAttribute('data-theme', 'light');
    await page.reload();
    await expect(html).toHaveAttribute('data-theme', 'light');
    await until('it is not kept', async () => (await page.evaluate(() => localStorage.getItem('orch.theme'))) === 'light');
});

test('on a phone the pages are behind the menu', async ({ page, open }) => {
    await page.setViewportSize({ width: 390, height: 844 });
    await open('/');
    await expect(page.getByRole('link', { name: 'Workers', exact: true })).toBeHidden();
    await page.getByRole('button', { name: 'Menu' }).click();
    await page.getByRole('link', { name: 'Workers', exact: true }).click();
    await expect.poll(() => new URL(page.url()).pathname).toBe('/workers');
    await expect(page.getByRole('link', { name: 'Queues', exact: true })).toBeHidden();
});
