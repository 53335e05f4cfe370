// Starts a process, tells both ids, and blocks for ever if it is asked to.
import { spawn } from 'node:child_process';
import type { TaskContext } from '../../src/index.js';

export default async (task: TaskContext, { block }: { block?: boolean }): Promise<number> => {
    if (!block) return process.pid;
    const child = spawn('sleep', ['600'], { stdio: 'ignore' });
    task.log(String(process.pid));
    task.log(String(child.pid));
    await new Promise((resolve) => setTimeout(resolve, 50)); // the lines go out
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
    return 0;
};
