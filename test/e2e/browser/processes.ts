// Workers and bridges of a test's own, for what becomes of the page when one is killed.
import { spawn, type ChildProcess } from 'node:child_process';
import { createServer } from 'node:net';
import { call, sql, until } from './api';

const running = new Set<ChildProcess>();
process.on('exit', () => running.forEach((one) => one.kill('SIGKILL')));

function begin(program: string, options: string[]): ChildProcess {
    const child = spawn(program, options, { stdio: 'ignore' });
    running.add(child);
    child.once('exit', () => running.delete(child));
    return child;
}

export async function end(child: ChildProcess, signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const over = new Promise((resume) => child.once('exit', resume));
    child.kill(signal);
    await over;
}

export async function startWorker(name: string, ...options: string[]): Promise<ChildProcess> {
    const child = begin('orch', ['worker', '--name', name, ...options]);
    await until(`worker ${name} does not come up`, () => sql(`select exists (select from orch.workers where worker = '${name}' and state = 'alive')`) === 't');
    return child;
}

export const freePort = (): Promise<number> =>
    new Promise((resume) => {
        const server = createServer().listen(0, '127.0.0.1', () => {
            const { port } = server.address() as { port: number };
            server.close(() => resume(port));
        });
    });

export async function startBridge(port: number): Promise<ChildProcess> {
    const { PGDATABASE, PGHOST, PGPORT } = process.env;
    const child = begin('orch-bridge', ['--database', `postgresql://bridge@/${PGDATABASE}?host=${PGHOST}&port=${PGPORT}`, '--listen', `127.0.0.1:${port}`]);
    await until('the bridge does not come up', () =>
        call('viewer', 'GET', '/me', undefined, `http://127.0.0.1:${port}`).then(
            (answer) => answer.status === 200,
            () => false,
        ),
    );
    return child;
}
