import { fork, type ChildProcess } from 'node:child_process';
import { TaskError } from './errors.js';
import type { Attempt, Ended } from './task.js';

/**
 * Handlers in processes of their own, since nothing else in JavaScript can be stopped against its will. A process serves one task at a time and is kept for
 * the next one. It cannot outlive this process: a thread in it reads a pipe whose other end only we hold (isolated.ts).
 */
export class Isolate {
    private idle: ChildProcess[] = [];
    private readonly all = new Set<ChildProcess>();
    constructor(private readonly module: URL) {}

    run(attempt: Attempt, input: unknown, grace: () => number): Promise<Ended> {
        const child = this.idle.pop() ?? this.start();
        return new Promise((resolve) => {
            let timer: NodeJS.Timeout | undefined;
            const end = (ended: Ended, reuse = false) => {
                clearTimeout(timer);
                child.removeAllListeners();
                attempt.signal.removeEventListener('abort', stop);
                if (reuse) this.idle.push(child);
                else this.kill(child);
                resolve(ended);
            };
            const stop = () => {
                if (child.connected) child.send({ stop: attempt.interrupted });
                timer = setTimeout(() => end({ error: { class: 'cancelled', code: 'killed', message: 'the handler did not stop and was killed' } }), grace());
            };
            child.on('message', (said: any) => {
                if ('log' in said) attempt.log(said.log, said.stream);
                else if ('progress' in said) attempt.progress(said.progress);
                else end(said.ended, true);
            });
            child.on('exit', (code, signal) => {
                const message = signal ? `the handler's process was killed by ${signal}` : `the handler's process ended with exit code ${code}`;
                end({
                    error: {
                        class: signal ? 'infrastructure' : 'handler',
                        code: signal ? 'signal' : 'exit_code',
                        message,
                        ...(code === null ? {} : { exit_code: code }),
                    },
                });
            });
            child.on('error', (error) => end({ error: { class: 'infrastructure', code: 'process', message: error.message } }));
            const { runId, taskId, idempotencyKey, traceparent, spec, deadline, previousProgress } = attempt;
            child.send({ task: { runId, taskId, attempt: attempt.attempt, idempotencyKey, traceparent, spec, deadline, previousProgress }, input });
            if (attempt.signal.aborted) stop();
            else attempt.signal.addEventListener('abort', stop);
        });
    }

    private start(): ChildProcess {
        const child = fork(new URL('./isolated.js', import.meta.url), [this.module.href], {
            detached: true,
            stdio: ['ignore', 'inherit', 'inherit', 'ipc', 'pipe'],
        });
        this.all.add(child);
        return child;
    }

    private kill(child: ChildProcess): void {
        this.all.delete(child);
        try {
            process.kill(-child.pid!, 'SIGKILL'); // its whole process group
        } catch {} // it has ended
    }

    close(): void {
        for (const child of this.all) this.kill(child);
        this.idle = [];
    }
}

export const isolatedOnly = (name: string): TaskError =>
    new TaskError('validation', 'not_a_function', `the module of ${name} has no default export that is a function`);
