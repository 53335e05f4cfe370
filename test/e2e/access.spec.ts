// Roles and the page of administration: what may not be done is not offered, and is refused to whoever tries it all the same.
import { call, expect, fresh, register, runReaches, settled, sql, test, taskReaches, trigger } from './browser/test';
import { scene } from './browser/scene';

test('a viewer is offered nothing that changes anything', async ({ page, open }) => {
    const { letter } = await scene();
    for (const path of [
        `/dead-letters?letter=${letter}`,
        '/approvals',
        '/signals',
        '/circuits',
        '/admin?tab=hooks',
        '/admin?tab=notifications&notification=pager',
    ]) {
        await open(path, 'viewer');
        await settled(page);
        await expect(
            page.locator('#main').getByRole('button', {
                name: /redrive|discard|approve|reject|send|close exchange|make|remove|tell|revoke/i,
            }),
        ).toHaveCount(0);
    }
    await open('/admin', 'viewer');
    await expect(page.getByRole('tab')).toHaveText(['Webhooks in', 'Webhooks out', 'Audit']);
});

test('what a viewer and an operator may not do is refused when they try it by the API', async () => {
    const { letter, running, approval } = await scene();
    for (const [method, path, body] of [
        ['POST', `/dead-letters/${letter}/redrive`, {}],
        ['DELETE', `/dead-letters/${letter}`, undefined],
        ['POST', '/dead-letters/redrive', { filter: {} }],
        ['POST', `/runs/${running}/cancel`, {}],
        ['POST', `/runs/${approval}/approve`, { task: 'sign_off' }],
        ['POST', `/runs/${running}/signal`, { name: 'x' }],
        ['POST', '/circuits/exchange/reset', {}],
        ['POST', '/workflows/orders/trigger', {}],
    ] as const)
        expect((await call('viewer', method, path, body)).status, `${method} ${path}`).toBe(403);
    for (const [method, path, body] of [
        ['GET', '/tokens', undefined],
        ['POST', '/tokens', { name: 'mine', role: 'admin' }],
        ['POST', '/hooks', { hook: 'mine', workflow: 'orders' }],
        ['DELETE', '/notifications/pager', undefined],
        ['POST', '/workflows', { id: 'mine', tasks: { a: { noop: true } } }],
    ] as const)
        expect((await call('operator', method, path, body)).status, `${method} ${path}`).toBe(403);
});

test('a token that lost its rights sees the refusal where it acts', async ({ page, open, watched }) => {
    watched.expectErrors(/403/);
    const workflow = fresh('asks');
    await register({
        id: workflow,
        tasks: { ask: { approval: { roles: ['orch_admin'] } } },
    });
    const run = await trigger(workflow);
    await taskReaches(run, 'ask', 'waiting');
    await open('/approvals', 'operator');
    const row = page.getByRole('row').filter({ hasText: run.slice(-12) });
    await expect(row).toContainText('not yours');
    expect(
        (
            await call('operator', 'POST', `/runs/${run}/approve`, {
                task: 'ask',
            })
        ).status,
    ).toBe(403);
    expect((await call('admin', 'POST', `/runs/${run}/approve`, { task: 'ask' })).status).toBe(204);
    await runReaches(run, 'succeeded');
    await expect(row).toHaveCount(0);
});

test('a token is made, shown once, used and revoked', async ({ page, open, watched }) => {
    await open('/admin', 'admin');
    const name = fresh('ci');
    await page.getByRole('button', { name: 'Make a token' }).click();
    const dialog = page.getByRole('dialog');
    await dialog.getByLabel('Name').fill(name);
    await dialog.getByLabel('Role').selectOption('operator');
    await expect(dialog).toContainText(`select orch.create_token('${name}', 'operator', expires => '`);
    await dialog.getByRole('button', { name: 'Make it' }).click();
    await expect(dialog).toContainText('shown this once');
    const token = (await dialog.locator('code').first().textContent())!;
    expect(token).toMatch(/^orch_[A-Za-z0-9_-]{43}$/);
    expect((await call<{ role: string }>({ token }, 'GET', '/me')).body.role).toBe('operator');
    await dialog.getByRole('button', { name: 'I have it' }).click();
    expect(await page.content()).not.toContain(token);
    const row = page.getByRole('row').filter({ hasText: name });
    await expect(row).toContainText('valid');
    await row.getByRole('button', { name: `Revoke ${name}` }).click();
    await expect(dialog.getByRole('button', { name: 'Revoke' })).toBeDisabled();
    await dialog.getByLabel(`Type ${name} to confirm`).fill(name);
    await dialog.getByRole('button', { name: 'Revoke' }).click();
    await expect(row).toHaveCount(0);
    await page.getByLabel('With revoked and expired ones').check();
    await expect(row).toContainText('revoked');
    expect((await call({ token }, 'GET', '/me')).status).toBe(401);
    watched.expectErrors();
});

test('a hook and a notification are made and removed, and the audit tells of it', async ({ page, open }) => {
    await scene();
    const name = fresh('hook');
    await open('/admin?tab=hooks', 'admin');
    const dialog = page.getByRole('dialog');
    await page.getByRole('button', { name: 'Make a hook' }).click();
    await dialog.getByLabel('Name').fill(name);
    await dialog.getByLabel('Workflow that it starts').fill('orders');
    await expect(dialog).toContainText(`select * from orch.create_hook('${name}', 'orders');`);
    await dialog.getByRole('button', { name: 'Make it' }).click();
    await expect(dialog).toContainText(`/api/v1/hooks/${name}`);
    await dialog.getByRole('button', { name: 'I have it' }).click();
    await page.getByRole('button', { name: `Remove ${name}` }).click();
    await dialog.getByLabel(`Type ${name} to confirm`).fill(name);
    await dialog.getByRole('button', { name: 'Remove' }).click();
    await expect(page.getByRole('row').filter({ hasText: name })).toHaveCount(0);

    await page.getByRole('tab', { name: 'Webhooks out' }).click();
    await page.getByRole('button', { name: 'Tell somebody' }).click();
    await dialog.getByLabel('Name').fill(name);
    await dialog.getByLabel('Address').fill('https://chat.example/orch');
    await dialog.getByRole('button', { name: 'Save' }).click();
    await dialog.getByRole('button', { name: 'I have it' }).click();
    await page.getByRole('row').filter({ hasText: name }).click();
    await page.getByRole('button', { name: 'Remove' }).click();
    await dialog.getByLabel(`Type ${name} to confirm`).fill(name);
    await dialog.getByRole('button', { name: 'Remove' }).click();
    await expect(page.getByRole('row').filter({ hasText: name })).toHaveCount(0);

    await page.getByRole('tab', { name: 'Audit' }).click();
    await expect(page.getByRole('grid', { name: 'Audit' })).toContainText(/hook/i);
    expect(Number(sql(`select count(*) from orch.audit where details::text like '%${name}%' or reason like '%${name}%'`))).toBeGreaterThan(0);
});
