// On the server of test/with-server, whose clock can be moved.
import assert from 'node:assert/strict';
import { after } from 'node:test';
import pg from 'pg';
import { Client, Worker, type TaskDefinition, type WorkerOptions, type WorkflowDefinition } from '../../src/index.js';

export const url = process.env['ORCH_DATABASE_URL']!;
assert.ok(url, 'these tests run under test/with-server');
export const db = new pg.Pool({ connectionString: url, max: 4 });
export const orch = new Client(db);
after(() => db.end());

export async function one(text: string, values: unknown[] = []): Promise<any> {
    return Object.values((await db.query(text, values)).rows[0] ?? {})[0];
}

/** Until it holds; a loaded machine is slow, and what is broken waits for ever. */
export async function until(what: string, holds: () => unknown, seconds = 60): Promise<void> {
    for (const end = Date.now() + seconds * 1000; !(await holds());) {
        if (Date.now() > end) assert.fail(`waited ${seconds} s for ${what}`);
        await new Promise((resolve) => setTimeout(resolve, 20));
    }
}

const isThere = (id: string): Promise<boolean> => one("select true from orch.workers where worker = $1 and state <> 'stopped'", [id]);

/** A worker for the length of a test. */
export async function working<T>(
    definitions: (TaskDefinition | WorkflowDefinition)[],
    body: (worker: Worker) => Promise<T>,
    options: WorkerOptions = {},
    there = isThere,
): Promise<T> {
    const worker = new Worker({ database: url, drain: 5000, ...options }).serve(...definitions);
    const running = worker.run({ signals: false });
    try {
        await until('the worker', () => there(worker.id));
        return await body(worker);
    } finally {
        worker.stop();
        await running;
    }
}

/** A workflow of one task for a handler. */
export async function single(name: string, fields: object = {}): Promise<string> {
    await orch.register({ id: `${name}-alone`, tasks: { only: { handler: name, input: '{{ input }}', ...fields } } });
    return `${name}-alone`;
}

export const state = (run: string, task = 'only'): Promise<string> => one('select state from orch.tasks where run_id = $1 and task_id = $2', [run, task]);
