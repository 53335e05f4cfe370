import { useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { useLocation } from 'wouter';
import { post, request, segment } from '../api/client';
import type { Triggered } from '../api/types';
import { ActionDialog, quoted, StateSign, toast } from '../ui';
import { demo, type DemoWorkflow } from './demo';
import css from './LoadDemo.module.css';

async function load(one: DemoWorkflow): Promise<number> {
    await request('POST', '/workflows', { raw: { body: one.text, type: 'application/yaml' } });
    for (const run of one.runs) {
        await post<Triggered>(`/workflows/${segment(one.id)}/trigger`, {
            input: run.input,
            tags: run.tags,
            source: 'manual',
            ...(run.later ? { run_at: new Date(Date.now() + run.later * 1000).toISOString() } : {}),
        });
    }
    return one.runs.length;
}

const sql = demo
    .flatMap((one) => [
        `select * from orch.register(…);  -- ${one.id}`,
        ...one.runs.map(
            (run) => `select orch.trigger(${quoted(one.id)}, ${quoted(run.input)}${run.later ? `, run_at => now() + interval '${run.later} s'` : ''});`,
        ),
    ])
    .join('\n');

/** Stores a few workflows and starts runs of them, so that there is something to see: for administrators. */
export function LoadDemo({ onClose }: { onClose: () => void }) {
    const client = useQueryClient();
    const [, navigate] = useLocation();
    const [done, setDone] = useState<ReadonlySet<string>>(new Set());
    const [at, setAt] = useState<string | null>(null);
    const run = async (): Promise<void> => {
        let runs = 0;
        for (const one of demo) {
            setAt(one.id);
            runs += await load(one);
            setDone((before) => new Set([...before, one.id]));
        }
        setAt(null);
        for (const key of ['workflows', 'workflow', 'activity', 'runs']) void client.invalidateQueries({ queryKey: [key] });
        toast.done(`The demo is loaded: ${runs} runs`, 'Some of them wait for you: a signal, an approval, a dead letter.');
        navigate('/runs?tag=demo%3Dyes');
    };
    return (
        <ActionDialog title="Load the demo" verb="Load the demo" sql={sql} run={run} onClose={onClose}>
            <p className="muted">Stores these workflows and starts runs of them. None of them needs a worker, and nothing outside the database is touched.</p>
            <ul className={css.list}>
                {demo.map((one) => (
                    <li key={one.id}>
                        <StateSign state={done.has(one.id) ? 'succeeded' : at === one.id ? 'running' : 'pending'} />
                        <span>
                            <code>{one.id}</code> <span className="muted">{one.shows}</span>
                        </span>
                    </li>
                ))}
            </ul>
        </ActionDialog>
    );
}
