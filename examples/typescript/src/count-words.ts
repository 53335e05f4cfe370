import { readFileSync } from 'node:fs';
import type { TaskContext } from '@orch/client';

export default function countWords(task: TaskContext, { file }: { file: string }): Record<string, number> {
    const counts: Record<string, number> = {};
    for (const word of readFileSync(file, 'utf8')
        .toLowerCase()
        .match(/\p{L}+/gu) ?? [])
        counts[word] = (counts[word] ?? 0) + 1;
    task.log(`${Object.keys(counts).length} words in ${file}`);
    return counts;
}
