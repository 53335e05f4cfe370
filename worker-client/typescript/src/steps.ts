import type { InPlaceOptions, StepContext, Transaction } from './api.js';
import { errorFields, isRetried, TaskError } from './errors.js';
import { type Done, type Entry, LostStep, type Op, type Replay, inside } from './replay.js';

const longDelay = 5000;

/** A step in place: a function that runs here, and is tried again, until what it gave is recorded. */
export function stepInPlace(replay: Replay, name: string, options: InPlaceOptions & { transaction?: true }, given: Function): Promise<any> {
    const { journal, facts } = replay;
    const run = journal.mocked?.(name) ?? given;
    const { op, row } = replay.issue(replay.nextId(name), {});
    // Pauses before an attempt that were long enough to be timers.
    let tried = 0;
    let pause: Op | undefined;
    while (replay.rows.has(`${op.id}:retry#${tried + 1}`)) pause = replay.started(`${op.id}:retry#${++tried}`, { sleep: 0 });
    if (row && row.state !== 'pending') return op.promise;

    async function perform(): Promise<Done> {
        const { retries = 2 } = options;
        for (let attempt = tried + 1; ; attempt++) {
            // As it will be after a replay: JSON.
            const make = async (tx?: Transaction): Promise<Entry> => {
                const output = await journal.payloads.encode(await inTime(attempt, tx), `runs/${facts.runId}`);
                return { id: op.id, output: JSON.parse(JSON.stringify(output ?? null)) };
            };
            try {
                if (!options.transaction) return { entry: await make(), recorded: false };
                return { entry: await journal.transaction(op.id, async (tx) => replay.withSeen(await make(tx))), recorded: true };
            } catch (thrown) {
                if (thrown instanceof LostStep) throw thrown.cause;
                const error = errorFields(thrown);
                const again = attempt <= retries && isRetried(error.class) && !facts.signal.aborted;
                if (again) await pauseBehind(attempt);
                if (!again || facts.signal.aborted) return { entry: { id: op.id, error: await journal.payloads.encodeError(error) }, recorded: false };
            }
        }
    }

    async function pauseBehind(attempt: number): Promise<void> {
        const { retryDelaySeconds = 1, retryBackoff = 'exponential', retryMaxDelaySeconds = 30, retryJitter = 0.5 } = options;
        const growth = retryBackoff === 'fixed' ? 1 : 2 ** (attempt - 1);
        const delay = 1000 * Math.min(retryDelaySeconds * growth, retryMaxDelaySeconds) * (1 + Math.random() * retryJitter);
        if (delay < longDelay) return journal.pause(delay, facts.signal);
        replay.running--;
        await replay.started(`${op.id}:retry#${attempt}`, { sleep: delay / 1000 }).promise.catch(() => {}); // rejected by a cancel
        replay.running++;
    }

    function inTime(attempt: number, tx?: Transaction): Promise<unknown> {
        const { signal } = facts;
        const { timeoutSeconds } = options;
        const aborted = new AbortController(); // not AbortSignal.any, whose signals Node 20 may collect while somebody listens
        const abort = () => aborted.abort(signal.reason);
        if (signal.aborted && !replay.raised) abort();
        signal.addEventListener('abort', abort);
        const context: StepContext = { attempt, idempotencyKey: `${facts.runId}:${op.id}`, signal: aborted.signal };
        const work = inside.run(op.id, async () => (tx ? run(tx, context) : run(context)));
        let timer: NodeJS.Timeout | undefined;
        const late = new Promise((_, reject) => {
            const error = new TaskError('timeout', 'timeout', `${op.id} was not over after ${timeoutSeconds} seconds`);
            if (timeoutSeconds) timer = setTimeout(() => (aborted.abort(error), reject(error)), timeoutSeconds * 1000);
        });
        return Promise.race([work, late]).finally(() => {
            clearTimeout(timer);
            signal.removeEventListener('abort', abort);
        });
    }

    op.run = perform;
    const begin = () => {
        replay.due.push(op);
        replay.moved();
    };
    if (!pause || pause.settled) begin();
    else void pause.promise.then(begin, (error) => replay.settle(op, 'reject', error));
    return op.promise;
}
