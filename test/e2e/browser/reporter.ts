// One line a test, as all suites print them; what went wrong follows where something did.
import type { FullResult, Reporter, TestCase, TestError, TestResult } from '@playwright/test/reporter';

const plain = (text: string): string => text.replace(/\x1b\[[0-9;]*m/g, '');
const indented = (text: string): string => plain(text).replace(/^/gm, '# ');

export default class Lines implements Reporter {
    private told = 0;

    onTestEnd(test: TestCase, result: TestResult): void {
        const name = test
            .titlePath()
            .filter((part) => part && !part.endsWith('.spec.ts'))
            .join(', ');
        const line = `ok - dashboard: ${name}`;
        this.told++;
        if (result.status === 'skipped') console.log(`${line} # SKIP ${test.annotations.at(-1)?.description ?? 'said by the test'}`);
        else if (result.status === test.expectedStatus) console.log(`${line} (${(result.duration / 1000).toFixed(1)} s)`);
        else {
            console.log(`not ${line} (${(result.duration / 1000).toFixed(1)} s)`);
            for (const error of result.errors) console.log(indented([error.message ?? error.value ?? '', error.snippet ?? ''].join('\n').slice(0, 6000)));
            for (const one of result.attachments) if (one.path) console.log(`# ${one.name}: ${one.path}`);
        }
        for (const one of result.stdout) process.stdout.write(`${indented(String(one).trimEnd())}\n`);
    }

    onError(error: TestError): void {
        console.log(indented(error.message ?? error.value ?? 'it ended'));
    }

    onEnd(result: FullResult): void {
        if (result.status !== 'passed' && this.told === 0) console.log(`not ok - dashboard: the tests ended: ${result.status}`);
    }

    printsToStdio(): boolean {
        return true;
    }
}
