// Map-reduce over files: a step for each file, all at once on as many workers as there are; then one that puts the counts together.
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { defineTask, defineWorkflow } from '@orch/client';

type Counts = Record<string, number>;

// A module of its own: it runs in a process that can be stopped, since counting listens to nobody.
export const countWords = defineTask<{ file: string }, Counts>('countWords', new URL('./count-words.js', import.meta.url), { concurrency: 4 });

export const wordCount = defineWorkflow('wordCount', async (ctx, { folder }: { folder: string }) => {
    const files = await ctx.step('list', async () => (await readdir(folder)).sort());
    const counts = await ctx.all(files.map((file) => ctx.step(countWords, { file: join(folder, file) }, { timeoutSeconds: 60 })));
    return ctx.step('reduce', () => {
        const total: Counts = {};
        for (const one of counts) for (const [word, count] of Object.entries(one)) total[word] = (total[word] ?? 0) + count;
        const top = Object.entries(total).sort(([a, m], [b, n]) => n - m || a.localeCompare(b));
        return {
            files: files.length,
            top: top.slice(0, 3),
        };
    });
});
