import { expect, expectAccessible, picture, settled, test, type Page } from './browser/test';
import { scene, type Scene } from './browser/scene';

interface Look {
    name: string;
    path: (there: Scene) => string;
    /** Until it is there the page is not ready. */
    shows: (page: Page) => Promise<void>;
}

const sees =
    (text: string | RegExp) =>
    (page: Page): Promise<void> =>
        expect(page.locator('#main').getByText(text).filter({ visible: true }).first()).toBeVisible();

const has =
    (selector: string) =>
    (page: Page): Promise<void> =>
        expect(page.locator('#main').locator(selector).first()).toBeVisible();

const looks: Look[] = [
    { name: 'overview', path: () => '/', shows: has('a[href^="/runs/"]') },
    { name: 'runs', path: () => '/runs', shows: has('[role=row][aria-selected]') },
    { name: 'run', path: ({ succeeded }) => `/runs/${succeeded}`, shows: sees('ship') },
    { name: 'run-failed', path: ({ failed }) => `/runs/${failed}?task=charge`, shows: sees('declined by the bank') },
    { name: 'run-waits', path: ({ approval }) => `/runs/${approval}?task=sign_off`, shows: sees('sign_off') },
    { name: 'run-tasks', path: ({ failed }) => `/runs/${failed}?view=tasks`, shows: sees('charge') },
    { name: 'run-events', path: ({ failed }) => `/runs/${failed}?view=events`, shows: sees('charge') },
    { name: 'run-logs', path: ({ failed }) => `/runs/${failed}?view=logs`, shows: sees('declined by the bank') },
    { name: 'run-data', path: ({ succeeded }) => `/runs/${succeeded}?view=data`, shows: sees('2026-01-31') },
    { name: 'workflows', path: () => '/workflows', shows: sees('orders') },
    { name: 'workflow', path: () => '/workflows/orders', shows: sees('ship') },
    { name: 'workflow-edit', path: () => '/workflows/orders/edit', shows: sees('orders') },
    { name: 'workflow-new', path: () => '/new-workflow', shows: sees(/definition/i) },
    { name: 'dead-letters', path: () => '/dead-letters', shows: sees('charge') },
    { name: 'dead-letter', path: ({ letter }) => `/dead-letters?letter=${letter}`, shows: sees('declined by the bank') },
    { name: 'approvals', path: () => '/approvals', shows: sees('sign_off') },
    { name: 'signals', path: () => '/signals', shows: sees('invoice') },
    { name: 'timers', path: () => '/timers', shows: sees('has slept enough') },
    { name: 'workers', path: () => '/workers', shows: sees('steady') },
    { name: 'worker', path: () => '/workers?worker=steady', shows: sees('slow') },
    { name: 'queues', path: () => '/queues', shows: sees('reports') },
    { name: 'circuits', path: () => '/circuits', shows: sees('exchange') },
    { name: 'tokens', path: () => '/admin', shows: sees('viewer') },
    { name: 'hooks', path: () => '/admin?tab=hooks', shows: sees('pushed') },
    { name: 'notifications', path: () => '/admin?tab=notifications&notification=pager', shows: sees('pager.example') },
    { name: 'audit', path: () => '/admin?tab=audit', shows: sees(/token|hook|definition|register/i) },
];

test.describe('each page', () => {
    for (const one of looks)
        test(`${one.name}: quiet, accessible, in both themes and on a phone`, async ({ page, open }) => {
            await open(one.path(await scene()), 'admin');
            await one.shows(page);
            await settled(page);
            await expectAccessible(page, `${one.name}, dark`);
            await picture(page, `${one.name}-dark`);
            await page.emulateMedia({ colorScheme: 'light' });
            await expect(page.locator('html')).toHaveAttribute('data-theme', 'light');
            await expectAccessible(page, `${one.name}, light`, 'contrast');
            await picture(page, `${one.name}-light`);
            await page.setViewportSize({ width: 390, height: 844 });
            await settled(page);
            await picture(page, `${one.name}-phone`);
            const beyond = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
            expect(beyond, 'nothing is wider than a phone').toBeLessThanOrEqual(0);
        });
});

test('the login: quiet and accessible in both themes', async ({ page }) => {
    await page.goto('/');
    await expect(page.getByLabel('Token', { exact: true })).toBeVisible();
    await expectAccessible(page, 'login, dark');
    await picture(page, 'login-dark');
    await page.emulateMedia({ colorScheme: 'light' });
    await expectAccessible(page, 'login, light', 'contrast');
    await picture(page, 'login-light');
});

test('an address that is none says so', async ({ page, open }) => {
    await open('/nowhere');
    await expect(page.getByText('There is no such page')).toBeVisible();
});
