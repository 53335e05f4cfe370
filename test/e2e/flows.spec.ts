// From a definition to the end of its run, through the pages: dropped, stored, triggered with an input, watched, cancelled, retried, decided.
import { call, expect, fresh, get, register, runReaches, settled, sql, taskReaches, test, trigger, type Page } from './browser/test';

const dialog = (page: Page) => page.getByRole('dialog');
const runOf = (page: Page): string => new URL(page.url()).pathname.split('/')[2]!;

async function drop(page: Page, files: Record<string, string>): Promise<void> {
    const data = await page.evaluateHandle((all) => {
        const transfer = new DataTransfer();
        for (const [name, text] of Object.entries(all)) transfer.items.add(new File([text], name));
        return transfer;
    }, files);
    for (const kind of ['dragenter', 'dragover', 'drop']) await page.dispatchEvent('body', kind, { dataTransfer: data });
}

test('definitions are dropped on the page, looked through and stored', async ({ page, open }) => {
    const [good, bad] = [fresh('dropped'), fresh('broken')];
    await open('/workflows', 'admin');
    await settled(page);
    await drop(page, { 'bad.yaml': `id: ${bad}\ntasks:\n  a: { noop: true, dependencies: [nowhere] }\n` });
    await expect(dialog(page)).toContainText('nowhere');
    await expect(dialog(page).getByRole('button', { name: 'Store', exact: true })).toBeDisabled();
    await page.keyboard.press('Escape');
    await drop(page, { 'good.json': JSON.stringify({ id: good, tasks: { a: { noop: true } } }) });
    await dialog(page).getByRole('button', { name: 'Store', exact: true }).click();
    await expect(page).toHaveURL(new RegExp(`/workflows/${good}$`));
    expect((await call('viewer', 'GET', `/workflows/${good}`)).status).toBe(200);
    expect((await call('viewer', 'GET', `/workflows/${bad}`)).status).toBe(404);
});

test('a definition is edited: its problem is told at its place, and the next version is stored', async ({ page, open }) => {
    const workflow = fresh('edited');
    await register({ id: workflow, tasks: { a: { noop: true } } });
    await open(`/workflows/${workflow}/edit`, 'admin');
    const editor = page.getByRole('textbox').and(page.locator('[contenteditable=true]'));
    const write = async (text: string): Promise<void> => {
        await editor.click();
        await page.keyboard.press('Control+a');
        await page.keyboard.insertText(text);
    };
    await expect(editor).toContainText(workflow);
    await write(`id: ${workflow}\ntasks:\n  a: {noop: true, retires: 3}\n`);
    await expect(page.locator('#main')).toContainText('1 problem');
    await page.getByRole('tab', { name: /^Problems/ }).click();
    await expect(page.locator('#main')).toContainText('Did you mean "retries"?');
    await expect(page.getByRole('button', { name: /^Store/ })).toBeDisabled();
    await write(`id: ${workflow}\ntasks:\n  a: {noop: true}\n  b: {noop: true, dependencies: [a]}\n`);
    await page.getByRole('button', { name: /^Store/ }).click();
    await dialog(page).locator('button[type=submit]').click();
    await expect.poll(() => sql(`select max(version) from orch.workflows where workflow = '${workflow}'`)).toBe('2');
});

test('a workflow is triggered with an input, its run watched to the end', async ({ page, open }) => {
    const workflow = fresh('greets');
    await register({
        id: workflow,
        tasks: {
            think: { command: 'sleep 2' },
            greet: { noop: true, input: { text: 'hello {{ input.name }}' }, dependencies: ['think'] },
        },
    });
    await open(`/workflows/${workflow}`);
    await page.getByRole('button', { name: 'Trigger', exact: true }).click();
    await dialog(page).getByLabel('Input').fill('{"name": "Ada"}');
    await expect(dialog(page)).toContainText(`select orch.trigger('${workflow}'`);
    await dialog(page).getByRole('button', { name: 'Trigger', exact: true }).click();
    await expect(page).toHaveURL(/\/runs\/[0-9a-f-]{36}/);
    const node = (task: string) => page.getByRole('region', { name: /^Graph/ }).locator(`[data-task="${task}"]`);
    await expect(node('greet')).toHaveAttribute('data-state', 'pending');
    await expect(node('greet')).toHaveAttribute('data-state', 'succeeded');
    await node('greet').click();
    await expect(page.getByRole('complementary', { name: 'Details' })).toContainText('greet');
    expect(sql(`select output ->> 'text' from orch.tasks where run_id = '${runOf(page)}' and task_id = 'greet'`)).toBe('hello Ada');
});

test('a run is cancelled from its page, and another is retried there', async ({ page, open }) => {
    const workflow = fresh('slow');
    await register({ id: workflow, tasks: { long: { command: 'sleep 60', retries: 0 } } });
    const run = await trigger(workflow);
    await taskReaches(run, 'long', 'running');
    await open(`/runs/${run}`);
    await page.getByRole('button', { name: 'Cancel', exact: true }).click();
    await expect(dialog(page)).toContainText(`select orch.cancel('${run}');`);
    await dialog(page).getByRole('button', { name: 'Cancel the run' }).click();
    await expect(page.locator('#main h1').locator('xpath=..')).toContainText('cancelled');
    await runReaches(run, 'cancelled');

    const broken = fresh('broken');
    await register({ id: broken, tasks: { only: { command: 'exit 3', retries: 0 } } });
    const failed = await trigger(broken);
    await runReaches(failed, 'failed');
    await open(`/runs/${failed}?task=only`);
    await page.getByRole('button', { name: 'Retry', exact: true }).click();
    await dialog(page).getByRole('button', { name: 'Retry' }).click();
    await expect.poll(() => sql(`select count(*) from orch.attempts where run_id = '${failed}'`)).toBe('2');
});

test('a run is made again, erased and deleted, by its name and for a reason', async ({ page, open }) => {
    const workflow = fresh('again');
    await register({ id: workflow, tasks: { only: { noop: true, input: '{{ input }}' } } });
    const run = await trigger(workflow, { input: { secret: 'told to nobody' } });
    await runReaches(run, 'succeeded');
    await open(`/runs/${run}`, 'admin');
    await page.getByRole('button', { name: 'Run again' }).click();
    await dialog(page).locator('button[type=submit]').click();
    await expect.poll(() => runOf(page)).not.toBe(run);
    const again = runOf(page);
    await runReaches(again, 'succeeded');

    await page.getByRole('button', { name: 'Erase' }).click();
    await expect(dialog(page).locator('button[type=submit]')).toBeDisabled();
    await dialog(page).getByLabel('Reason').fill('asked for');
    await dialog(page).getByRole('button', { name: 'Erase' }).click();
    await expect.poll(() => sql(`select input::text from orch.runs where run_id = '${again}'`)).not.toContain('told to nobody');
    await expect(dialog(page)).toBeHidden();

    await page.getByRole('button', { name: 'Delete' }).click();
    await dialog(page).getByLabel('Reason').fill('asked for');
    await expect(dialog(page).locator('button[type=submit]')).toBeDisabled();
    await dialog(page).getByLabel(`Type ${workflow} to confirm`).fill(workflow);
    await dialog(page).getByRole('button', { name: 'Delete' }).click();
    await expect.poll(() => sql(`select count(*) from orch.runs where run_id = '${again}'`)).toBe('0');
    await expect(page).toHaveURL(/\/runs$/);
    expect(await sql(`select count(*) from orch.runs where run_id = '${run}'`)).toBe('1');
});

test('an approval is given on the page of its run', async ({ page, open }) => {
    const workflow = fresh('asks');
    await register({ id: workflow, tasks: { ask: { approval: {} }, then: { noop: true, dependencies: ['ask'] } } });
    const run = await trigger(workflow);
    await taskReaches(run, 'ask', 'waiting');
    await open(`/runs/${run}?task=ask`);
    await page.getByRole('button', { name: 'Approve' }).first().click();
    await dialog(page).getByRole('button', { name: 'Approve' }).click();
    await runReaches(run, 'succeeded');
    await expect(page.locator('#main h1').locator('xpath=..')).toContainText('succeeded');
});

test('many runs are cancelled at once from the list, and retried', async ({ page, open }) => {
    const workflow = fresh('waits');
    await register({ id: workflow, tasks: { hear: { signal: { name: 'never' } } } });
    for (let i = 0; i < 3; i++) await trigger(workflow);
    await open(`/runs?workflow=${workflow}`);
    await expect(page.locator('#main [role=row][aria-selected]')).toHaveCount(3);
    await page.getByLabel('Choose all').check();
    await page
        .getByRole('button', { name: /^Cancel/ })
        .first()
        .click();
    await dialog(page)
        .getByRole('button', { name: /^Cancel 3/ })
        .click();
    await expect.poll(async () => (await get<{ items: unknown[] }>(`/runs?workflow=${workflow}&state=cancelled`)).items.length).toBe(3);

    await page.goto(`/runs?workflow=${workflow}&state=cancelled`);
    await expect(page.locator('#main [role=row][aria-selected]')).toHaveCount(3);
    await page.getByLabel('Choose all').check();
    await page
        .getByRole('button', { name: /^Retry/ })
        .first()
        .click();
    await dialog(page)
        .getByRole('button', { name: /^Retry 3/ })
        .click();
    await expect.poll(() => sql(`select count(*) from orch.runs where workflow = '${workflow}' and state = 'running'`)).toBe('3');
});
