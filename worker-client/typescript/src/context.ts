import { randomUUID } from 'node:crypto';
import type { ApprovalOptions, ChildOptions, Context, StepOptions, UpdateHandler } from './api.js';
import { milliseconds, snakeCased, type Duration, type Json } from './json.js';
import type { Definition } from './journal.js';
import type { Replay } from './replay.js';
import { StepInPlace } from './steps.js';

const seconds = (duration?: Duration): number | undefined => (duration === undefined ? undefined : milliseconds(duration) / 1000);

/** What durable code asks for, in terms of its journal. */
export class CodeContext implements Context {
    readonly runId: string;
    readonly workflow: string;
    readonly version: string;
    readonly attempt: number;
    readonly input: any;
    private readonly old = new Set<string>(); // changes that this run was here before

    constructor(private readonly replay: Replay) {
        ({ runId: this.runId, workflow: this.workflow, version: this.version, attempt: this.attempt, input: this.input } = replay.facts);
    }

    private started(name: string, definition: Definition, input?: unknown): Promise<any> {
        return this.replay.started(this.replay.nextId(name), definition, input).promise;
    }

    step(what: any, ...rest: any[]): Promise<any> {
        const name: string = typeof what === 'string' ? what : what.name;
        const run = rest.at(-1);
        if (typeof run === 'function') return new StepInPlace(this.replay, name, rest.length > 1 ? rest[0] : {}, run).op.promise;
        const [input, { handler = name, command, http, callable, ...options } = {} as StepOptions] = rest;
        const executor = snakeCased({ command, http, callable });
        return this.started(name, { ...(Object.keys(executor).length > 0 ? executor : { handler }), ...snakeCased(options) }, input);
    }
    wait(duration: Duration): Promise<void> {
        return this.started('wait', { sleep: seconds(duration) });
    }
    waitUntil(time: Date | string): Promise<void> {
        return this.started('wait', { until: new Date(time).toISOString() });
    }
    signal(name: string, { timeout }: { timeout?: Duration } = {}): Promise<any> {
        const op = this.replay.started(this.replay.nextId(`signal:${name}`), { signal: { name }, ...snakeCased({ timeoutSeconds: seconds(timeout) }) });
        op.optional = true;
        return op.promise;
    }
    approval(name = 'approval', { timeout, ...asked }: ApprovalOptions = {}): Promise<any> {
        return this.started(name, { approval: snakeCased({ ...asked, timeoutSeconds: seconds(timeout) }) });
    }
    child(workflow: string | { name: string }, input?: unknown, { parentClose = 'cancel', wait = true }: ChildOptions = {}): Promise<any> {
        const id = typeof workflow === 'string' ? workflow : workflow.name;
        return this.started(`child:${id}`, { workflow: { id, wait, parent_close: parentClose } }, input);
    }
    query(name: string, answer: (input: any) => unknown): void {
        this.replay.requests.queries.set(name, answer);
    }
    update(name: string, handler: UpdateHandler): void {
        this.replay.requests.handlers.set(name, handler);
    }
    condition(holds: () => boolean): Promise<void> {
        return this.replay.condition(holds);
    }
    all(promises: readonly Promise<any>[]): Promise<any> {
        for (const promise of promises) this.replay.gathered.add(promise);
        const all = Promise.all(promises);
        all.catch(() => {});
        return all;
    }

    patched(id: string): boolean {
        const { replay, old } = this;
        const name = `patched:${id}#1`;
        if (replay.ops.has(name)) return true;
        // Once no, always no: an answer that changed on the way would be another one in the next replay.
        if (replay.unissued > 0 && !replay.rows.has(name)) old.add(id);
        return !old.has(id) && replay.noted(name, () => ({ output: true })).output === true;
    }
    private value(name: string, make: () => Json): any {
        return this.replay.noted(this.replay.nextId(name), () => ({ output: make() })).output;
    }
    now(): Date {
        return new Date(this.value('now', () => this.replay.journal.now().toISOString()));
    }
    random(): number {
        return this.value('random', Math.random);
    }
    uuid(): string {
        return this.value('uuid', randomUUID);
    }
    log(line: string): void {
        if (this.replay.anew) this.replay.journal.log(line);
    }
    setTag(name: string, value: Json): void {
        this.replay.noted(this.replay.nextId('set_tag'), () => ({ tags: { [name]: value } }));
    }
    continueAsNew(input: unknown): Promise<never> {
        this.replay.end(async () => {
            await this.replay.journal.continueAsNew(await this.replay.encoded(input));
            return null;
        });
        return new Promise(() => {});
    }
}
