// What an application does: triggers both examples, sends the signal, and prints what happens.
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Client, OrchError, type Run } from '@orch/client';
import pg from 'pg';
import { userSignupFlow } from './signup.js';
import { wordCount } from './words.js';

const pool = new pg.Pool({
    connectionString: process.env['ORCH_DATABASE_URL'],
});
const orch = new Client(pool);

// The worker registers its workflows when it starts.
async function once<T>(trigger: () => Promise<Run<T>>): Promise<Run<T>> {
    for (;;) {
        try {
            return await trigger();
        } catch (error) {
            if (!(error instanceof OrchError) || error.code !== 'OR002') throw error;
            await setTimeout(100);
        }
    }
}

const words = await once(() =>
    orch.trigger(wordCount, {
        folder: fileURLToPath(new URL('../texts', import.meta.url)),
    }),
);
console.log('words:', JSON.stringify(await words.result('2 minutes')));

await pool.query('create table if not exists account (email text primary key, created_at timestamptz not null)');
const email = `${Date.now()}@example.org`;
const signup = await once(() => orch.trigger(userSignupFlow, { email, pause: '1 s' }));
// In one transaction with whatever confirms the address.
const client = await pool.connect();
await client.query('begin');
await new Client(client).signal(signup.id, 'confirmed', { code: 42 });
await client.query('commit');
client.release();
for await (const { at, taskId, kind } of signup.events()) console.log(`  ${at.toISOString()} ${taskId ?? 'run'} ${kind}`);
console.log('signup:', JSON.stringify(await signup.result('2 minutes')));
await pool.end();
