// What every spec begins with. `open` logs in and goes to a page; whatever a page does that none should do fails its test: an error in the console, a request to
// elsewhere, something that the content security policy refused.
import { AxeBuilder } from '@axe-core/playwright';
import { test as base, expect, type Page } from '@playwright/test';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { home, tokenOf, type Role } from './api';

export * from './api';
export { expect, type Page };

interface Watched {
    /** Text of console errors that this test provokes. */
    expectErrors: (...patterns: RegExp[]) => void;
}

interface Given {
    watched: Watched;
    open: (path: string, who?: Role, at?: string) => Promise<void>;
}

export const test = base.extend<Given>({
    watched: [
        async ({ context, page }, use) => {
            const problems: string[] = [];
            const expected: RegExp[] = [];
            const own = new Set([new URL(home()).host]);
            await context.exposeBinding('orchTestRefused', (_, text: string) => void problems.push(`refused by the policy: ${text}`));
            await context.addInitScript(() =>
                document.addEventListener('securitypolicyviolation', (event) =>
                    (
                        window as unknown as {
                            orchTestRefused: (text: string) => void;
                        }
                    ).orchTestRefused(`${event.violatedDirective} ${event.blockedURI}`),
                ),
            );
            context.on('request', (request) => {
                const url = new URL(request.url());
                if (['blob:', 'data:'].includes(url.protocol)) return;
                if (url.hostname !== '127.0.0.1' || !(own.has(url.host) || page.url().startsWith(url.origin) || request.isNavigationRequest()))
                    problems.push(`a request to elsewhere: ${request.url()}`);
            });
            context.on('console', (message) => {
                if (message.type() === 'error') problems.push(`console: ${message.text()} (${message.location().url})`);
            });
            context.on('weberror', (error) => problems.push(`thrown: ${error.error().stack ?? String(error.error())}`));
            await use({
                expectErrors: (...patterns) => void expected.push(...patterns),
            });
            expect(
                problems.filter((one) => !expected.some((pattern) => pattern.test(one))),
                'what no page should do',
            ).toEqual([]);
        },
        { auto: true },
    ],
    open: async ({ page }, use) => {
        let prepared: string | null = null;
        await use(async (path, who = 'operator', at = home()) => {
            const token = tokenOf(who);
            if (prepared !== token) {
                // Once a tab: whoever logs out stays so, also when the page is loaded again.
                await page.addInitScript((mine) => {
                    if (sessionStorage.getItem('orch.test') === mine) return;
                    sessionStorage.setItem('orch.test', mine);
                    sessionStorage.setItem('orch.token', mine);
                }, token);
                prepared = token;
            }
            await page.goto(at + path);
            await expect(page.locator('#main')).toBeVisible();
        });
    },
});

/** Nothing is loading any more: neither bars in place of rows nor the page itself. */
export async function settled(page: Page): Promise<void> {
    await expect(page.locator('#main')).toBeVisible();
    await expect(page.locator('#main [role=status][aria-label=Loading]')).toHaveCount(0);
}

/** By all rules, or only by that of contrast: what a theme changes. */
export async function expectAccessible(page: Page, where: string, rules: 'all' | 'contrast' = 'all'): Promise<void> {
    const builder = new AxeBuilder({ page });
    const found = await (rules === 'all' ? builder : builder.withRules(['color-contrast'])).analyze();
    const faults = found.violations
        .filter((one) => one.impact === 'serious' || one.impact === 'critical')
        .map(
            (one) =>
                `${one.id} (${one.impact}): ${one.nodes
                    .map((node) => `${node.target.join(' ')} ${node.any[0]?.message ?? ''}`)
                    .slice(0, 4)
                    .join(' | ')}`,
        );
    expect(faults, `axe on ${where}`).toEqual([]);
}

/** Pictures are taken where ORCH_BROWSER_PICTURES names a folder for them. */
const pictures = process.env['ORCH_BROWSER_PICTURES'];
export async function picture(page: Page, name: string): Promise<void> {
    if (!pictures) return;
    mkdirSync(pictures, { recursive: true });
    await page.screenshot({ path: join(pictures, `${name}.png`) });
}
