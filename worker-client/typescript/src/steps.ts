import type { InPlaceOptions, StepContext, Transaction } from './api.js';
import { errorFields, isRetried, TaskError } from './errors.js';
import { LostStep, type Entry } from './journal.js';
import type { Json } from './json.js';
import { inside, type Done, type Op, type Replay } from './replay.js';

type Options = InPlaceOptions & { transaction?: true };
const longDelay = 5000;

/** A step in place: a function that runs here, and is tried again, until what it gave is recorded. */
export class StepInPlace {
    readonly op: Op;
    private readonly run: Function;

    constructor(
        private readonly replay: Replay,
        name: string,
        private readonly options: Options,
        run: Function,
    ) {
        const { op, row } = replay.issue(replay.nextId(name), {});
        this.op = op;
        this.run = replay.journal.mocked?.(name) ?? run;
        // Pauses before an attempt that were long enough to be timers.
        let tried = 0,
            pause: Op | undefined;
        while (replay.rows.has(`${op.id}:retry#${tried + 1}`)) pause = replay.started(`${op.id}:retry#${++tried}`, { sleep: 0 });
        if (row && row.state !== 'pending') return;
        op.run = () => this.perform(tried);
        const begin = () => {
            replay.due.push(op);
            replay.moved();
        };
        if (!pause || pause.settled) begin();
        else void pause.promise.then(begin, (error) => replay.settle(op, 'reject', error));
    }

    private async perform(tried: number): Promise<Done> {
        const { replay, op } = this;
        const { journal, facts } = replay;
        for (let attempt = tried + 1; ; attempt++) {
            // As it will be after a replay: JSON.
            const make = async (tx?: Transaction): Promise<Entry> => {
                const output = await this.once(attempt, tx);
                return { id: op.id, output: asJson(await journal.payloads.encode(output, `runs/${facts.runId}`)) };
            };
            try {
                if (!this.options.transaction) return { entry: await make(), recorded: false };
                return { entry: await journal.transaction(op.id, async (tx) => replay.withSeen(await make(tx))), recorded: true };
            } catch (thrown) {
                if (thrown instanceof LostStep) throw thrown.cause;
                const error = errorFields(thrown);
                const { retries = 2 } = this.options;
                const again = attempt <= retries && isRetried(error.class) && !facts.signal.aborted;
                if (again) await this.pause(attempt);
                if (!again || facts.signal.aborted) return { entry: { id: op.id, error: await journal.payloads.encodeError(error) }, recorded: false };
            }
        }
    }

    private async pause(attempt: number): Promise<void> {
        const { retryDelaySeconds = 1, retryBackoff = 'exponential', retryMaxDelaySeconds = 30, retryJitter = 0.5 } = this.options;
        const growth = retryBackoff === 'fixed' ? 1 : 2 ** (attempt - 1);
        const delay = 1000 * Math.min(retryDelaySeconds * growth, retryMaxDelaySeconds) * (1 + Math.random() * retryJitter);
        const { replay, op } = this;
        if (delay < longDelay) return replay.journal.pause(delay, replay.facts.signal);
        replay.running--;
        const timer = replay.started(`${op.id}:retry#${attempt}`, { sleep: delay / 1000 });
        await timer.promise.catch(() => {}); // rejected by a cancel
        replay.running++;
    }

    private async once(attempt: number, tx?: Transaction): Promise<unknown> {
        // Not AbortSignal.any, whose signals Node 20 may collect while somebody listens.
        const { replay, op, run } = this,
            { signal } = replay.facts,
            aborted = new AbortController();
        const abort = () => aborted.abort(signal.reason);
        if (signal.aborted && !replay.raised) abort();
        signal.addEventListener('abort', abort);
        const context: StepContext = { attempt, idempotencyKey: `${replay.facts.runId}:${op.id}`, signal: aborted.signal };
        const work = inside.run(op.id, async () => (tx ? run(tx, context) : run(context)));
        const { timeoutSeconds } = this.options;
        let timer: NodeJS.Timeout | undefined;
        const late = new Promise<never>((_, reject) => {
            if (!timeoutSeconds) return;
            timer = setTimeout(() => {
                aborted.abort(new TaskError('timeout', 'timeout', `${op.id} was not over after ${timeoutSeconds} seconds`));
                reject(aborted.signal.reason);
            }, timeoutSeconds * 1000);
        });
        return Promise.race([work, late]).finally(() => {
            clearTimeout(timer);
            signal.removeEventListener('abort', abort);
        });
    }
}

const asJson = (value: Json): Json => (value === null || typeof value !== 'object' ? (value ?? null) : JSON.parse(JSON.stringify(value)));
