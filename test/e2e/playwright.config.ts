import { defineConfig } from '@playwright/test';

// One browser and one test at a time: they share a server, and a machine of two cores.
export default defineConfig({
    testDir: '.',
    testMatch: '*.spec.ts',
    workers: 1,
    timeout: 60_000,
    expect: { timeout: 15_000 },
    outputDir: process.env['ORCH_BROWSER_OUTPUT'] ?? '../../build/browser',
    reporter: [['./browser/reporter.ts']],
    use: {
        baseURL: process.env['ORCH_HTTP_URL'],
        viewport: { width: 1280, height: 800 },
        colorScheme: 'dark',
        contextOptions: { reducedMotion: 'reduce' },
        screenshot: 'only-on-failure',
        launchOptions: {
            executablePath: process.env['ORCH_CHROMIUM'] ?? '/usr/bin/chromium',
            // Root has no sandbox, and a container little /dev/shm.
            args: [...(process.getuid?.() === 0 ? ['--no-sandbox'] : []), '--disable-dev-shm-usage'],
        },
    },
});
