// orch.mjs WORKLOAD REPETITION [NAME=VALUE...]: orch's driver once, in a fresh database; its phases as one line of results. `tag` goes into the line, the rest to the driver.
import { execFileSync, spawn } from 'node:child_process';
import readline from 'node:readline';
import { look, postmaster, shares } from './processor.mjs';

const [, , workload, repetition, ...given] = process.argv;
const options = Object.fromEntries(given.map((pair) => pair.split('=')));
const { tag = '', driver = { W5: 'W1', W6: 'W1' }[workload] ?? workload, ...rest } = options;
const database = 'bench_orch';
const sql = (statement, where = 'postgres') => execFileSync('psql', ['-XAtq', '-v', 'ON_ERROR_STOP=1', '-d', where, '-c', statement], { encoding: 'utf8' }).trim();

sql(`drop database if exists ${database} with (force)`);
sql(`create database ${database}`);
sql('create extension orch', database);
const line = { peer: 'orch', version: sql("select extversion from pg_extension where extname = 'orch'", database), workload, tag, rep: +repetition, options: rest, phases: {} };
const child = spawn('orch-bench', [driver, ...Object.entries(rest).map(([name, value]) => `${name}=${value}`)], {
    env: { ...process.env, PGDATABASE: database, PGHOST: '127.0.0.1' }, stdio: ['ignore', 'pipe', 'inherit'],
});
let before = null;
const memories = [];
const ended = new Promise((resolve) => child.once('close', resolve));
for await (const text of readline.createInterface({ input: child.stdout })) {
    const phase = JSON.parse(text);
    if (phase.at === 'begin') {
        before = look(postmaster());
        continue;
    }
    if (before) phase.processor = shares(before, look(postmaster()));
    before = null;
    if (phase.phase === 'memory') memories.push(phase);
    else line.phases[phase.phase] = phase;
    delete phase.phase;
}
if (memories.length > 0) line.phases.memory = memories;
const code = await ended;
if (code !== 0) process.exit(code || 1);
sql(`drop database if exists ${database} with (force)`);
console.log(JSON.stringify(line));
