// What an operator does: dead letters, approvals, signals, circuits, workers. Each action is told with its SQL, and what it did is looked up beside the page.
import { call, expect, fresh, get, register, runReaches, settled, sql, taskReaches, test, trigger, until, type Page } from './browser/test';
import { end, startWorker } from './browser/processes';

const dialog = (page: Page) => page.getByRole('dialog');
const retries = { retry_delay_seconds: 0.05, retry_jitter: 0 };

/** Fails for whoever has no pass in the input, as often as it is tried. */
async function letters(workflow: string, count: number): Promise<string[]> {
    await register({
        id: workflow,
        defaults: retries,
        tasks: {
            pay: {
                command: 'test -n "$PASS" || { echo "no pass for $ORCH_TASK_ID" >&2; exit 1; }',
                env: { PASS: "{{ input.pass ?? '' }}" },
                input: { pass: "{{ input.pass ?? '' }}" },
                retries: 1,
            },
            after: { noop: true, dependencies: ['pay'] },
        },
    });
    const runs: string[] = [];
    for (let i = 0; i < count; i++) runs.push(await trigger(workflow, { input: {} }));
    for (const run of runs) await runReaches(run, 'failed');
    return runs;
}

test('dead letters: found by filter, told with attempts, discarded one by one and redriven together', async ({ page, open }) => {
    const workflow = fresh('pays');
    const [first] = await letters(workflow, 3);
    await open(`/dead-letters?workflow=${workflow}`);
    const rows = page.getByRole('grid', { name: 'Dead letters' }).locator('[role=row][aria-selected]');
    await expect(rows).toHaveCount(3);
    const id = sql(`select id from orch.dead_letters where run_id = '${first}'`);
    await open(`/dead-letters?workflow=${workflow}&letter=${id}`);
    const detail = page.getByRole('region', {
        name: 'Dead letter',
        exact: true,
    });
    await expect(detail).toContainText('no pass for pay');
    await expect(detail.getByRole('row')).toHaveCount(3);
    await detail.getByRole('button', { name: 'Discard' }).click();
    await expect(dialog(page)).toContainText(`select orch.discard(${id});`);
    await dialog(page).getByRole('button', { name: 'Discard' }).click();
    await expect(detail).toContainText('discarded');
    expect(sql(`select resolution from orch.dead_letters where id = ${id}`)).toBe('discarded');
    await expect(rows).toHaveCount(2);

    await detail.getByRole('button', { name: 'Close the letter' }).click();
    const fingerprint = sql(`select fingerprint from orch.dead_letters where id = ${id}`);
    await page.getByTitle('All with this fingerprint').first().click();
    expect(new URL(page.url()).searchParams.get('fingerprint')).toBe(fingerprint);
    await page.getByLabel('Choose all').check();
    await page.getByRole('button', { name: 'Redrive', exact: true }).click();
    await expect(dialog(page)).toContainText('select * from orch.redrive(');
    await dialog(page).getByRole('button', { name: 'Redrive 2' }).click();
    await expect(page.getByText('2 runs go on')).toBeVisible();
    await until(
        'not both were redriven',
        () => sql(`select count(*) from orch.dead_letters where workflow = '${workflow}' and resolution = 'redriven'`) === '2',
    );
});

test('a dead letter is redriven with another input, and its run succeeds', async ({ page, open }) => {
    const workflow = fresh('pays');
    const [run] = await letters(workflow, 1);
    const id = sql(`select id from orch.dead_letters where run_id = '${run}'`);
    await register({
        id: workflow,
        defaults: retries,
        tasks: { pay: { noop: true } },
    });
    await open(`/dead-letters?letter=${id}`);
    await page.getByRole('button', { name: 'Redrive', exact: true }).click();
    await dialog(page).getByLabel('With another input').check();
    const input = dialog(page).getByLabel('Input', { exact: true });
    await input.fill('{"pass": ');
    await expect(dialog(page).getByRole('button', { name: 'Redrive' })).toBeDisabled();
    await input.fill('{"pass": "yes"}');
    await expect(dialog(page)).toContainText(`select * from orch.redrive(${id}, input => '{"pass":"yes"}');`);
    await dialog(page).getByRole('button', { name: 'Redrive' }).click();
    await expect(page.getByRole('region', { name: 'Dead letter', exact: true })).toContainText('redriven');
    await until('the input is not the new one', () => sql(`select input ->> 'pass' from orch.tasks where run_id = '${run}' and task_id = 'pay'`) === 'yes');
});

test('a whole filter of dead letters is redriven at once', async ({ page, open }) => {
    const workflow = fresh('pays');
    await letters(workflow, 2);
    await open(`/dead-letters?workflow=${workflow}`);
    await page.getByRole('button', { name: 'Redrive all that match' }).click();
    await expect(dialog(page)).toContainText(`select * from orch.redrive(filter => '{"workflow":"${workflow}"}');`);
    await dialog(page).getByRole('button', { name: 'Redrive all' }).click();
    await until(
        'not all were redriven',
        () => sql(`select count(*) from orch.dead_letters where workflow = '${workflow}' and resolution = 'redriven'`) === '2',
    );
});

test('an approval is given with its form and a comment, and another is refused', async ({ page, open }) => {
    const workflow = fresh('asks');
    await register({
        id: workflow,
        tasks: {
            ask: {
                approval: {
                    form: {
                        type: 'object',
                        required: ['ticket'],
                        properties: {
                            ticket: { type: 'string', title: 'Ticket' },
                            seats: { type: 'integer', title: 'Seats' },
                        },
                    },
                },
            },
        },
    });
    const [yes, no] = [await trigger(workflow, { input: { version: 'v7' } }), await trigger(workflow)];
    await taskReaches(yes, 'ask', 'waiting');
    await taskReaches(no, 'ask', 'waiting');
    await open('/approvals');
    const row = (run: string) => page.getByRole('row').filter({ hasText: run.slice(-12) });
    await row(yes).getByRole('button', { name: 'Approve ask' }).click();
    await expect(dialog(page)).toContainText('v7');
    await expect(dialog(page).getByRole('button', { name: 'Approve' })).toBeDisabled();
    await dialog(page).getByLabel('Ticket (required)').fill("C-1 'quoted'");
    await dialog(page).getByLabel('Seats').fill('3');
    await dialog(page).getByLabel('Comment').fill('looks well');
    await expect(dialog(page)).toContainText(/form => '.*"ticket":"C-1 ''quoted''"/);
    await dialog(page).getByRole('button', { name: 'Approve' }).click();
    await runReaches(yes, 'succeeded');
    expect(JSON.parse(sql(`select output from orch.tasks where run_id = '${yes}'`))).toMatchObject({
        approved: true,
        comment: 'looks well',
        form: { ticket: "C-1 'quoted'", seats: 3 },
    });
    await expect(row(yes)).toHaveCount(0);
    await row(no).getByRole('button', { name: 'Reject ask' }).click();
    await dialog(page).getByRole('button', { name: 'Reject' }).click();
    await runReaches(no, 'succeeded');
    expect(JSON.parse(sql(`select output from orch.tasks where run_id = '${no}'`))).toMatchObject({ approved: false });
    await expect(row(no)).toHaveCount(0);
});

test('a signal is sent, and the run that waits for it goes on', async ({ page, open }) => {
    const workflow = fresh('hears');
    await register({
        id: workflow,
        tasks: { hear: { signal: { name: 'paid' } } },
    });
    const run = await trigger(workflow);
    await taskReaches(run, 'hear', 'waiting');
    await open('/signals');
    await page.getByRole('button', { name: 'Send a signal' }).click();
    await dialog(page).getByLabel('Run').fill(run);
    await dialog(page).getByLabel('Name').fill('paid');
    await dialog(page).getByLabel('Payload').fill('{"amount": 12}');
    await expect(dialog(page)).toContainText(`select orch.signal('${run}', 'paid', '{"amount":12}');`);
    await dialog(page).getByRole('button', { name: 'Send' }).click();
    await runReaches(run, 'succeeded');
    const row = page.getByRole('row').filter({ hasText: run.slice(-12) });
    await expect(row).toContainText('hear');
    await row.click();
    await expect(page.getByRole('region', { name: 'Signal', exact: true })).toContainText('"amount"');
});

test('a refusal of the database stands in the dialog', async ({ page, open, watched }) => {
    watched.expectErrors(/404/);
    await open('/signals');
    await page.getByRole('button', { name: 'Send a signal' }).click();
    await dialog(page).getByLabel('Run').fill('00000000-0000-7000-8000-000000000000');
    await dialog(page).getByLabel('Name').fill('paid');
    await dialog(page).getByRole('button', { name: 'Send' }).click();
    await expect(dialog(page).getByRole('alert')).toContainText('00000000-0000-7000-8000-000000000000');
});

test('an open circuit is shown and closed by hand', async ({ page, open }) => {
    const workflow = fresh('calls');
    await register({
        id: workflow,
        tasks: {
            call: {
                http: { url: 'http://127.0.0.1:9/' },
                circuit: { name: workflow, failures: 1, open_seconds: 3600 },
                retry_delay_seconds: 0.05,
            },
        },
    });
    await trigger(workflow);
    await until('the circuit does not open', () => sql(`select state from orch.circuits where circuit = '${workflow}'`) === 'open');
    await open('/circuits');
    const row = page.getByRole('row').filter({ hasText: workflow });
    await expect(row).toContainText('open');
    await row.getByRole('button', { name: `Close ${workflow}` }).click();
    await expect(dialog(page)).toContainText(`select orch.reset_circuit('${workflow}');`);
    await dialog(page).getByRole('button', { name: 'Close it' }).click();
    await expect(page.getByText('its tasks start again')).toBeVisible();
});

test('a worker shows what it holds, and is lost once it was killed', async ({ page, open }) => {
    const name = fresh('mortal');
    const worker = await startWorker(name, '--queue', name);
    try {
        await register({
            id: name,
            tasks: { long: { command: 'sleep 60', queue: name, retries: 0 } },
        });
        const run = await trigger(name);
        await taskReaches(run, 'long', 'running');
        await open(`/workers?worker=${name}`);
        const detail = page.getByRole('region', {
            name: 'Worker',
            exact: true,
        });
        await expect(detail.getByRole('link', { name: 'long' })).toHaveAttribute('href', `/runs/${run}?task=long`);
        await end(worker, 'SIGKILL');
        await expect(detail).toContainText('lost', { timeout: 30_000 });
        await call('operator', 'POST', `/runs/${run}/cancel`, {});
    } finally {
        await end(worker, 'SIGKILL');
    }
});

test('queues without a worker are told', async ({ page, open }) => {
    const queue = fresh('forsaken');
    await register({ id: queue, tasks: { wait: { command: 'true', queue } } });
    const run = await trigger(queue);
    await open('/queues');
    await expect(page.getByRole('row').filter({ hasText: queue })).toContainText('none');
    await call('operator', 'POST', `/runs/${run}/cancel`, {});
    await settled(page);
    expect((await get<{ items: unknown[] }>('/queues')).items.length).toBeGreaterThan(0);
});
