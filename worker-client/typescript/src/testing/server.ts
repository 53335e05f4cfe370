import { execFile, spawn } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { appendFile, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import pg from 'pg';

const run = promisify(execFile);

/** A throw-away server with orch in a directory of its own, on a socket there; gone after `stop`. Needs the extension installed beside `pgConfig`. */
export class TestServer {
    private constructor(
        readonly directory: string,
        readonly database: string,
        private readonly bindir: string,
        private readonly as: string[],
    ) {}

    /** `clock` lets `advance` move the time of the server. */
    static async start({ pgConfig = process.env['PG_CONFIG'] ?? 'pg_config', clock = true, settings = '' } = {}): Promise<TestServer> {
        const bindir = (await run(pgConfig, ['--bindir'])).stdout.trim();
        const directory = await mkdtemp(join(tmpdir(), 'orch-ts.'));
        // The server refuses to be root.
        const as = userInfo().uid === 0 ? ['runuser', '-u', 'postgres', '--'] : [];
        if (as.length > 0) await run('chown', ['postgres', directory]);
        const port = randomInt(20_000, 60_000);
        const server = new TestServer(directory, `postgresql://postgres@/postgres?host=${directory}&port=${port}`, bindir, as);
        try {
            const data = join(directory, 'data');
            await server.execute('initdb', '-D', data, '-U', 'postgres', '-A', 'trust', '--no-sync', '--encoding=UTF8', '--locale=C.UTF-8');
            const lines = [
                `listen_addresses = ''`,
                `unix_socket_directories = '${directory}'`,
                `port = ${port}`,
                `shared_preload_libraries = 'orch'`,
                'fsync = off',
            ];
            await appendFile(
                join(data, 'postgresql.conf'),
                [...lines, 'max_worker_processes = 32', clock ? 'orch.test_clock = on' : '', settings, ''].join('\n'),
            );
            await server.execute('pg_ctl', '-D', data, '-l', join(directory, 'log'), '-w', 'start');
            await server.sql('create extension orch');
            return server;
        } catch (error) {
            await server.stop();
            throw error;
        }
    }

    async sql(text: string, values: unknown[] = []): Promise<any[]> {
        const client = new pg.Client({ connectionString: this.database });
        await client.connect();
        try {
            return (await client.query(text, values)).rows;
        } finally {
            await client.end();
        }
    }

    /** '2 hours', say. */
    async advance(interval: string): Promise<void> {
        await this.sql('select _orch.advance_clock($1::interval)', [interval]);
    }

    async stop(): Promise<void> {
        await this.execute('pg_ctl', '-D', join(this.directory, 'data'), '-m', 'immediate', '-w', 'stop').catch(() => {});
        await rm(this.directory, { recursive: true, force: true });
    }

    // Its output goes nowhere: the server that pg_ctl starts keeps what it has open.
    private execute(program: string, ...args: string[]): Promise<void> {
        const [command, ...rest] = [...this.as, join(this.bindir, program), ...args] as [string, ...string[]];
        return new Promise((resolve, reject) => {
            const child = spawn(command, rest, { cwd: '/', stdio: 'ignore' });
            child
                .on('error', reject)
                .on('exit', (code) => (code === 0 ? resolve() : reject(new Error(`${program} ended with exit code ${code}; see ${this.directory}/log`))));
        });
    }
}
