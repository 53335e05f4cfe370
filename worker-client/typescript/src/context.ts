import { randomUUID } from 'node:crypto';
import type { Context, StepOptions } from './api.js';
import { milliseconds, snakeCased, type Duration, type Json } from './json.js';
import type { Definition, Replay } from './replay.js';
import { stepInPlace } from './steps.js';

const seconds = (duration?: Duration): number | undefined => (duration === undefined ? undefined : milliseconds(duration) / 1000);

/** What durable code asks for, in terms of its journal. */
export function contextOf(replay: Replay): Context {
    const { journal, requests } = replay;
    const { signal, question, ...facts } = replay.facts;
    const old = new Set<string>(); // changes that this run was here before
    const started = (name: string, definition: Definition, input?: unknown) => replay.started(replay.nextId(name), definition, input);
    const value = (name: string, make: () => Json): any => replay.noted(replay.nextId(name), () => ({ output: make() })).output;
    return {
        ...facts,
        step(what: any, ...rest: any[]): Promise<any> {
            const name: string = typeof what === 'string' ? what : what.name;
            const run = rest.at(-1);
            if (typeof run === 'function') return stepInPlace(replay, name, rest.length > 1 ? rest[0] : {}, run);
            const [input, { handler = name, command, http, callable, ...options } = {} as StepOptions] = rest;
            const executor = command || http || callable ? { command, http, callable } : { handler };
            return started(name, { ...snakeCased(executor), ...snakeCased(options) }, input).promise;
        },
        wait: (duration) => started('wait', { sleep: seconds(duration) }).promise,
        waitUntil: (time) => started('wait', { until: new Date(time).toISOString() }).promise,
        signal(name, { timeout } = {}) {
            const op = started(`signal:${name}`, { signal: { name }, ...snakeCased({ timeoutSeconds: seconds(timeout) }) });
            op.optional = true;
            return op.promise;
        },
        approval: (name = 'approval', { timeout, ...asked } = {}) =>
            started(name, { approval: snakeCased({ ...asked, timeoutSeconds: seconds(timeout) }) }).promise,
        child(workflow, input, { parentClose = 'cancel', wait = true } = {}) {
            const id = typeof workflow === 'string' ? workflow : workflow.name;
            return started(`child:${id}`, { workflow: { id, wait, parent_close: parentClose } }, input).promise;
        },
        query: (name, answer) => void requests.queries.set(name, answer),
        update: (name, handler) => void requests.handlers.set(name, handler),
        condition: (holds) => replay.condition(holds),
        all(promises: readonly Promise<any>[]): Promise<any> {
            for (const promise of promises) replay.gathered.add(promise);
            const all = Promise.all(promises);
            all.catch(() => {});
            return all;
        },
        patched(id) {
            const name = `patched:${id}#1`;
            if (replay.ops.has(name)) return true;
            // Once no, always no: an answer that changed on the way would be another one in the next replay.
            if (replay.unissued > 0 && !replay.rows.has(name)) old.add(id);
            return !old.has(id) && replay.noted(name, () => ({ output: true })).output === true;
        },
        now: () => new Date(value('now', () => journal.now().toISOString())),
        random: () => value('random', Math.random),
        uuid: () => value('uuid', randomUUID),
        log: (line) => (replay.anew ? journal.log(line) : undefined),
        setTag: (name, tag) => void replay.noted(replay.nextId('set_tag'), () => ({ tags: { [name]: tag } })),
        continueAsNew(input) {
            replay.end(async () => {
                await journal.continueAsNew(await replay.encoded(input));
                return null;
            });
            return new Promise(() => {});
        },
    };
}
