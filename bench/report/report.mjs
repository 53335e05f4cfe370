// report.mjs NAME.jsonl [--strict]: the run as Markdown and a plot beside it (NAME.md, NAME.svg), and the table of aims on the terminal. --strict: exit code 1 where an aim is missed.
import fs from 'node:fs';
import path from 'node:path';
import { aims } from './aims.mjs';
import { plot } from './plot.mjs';
import { Results, show, spread } from './results.mjs';

const names = { orch: 'orch', code: 'orch in TypeScript', graphile: 'graphile-worker', pgboss: 'pg-boss', bullmq: 'BullMQ on Redis', bullmqpg: 'BullMQ on Postgres', dbos: 'DBOS', absurd: 'Absurd',
    restate: 'Restate', openworkflow: 'openworkflow', pgflow: 'pgflow', worldpg: 'Workflow SDK on Postgres' };
const floors = { two_1: 'take and complete one, two transactions, 8 clients', one_1: 'complete one and take the next in one transaction, 8 clients', two_50: 'take and complete 50, two transactions, 4 clients',
    two_500: 'take and complete 500, two transactions, 4 clients', rows_1: "a settle's and a lease's rows of orch, one transaction, 8 clients", rows_50: "a settle's and a lease's rows of orch by 50, 4 clients", rows_500: "a settle's and a lease's rows of orch by 500, 4 clients",
    insert_500: 'insert 500 small rows, 4 clients', trigger_500: "a trigger's rows of orch by 500, 1 client" };

function table(head, rows) {
    return rows.length === 0 ? [] : [`| ${head.join(' | ')} |`, `|${head.map(() => '---|').join('')}`, ...rows.map((row) => `| ${row.join(' | ')} |`), ''];
}

function aimsTable(list) {
    const bound = (aim) => `${aim.least ? 'at least' : 'at most'} ${show(aim.wanted)}${aim.relative ? ' x' : aim.unit}`;
    return table(['work', 'aim', 'orch', 'against', 'ratio', 'wanted', ''], list.map((aim) => [aim.workload, aim.text, aim.ours === null ? '-' : show(aim.ours) + aim.unit,
        aim.theirs === null ? '' : `${show(aim.theirs)}${aim.unit}${aim.against ? ` ${aim.against}` : ''}`, aim.ratio === null ? '' : show(aim.ratio), bound(aim),
        aim.verdict === 'missed' ? '**missed**' : aim.verdict]));
}

function report(results, list, picture) {
    const { machine } = results;
    const counted = (verdict) => list.filter((aim) => aim.verdict === verdict).length;
    const out = ['# The last run', ''];
    if (machine) {
        out.push(`${machine.at}, commit ${machine.commit}: ${machine.machine.cores} cores (${machine.machine.cpu}), ${machine.machine.memory_gib} GiB, ${machine.machine.os}, kernel ${machine.machine.kernel}; `
            + `PostgreSQL ${machine.postgres}, Node ${machine.node}, Redis ${machine.redis}.`);
        out.push(`Settings: ${Object.entries(machine.settings).map(([name, value]) => `\`${name} = ${value}\``).join(', ')}.`, '');
    }
    out.push('Medians, in brackets the least and the most of the repetitions. Only ratios within one run mean something; `foreign` is the share of all cores that something else on the machine had meanwhile.', '');
    out.push(`![rates and latencies](${picture})`, '', `## Aims: ${counted('passed')} passed, ${counted('missed')} missed, ${counted('not measured')} not measured`, '', ...aimsTable(list));

    const rows = [];
    for (const peer of results.peers()) {
        const get = (workload, phase, field) => spread(results.figure(peer, workload, '', phase, field));
        const version = results.lines.find((line) => line.peer === peer)?.version;
        const share = results.value(peer, 'W1', '', 'drain', 'per_s') / results.floor('two_500');
        rows.push([`${names[peer] ?? peer} ${version}`, get('W1', 'trigger', 'per_s'), get('W1', 'drain', 'per_s'), results.floor('two_500') ? `${show(100 * share)} %` : '-', get('W2', 'work', 'per_s'), get('W3', 'work', 'per_s'), get('W4', 'latency', 'p50_ms'),
            get('W4', 'latency', 'p99_ms'), show(Math.max(...['W1', 'W2', 'W3', 'W4'].map((workload) => results.foreign(peer, workload) ?? 0)))]);
    }
    out.push('## Rates', '', ...table(['', 'W1 trigger/s', 'W1 drain/s', 'of bare rows', 'W2 steps/s', 'W3 tasks/s', 'W4 p50 ms', 'W4 p99 ms', 'foreign %'], rows));

    const beside = [];
    for (const peer of results.peers()) {
        for (const [workload, tag] of [['W5', 'history'], ['W6', 'held']]) {
            const figure = results.figure(peer, workload, tag, 'drain', 'per_s'), first = results.of(peer, workload, tag)[0];
            const without = results.of(peer, 'W1', 'large').some((line) => line.phases.drain.n === first?.phases.drain.n) ? 'large' : '';
            const rate = results.figure(peer, 'W1', without, 'drain', 'per_s');
            if (figure && rate) beside.push([names[peer] ?? peer, workload === 'W5' ? `${show(Number(first.options.history))} finished before` : 'an old snapshot held', show(first.phases.drain.n), spread(rate), spread(figure), show(figure.median / rate.median)]);
        }
    }
    out.push('## Behind history, beside a snapshot', '', ...table(['', '', 'tasks', 'W1 drain/s without', 'with', 'ratio'], beside));

    const costs = [], done = new Set();
    for (const { peer, workload, tag = '' } of results.lines) {
        if (peer === 'floor' || done.has(peer + workload + tag)) continue;
        done.add(peer + workload + tag);
        for (const phase of ['trigger', 'drain', 'work', 'latency']) {
            const value = (field) => results.value(peer, workload, tag, phase, field);
            if (value('s') === null && value('p50_ms') === null) continue;
            costs.push([names[peer] ?? peer, `${workload}${tag ? ` ${tag}` : ''}`, phase, show(value('n')), show(value('per_s')), ['p50_ms', 'p95_ms', 'p99_ms'].map((name) => show(value(name))).join(' / '), show(value('wal')),
                show(value('fpi')), show(value('commits')), show(value('dead_made')), show(value('hot')), phase === 'drain' ? show(results.value(peer, workload, tag, 'left', 'dead_left')) : '',
                show(results.processorOf(peer, workload, tag, phase)), show(results.foreign(peer, workload, tag))]);
        }
    }
    out.push('## What a task costs', '', 'WAL bytes without full-page images, those beside; commits and row versions (dead tuples made, of them HOT) as the WAL tells; core-us: processor time of client and server. '
        + 'The quantiles are of a whole run in W4 and of one call in a drain. Redis and Restate write no WAL of Postgres.', '',
        ...table(['', 'work', 'phase', 'n', '/s', 'p50 / p95 / p99 ms', 'WAL B', 'images B', 'commits', 'dead made', 'HOT', 'dead left', 'core-us', 'foreign %'], costs));

    const bare = Object.entries(floors).filter(([name]) => results.floor(name) !== null);
    const shares = [['', 'trigger', 'trigger_500'], ['', 'drain', 'two_500'], ['', 'drain', 'rows_500'], ['50', 'drain', 'two_50'], ['50', 'drain', 'rows_50'], ['one', 'drain', 'one_1'], ['one', 'drain', 'rows_1']]
        .map(([tag, phase, floor]) => [phase === 'trigger' ? 'trigger_many' : `drain by ${tag || '500'}`, floors[floor], results.value('orch', 'W1', tag, phase, 'per_s') / results.floor(floor)])
        .filter(([, , share]) => share > 0).map(([what, text, share]) => [what, text, `${show(100 * share)} %`]);
    out.push('## The floor', '', 'Bare statements by pgbench on the same cluster, and what orch reaches of them.', '', ...table(['orch', 'floor', 'share'], shares), ...table(['', 'items/s', 'WAL B'], bare.map(([name, text]) => [text, spread(results.figure('floor', 'floor', name, 'floor', 'per_s')), show(results.floor(name, 'wal'))])));

    const alone = [];
    for (const workload of ['W7', 'W8', 'W9', 'W10', 'W11', 'restart']) {
        for (const tag of results.tags('orch', workload)) {
            const facts = [];
            for (const [phase, fields] of Object.entries(results.of('orch', workload, tag)[0].phases)) {
                for (const [field, one] of Array.isArray(fields) ? Object.entries(fields.at(-1)) : Object.entries(fields)) {
                    if (['tenths', 'processor', 'wal', 'fpi', 'commits', 'dead_made', 'hot'].includes(field)) continue;
                    facts.push(`${phase} ${field} ${typeof one === 'number' ? show(Array.isArray(fields) ? one : results.value('orch', workload, tag, phase, field)) : one}`);
                }
            }
            alone.push([`${workload} ${tag}`, facts.join(', ')]);
        }
    }
    out.push('## orch alone', '', ...table(['', ''], alone));
    if (results.bridge) out.push('## What HTTP adds', '', '```', results.bridge, '```', '');
    if (results.leftOut.length || results.failed.length) out.push('## Left out', '', ...results.leftOut.map(([peer, why]) => `- ${peer}: ${why}`), ...results.failed.map((line) => `- ${line.failed} ${line.workload} failed: ${line.why}`), '');
    return out.join('\n');
}

const [file, ...flags] = process.argv.slice(2);
const results = Results.read(file), list = aims(results), base = file.replace(/\.jsonl$/, '');
fs.writeFileSync(`${base}.md`, report(results, list, `${path.basename(base)}.svg`));
fs.writeFileSync(`${base}.svg`, plot(results, names));
console.log(aimsTable(list).join('\n'));
for (const [peer, why] of results.leftOut) console.log(`left out: ${peer}, ${why}`);
const missed = list.filter((aim) => aim.verdict === 'missed').length;
console.log(`${list.filter((aim) => aim.verdict === 'passed').length} passed, ${missed} missed, ${list.filter((aim) => aim.verdict === 'not measured').length} not measured; ${base}.md`);
process.exit(flags.includes('--strict') && missed > 0 ? 1 : 0);
