import { call, expect, settled, test, tokenOf, type Role } from './browser/test';

const roles: Role[] = ['viewer', 'operator', 'admin'];

for (const role of roles)
    test(`a token of a ${role} logs in, says who it is, and out`, async ({ page, watched }) => {
        watched.expectErrors(/401/);
        await page.goto('/');
        const token = page.getByLabel('Token', { exact: true });
        await token.fill('orch_nobody');
        await token.press('Enter');
        await expect(page.getByRole('alert')).toBeVisible();
        await token.fill(tokenOf(role));
        await token.press('Enter');
        await settled(page);
        await expect(page.locator('#side')).toContainText(`${role} · default`);
        expect(await page.evaluate(() => [sessionStorage.getItem('orch.token') !== null, localStorage.getItem('orch.token')])).toEqual([true, null]);
        await page.reload();
        await settled(page);
        await page.getByRole('button', { name: 'Log out' }).click();
        await expect(token).toBeVisible();
        expect(await page.evaluate(() => sessionStorage.getItem('orch.token'))).toBeNull();
    });

test('a deep link is kept through the login', async ({ page }) => {
    await page.goto('/runs?state=failed');
    await page.getByLabel('Token', { exact: true }).fill(tokenOf('viewer'));
    await page.getByLabel('Token', { exact: true }).press('Enter');
    await settled(page);
    expect(new URL(page.url()).search).toBe('?state=failed');
});

test('a token that is revoked while somebody looks logs out and says why', async ({ page, watched }) => {
    watched.expectErrors(/401/);
    const name = `brief-${Date.now()}`;
    const { body } = await call<{ token: string }>('admin', 'POST', '/tokens', {
        name,
        role: 'viewer',
    });
    await page.goto('/');
    await page.getByLabel('Token', { exact: true }).fill(body.token);
    await page.getByLabel('Token', { exact: true }).press('Enter');
    await settled(page);
    expect((await call('admin', 'DELETE', `/tokens/${name}`)).status).toBe(204);
    await expect(page.getByText('no longer valid')).toBeVisible({
        timeout: 30_000,
    });
});

test('a token of a worker is told that it may not look', async ({ page }) => {
    await page.goto('/');
    await page.getByLabel('Token', { exact: true }).fill(tokenOf('worker'));
    await page.getByLabel('Token', { exact: true }).press('Enter');
    await expect(page.getByRole('alert')).toContainText('token for a worker');
    expect(await page.evaluate(() => sessionStorage.length + localStorage.length)).toBe(0);
    expect((await call('worker', 'GET', '/runs')).status).toBe(403);
});
