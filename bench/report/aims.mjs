// What orch promises of its speed, and whether a run's results keep it. An aim that was not measured is neither passed nor missed.
const engines = [['dbos', ''], ['absurd', ''], ['pgboss', ''], ['openworkflow', ''], ['pgflow', ''], ['bullmqpg', '']]; // on Postgres, and they record a chain

function aim(workload, text, ours, theirs, wanted, { unit = '', against = '', least = true } = {}) {
    const measured = Number.isFinite(ours) && Number.isFinite(theirs) && theirs > 0;
    const ratio = measured ? ours / theirs : null;
    return { workload, text, ours: ours ?? null, theirs: theirs ?? null, against, unit, ratio, wanted, least, relative: true, verdict: !measured ? 'not measured' : (least ? ratio >= wanted : ratio <= wanted) ? 'passed' : 'missed' };
}

/** Ours is at most `most`, in its unit; below: less than. */
function limit(workload, text, ours, most, unit, { least = false } = {}) {
    const verdict = !Number.isFinite(ours) ? 'not measured' : (least ? ours >= most : ours <= most) ? 'passed' : 'missed';
    return { workload, text, ours: ours ?? null, theirs: null, against: '', unit, ratio: null, wanted: most, least, relative: false, verdict };
}

function best(results, workload, among) {
    let found = { value: null, who: '' };
    for (const [peer, tag] of among) {
        const value = results.value(peer, workload, tag, 'work', 'per_s');
        if (value !== null && value > (found.value ?? 0)) found = { value, who: peer + (tag ? ` (${tag})` : '') };
    }
    return found;
}

/** The rate of the last three tenths to that of the second to fourth; the first has the start in it. */
function flatness(results, workload, tag) {
    const ratios = results.of('orch', workload, tag).map((line) => line.phases.drain?.tenths).filter(Boolean).map((t) => (t[3] - t[0]) / (t[9] - t[6]));
    return ratios.length ? Math.min(...ratios) : null;
}

function mostMemory(results, workload, tags, field) {
    const values = tags.flatMap((tag) => results.of('orch', workload, tag)).flatMap((line) => [line.phases.memory ?? [], line.phases.trigger ?? []].flat()).map((phase) => phase[field]);
    const numbers = values.filter(Number.isFinite);
    return numbers.length ? Math.max(...numbers) : null;
}

function growth(results) {
    const parts = results.of('orch', 'W11', 'worker').map((line) => line.phases.memory ?? []).filter((list) => list.length > 1);
    return parts.length ? Math.max(...parts.map((list) => list.at(-1).worker_mib / list[0].worker_mib)) : null;
}

const sum = (...values) => (values.every(Number.isFinite) ? values.reduce((a, b) => a + b) : null);

export function aims(results) {
    const value = (...path) => results.value(...path);
    // Where a peer is too fast for 20,000, the larger bag counts.
    const bag = value('graphile', 'W1', 'large', 'drain', 'per_s') !== null ? 'large' : '';
    const drain = value('orch', 'W1', bag, 'drain', 'per_s');
    const others = results.peers().filter((peer) => peer !== 'orch' && peer !== 'code');
    const anyChain = best(results, 'W2', others.flatMap((peer) => results.tags(peer, 'W2').map((tag) => [peer, tag])));
    const engineChain = best(results, 'W2', engines);
    const chain = value('orch', 'W2', '', 'work', 'per_s'), code = value('code', 'W2', '', 'work', 'per_s'), fan = value('orch', 'W3', '', 'work', 'per_s');
    const p50 = value('orch', 'W4', '', 'latency', 'p50_ms');
    const history = value('orch', 'W5', 'history', 'drain', 'per_s'), behind = results.of('orch', 'W5', 'history')[0]?.options.history;
    const graph = (field, tag = '100000') => value('orch', 'W7', tag, 'graph', field);
    const cost = (tag) => {
        const seconds = sum(graph('validate_s', tag), graph('register_s', tag), graph('trigger_s', tag));
        return seconds === null ? null : (seconds / Number(tag)) * 1e6;
    };
    const wal = sum(value('orch', 'W1', '', 'trigger', 'wal'), value('orch', 'W1', '', 'drain', 'wal'));
    const rate = { unit: '/s' };
    return [
        aim('W1', 'trigger_many, to graphile-worker enqueueing', value('orch', 'W1', bag, 'trigger', 'per_s'), value('graphile', 'W1', bag, 'trigger', 'per_s'), 2, rate),
        aim('W1', 'drain by 500, to graphile-worker, which keeps no history', drain, value('graphile', 'W1', bag, 'drain', 'per_s'), 1.5, rate),
        aim('W1', 'drain by 500, to pg-boss', drain, value('pgboss', 'W1', bag, 'drain', 'per_s'), 3, rate),
        aim('W1', 'drain by 500, to the floor at 500', drain, results.floor('two_500'), 0.6, rate),
        aim('W1', 'drain by 50, to the floor at 50', value('orch', 'W1', '50', 'drain', 'per_s'), results.floor('two_50'), 0.6, rate),
        aim('W1', 'one at a time by 8, to the floor with the same rows', value('orch', 'W1', 'one', 'drain', 'per_s'), results.floor('rows_1'), 0.6, rate),
        aim('W2', 'chains, to the best in any form', chain, anyChain.value, 3, { ...rate, against: anyChain.who }),
        aim('W2', 'chains, to the best engine on Postgres that records them', chain, engineChain.value, 10, { ...rate, against: engineChain.who }),
        aim('W2', 'chains in code, to DBOS', code, value('dbos', 'W2', '', 'work', 'per_s'), 4, rate),
        aim('W2', 'chains in code, to Absurd', code, value('absurd', 'W2', '', 'work', 'per_s'), 4, rate),
        aim('W2', 'chains in code, to Restate', code, value('restate', 'W2', '', 'work', 'per_s'), 1, rate),
        aim('W3', 'fans, to BullMQ', fan, value('bullmq', 'W3', '', 'work', 'per_s'), 4, rate),
        aim('W3', 'fans, to pg-boss', fan, value('pgboss', 'W3', '', 'work', 'per_s'), 8, rate),
        limit('W4', 'chain of three alone, p50', p50, 1.2, ' ms'),
        limit('W4', 'chain of three alone, p99', value('orch', 'W4', '', 'latency', 'p99_ms'), 4, ' ms'),
        aim('W4', 'p50, to that of BullMQ', p50, value('bullmq', 'W4', '', 'latency', 'p50_ms'), 1 / 3, { unit: ' ms', least: false }),
        aim('W5', `drain behind ${behind ? Number(behind).toLocaleString('en-US') : '10,000,000'} finished runs, to none`, history, drain, 0.95, rate),
        aim('W6', 'drain beside an old snapshot, to none', value('orch', 'W6', 'held', 'drain', 'per_s'), drain, 0.9, rate),
        limit('W6', 'the rate at its end, to that at its beginning', flatness(results, 'W6', 'held'), 0.9, '', { least: true }),
        limit('W7', '100,000 tasks: validate', graph('validate_s'), 0.3, ' s'),
        limit('W7', '100,000 tasks: register', graph('register_s'), 2, ' s'),
        limit('W7', '100,000 tasks: trigger', graph('trigger_s'), 2, ' s'),
        aim('W7', '100,000 tasks: drain, to W1', value('orch', 'W7', '100000', 'drain', 'per_s'), drain, 0.8, rate),
        aim('W7', 'cost a task to validate, register and trigger at 100,000, to 1,000', cost('100000'), cost('1000'), 1.5, { unit: ' us', least: false }),
        limit('W8', '256 waiting workers: queries a second', value('orch', 'W8', '256', 'idle', 'queries_per_s'), 0, '/s'),
        aim('W8', '256 workers, to 8', value('orch', 'W8', '256', 'drain', 'per_s'), value('orch', 'W8', '8', 'drain', 'per_s'), 0.9, rate),
        limit('W9', 'map of 100,000: expand', value('orch', 'W9', '', 'expand', 's'), 2, ' s'),
        aim('W9', 'map of 100,000: drain, to W1', value('orch', 'W9', '', 'drain', 'per_s'), drain, 0.8, rate),
        limit('W10', 'SQL steps', value('orch', 'W10', '', 'work', 'per_s'), 6000, '/s', { least: true }),
        limit('W10', 'chain of ten SQL steps alone, p50', value('orch', 'W10', '', 'latency', 'p50_ms'), 5, ' ms'),
        limit('WAL', 'trigger and drain, without full-page images', wal, 1331, ' B'),
        aim('WAL', 'trigger and drain, to pg-boss', wal, sum(value('pgboss', 'W1', '', 'trigger', 'wal'), value('pgboss', 'W1', '', 'drain', 'wal')), 0.75, { unit: ' B', least: false }),
        limit('commits', 'a task of a chain alone, its trigger included', value('orch', 'W4', '', 'latency', 'commits'), 1, ''),
        limit('commits', 'a task in batches', value('orch', 'W1', '', 'drain', 'commits'), 0.05, ''),
        limit('restart', `start to first lease, ${Number(results.of('orch', 'restart')[0]?.options.n ?? 1_000_000).toLocaleString('en-US')} active runs`,
            value('orch', 'restart', '', 'restart', 'first_lease_s'), 15, ' s'),
        limit('memory', 'a worker, at most', mostMemory(results, 'W11', ['worker'], 'worker_mib'), 64, ' MiB'),
        limit('memory', 'a worker, its end to its first quarter', growth(results), 1.1, ''),
        limit('memory', 'a backend, at most', mostMemory(results, 'W11', ['', 'worker'], 'backend_mib'), 100, ' MiB'),
        limit('memory', 'a backend with a graph of 100,000, at most', mostMemory(results, 'W7', ['100000'], 'backend_mib'), 100, ' MiB'),
    ];
}
