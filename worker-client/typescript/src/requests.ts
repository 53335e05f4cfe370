import type { HistoryRow, UpdateHandler } from './api.js';
import { errorFields, TaskError } from './errors.js';
import { type CodeEnd, type Entry, type Op, type Replay, type Request, inside } from './replay.js';

const unknown = (kind: string, name: string, known: Iterable<string>): TaskError =>
    new TaskError('validation', `unknown_${kind}`, `there is no ${kind} "${name}"; there are: ${[...known].join(', ') || 'none'}`);

/** What running code is asked: updates, of which its journal tells, and queries, of which nothing does; and the conditions that wait for what updates change. */
export class Requests {
    readonly queries = new Map<string, (input: any) => unknown>();
    readonly handlers = new Map<string, UpdateHandler>();
    readonly conditions = new Map<Op, () => boolean>();
    /** There may be updates that nobody has taken. */
    expected = false;
    private next: Request[] = [];

    constructor(private readonly replay: Replay) {}

    /** Lets the oldest go on whose condition holds. */
    resume(): boolean {
        for (const [op, holds] of this.conditions) {
            try {
                if (!inside.run('a condition', holds)) continue;
                this.replay.settle(op, 'resolve', undefined);
            } catch (thrown) {
                this.replay.settle(op, 'reject', thrown);
            }
            return true;
        }
        return false;
    }

    /** Takes the next update: whether there may have been one, so that time has gone by. */
    async take(): Promise<boolean> {
        if (this.next.length === 0) {
            if (!this.expected) return false;
            this.expected = false;
            // Some may be accepted and not recorded.
            this.next = (await this.replay.journal.updates()).filter(({ id }) => !this.replay.ops.has(`update:${id}`));
        }
        const update = this.next.shift();
        if (update) await this.accept(update);
        return true;
    }

    private async accept({ id, name, input: kept }: Request): Promise<void> {
        const { replay, handlers } = this;
        const { payloads } = replay.journal;
        try {
            const handler = handlers.get(name);
            if (!handler) throw unknown('update', name, handlers.keys());
            const input = await payloads.decode(kept);
            await inside.run(`the validation of ${name}`, async () => handler.validate?.(input));
            replay.noted(`update:${id}`, () => ({ update: id, output: { name, input: kept } }));
            this.begin(id, name, input);
        } catch (thrown) {
            const error = errorFields(thrown);
            const refused = await payloads.encodeError(thrown instanceof TaskError ? error : { ...error, class: 'validation' });
            replay.noted(`update:${id}`, () => ({ update: id, error: refused }));
        }
    }

    /** An update that the journal has accepted begins when its turn comes, and is not validated again. */
    replayed(row: HistoryRow): void {
        const resolve = ({ name, input }: Request) => {
            if (this.handlers.has(name)) this.begin(row.definition['update'], name, input);
            else this.replay.diverged(row, `the code has no update ${name}`);
        };
        this.replay.ops.set(row.id, { id: row.id, settled: false, promise: Promise.resolve(), resolve: resolve as Op['resolve'], reject() {} });
    }

    private begin(id: string, name: string, input: unknown): void {
        const { replay } = this;
        const { payloads } = replay.journal;
        const answer = (made: Promise<Partial<Entry>>) => {
            const entry = replay.noted(`answer:${id}`, () => ({ answer: id }));
            const fail = (thrown: unknown) => ({ error: errorFields(thrown) });
            if (!('no' in entry)) void replay.whileLoading(async () => Object.assign(entry, await made.catch(fail)));
        };
        void (async () => this.handlers.get(name)!.handle(input))().then(
            (output) => answer(replay.encoded(output).then((output) => ({ output }))),
            (thrown) => answer(payloads.encodeError(errorFields(thrown)).then((error) => ({ error }))),
        );
    }

    async answer({ name, input: kept }: Omit<Request, 'id'>): Promise<CodeEnd> {
        try {
            const query = this.queries.get(name);
            if (!query) throw unknown('query', name, this.queries.keys());
            const input = await this.replay.journal.payloads.decode(kept);
            const output = inside.run(`query ${name}`, () => query(input));
            if (output instanceof Promise) throw new TaskError('validation', 'async_query', `query ${name} gave a promise: it may wait for nothing`);
            return { output };
        } catch (thrown) {
            return { error: errorFields(thrown), retry: false };
        }
    }
}
