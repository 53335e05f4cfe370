// The process of an isolated handler: runs the default export of the module that it is given, one task at a time.
import { Worker } from 'node:worker_threads';
import { CancelledError, errorFields, SkipTask, TaskError } from './errors.js';
import { isolatedOnly } from './isolate.js';
import type { TaskContext } from './api.js';
import type { Ended } from './task.js';

// Ends with the worker however that ends, even while the handler blocks: descriptor 4 is a pipe that the worker holds open.
const watch = "try { require('node:fs').readSync(4, Buffer.alloc(1)); } catch {} process.kill(-process.pid, 'SIGKILL');";
new Worker(watch, { eval: true }).unref();

const module = process.argv[2]!;
const loaded = import(module);
let controller = new AbortController();

async function run(fields: Omit<TaskContext, 'signal' | 'log' | 'progress'>, input: unknown): Promise<Ended> {
    try {
        const handler = (await loaded).default;
        if (typeof handler !== 'function') throw isolatedOnly(module);
        const task: TaskContext = {
            ...fields,
            deadline: fields.deadline && new Date(fields.deadline),
            signal: controller.signal,
            log: (line, stream) => process.send!({ log: line, stream }),
            progress: (progress) => process.send!({ progress }),
        };
        return { output: (await handler(task, input)) ?? null };
    } catch (thrown) {
        return thrown instanceof SkipTask ? { skip: thrown.message } : { error: errorFields(thrown) };
    }
}

process.on('message', async (said: any) => {
    if (said.stop)
        return controller.abort(
            said.stop === 'timed_out' ? new TaskError('timeout', 'timeout', 'timed out') : new CancelledError('cancelled', said.stop, said.stop),
        );
    controller = new AbortController();
    process.send!({ ended: await run(said.task, said.input) });
});
