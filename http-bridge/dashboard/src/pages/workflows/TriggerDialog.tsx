import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { useLocation } from 'wouter';
import { ApiError, get, post, segment } from '../../api/client';
import type { Page, Run, RunDetail, Triggered } from '../../api/types';
import { Button, CodeField, Dialog, Icon, Sql, TextField, toast } from '../../ui';
import { Problem } from './Problem';
import { workflowDetail } from './queries';
import { bodyOf, inputNames, sqlOfTrigger, type TriggerFields } from './trigger';
import type { Json } from '../../source/text';
import css from './workflows.module.css';

const asText = (value: unknown): string => JSON.stringify(value, null, 2);

export function TriggerDialog({ workflow, version, onClose }: { workflow: string; version?: number; onClose: () => void }) {
    const client = useQueryClient();
    const [, navigate] = useLocation();
    const detail = useQuery(workflowDetail(workflow));
    const [typed, setTyped] = useState<string | null>(null);
    const [rest, setRest] = useState<Omit<TriggerFields, 'input'>>({
        key: '',
        priority: '',
        at: '',
        tags: '',
        timeout: '',
        version: version === undefined ? '' : String(version),
    });
    const [busy, setBusy] = useState(false);
    const [error, setError] = useState<unknown>(null);
    const names = detail.data ? inputNames(detail.data.spec as Json) : [];
    const input = typed ?? (names.length > 0 ? asText(Object.fromEntries(names.map((name) => [name, '']))) : '{}');
    const set = (name: keyof typeof rest) => (value: string) => setRest((before) => ({ ...before, [name]: value }));
    const made = bodyOf({ ...rest, input });
    const errors = 'errors' in made ? made.errors : {};
    const submit = async (): Promise<void> => {
        if (!('body' in made) || busy) return;
        setBusy(true);
        setError(null);
        try {
            const run = await post<Triggered>(`/workflows/${segment(workflow)}/trigger`, made.body);
            void client.invalidateQueries({ queryKey: ['activity'] });
            if (run.deduplicated) toast.done('This key has its run already', 'It is the one that you see; nothing was started.');
            onClose();
            navigate(`/runs/${run.run_id}`);
        } catch (caught) {
            setError(caught);
            setBusy(false);
        }
    };
    const asBefore = async (): Promise<void> => {
        try {
            const last = (await get<Page<Run>>('/runs', { workflow, limit: 1 })).items[0];
            if (!last) return toast.failed(new Error('It has not run before.'));
            setTyped(asText((await get<RunDetail>(`/runs/${last.run_id}`)).input));
        } catch (caught) {
            toast.failed(caught);
        }
    };
    return (
        <Dialog
            title={`Trigger ${workflow}`}
            width={600}
            onClose={onClose}
            onSubmit={() => void submit()}
            footer={
                <>
                    <Button onClick={onClose}>Close</Button>
                    <Button type="submit" kind="primary" icon="runs" disabled={!('body' in made)} busy={busy}>
                        {rest.at ? 'Trigger later' : 'Trigger'}
                    </Button>
                </>
            }
        >
            <CodeField
                label="Input"
                hint={
                    <span className="row wrap">
                        JSON{names.length > 0 && `; the definition reads ${names.slice(0, 6).join(', ')}`}
                        <button type="button" className={css.textButton} onClick={() => void asBefore()}>
                            As the last run
                        </button>
                    </span>
                }
                rows={Math.min(14, Math.max(4, input.split('\n').length + 1))}
                value={input}
                onChange={setTyped}
                error={typed === null ? null : errors.input}
                autoFocus
                onKeyDown={(event) => {
                    if (event.key === 'Enter' && (event.metaKey || event.ctrlKey)) void submit();
                }}
            />
            <div className={css.fields}>
                <TextField label="Start at" type="datetime-local" hint="Now, unless a time is given" value={rest.at} onChange={set('at')} error={errors.at} />
                <TextField label="Idempotency key" hint="With the same key it is the same run" value={rest.key} onChange={set('key')} maxLength={255} />
            </div>
            <details className={css.more}>
                <summary>
                    <Icon name="chevron" size={12} />
                    Priority, tags, timeout, version
                </summary>
                <div className={css.fields}>
                    <TextField
                        label="Priority"
                        inputMode="numeric"
                        placeholder="0"
                        hint="-1000 to 1000, higher first"
                        value={rest.priority}
                        onChange={set('priority')}
                        error={errors.priority}
                    />
                    <TextField label="Tags" placeholder="team=shop, urgent" hint="Runs can be found by them" value={rest.tags} onChange={set('tags')} />
                    <TextField label="Timeout" placeholder="1 hour" hint="In the place of the definition’s" value={rest.timeout} onChange={set('timeout')} />
                    <TextField
                        label="Version"
                        type="number"
                        min={1}
                        max={detail.data?.version}
                        placeholder={detail.data ? `${detail.data.version}, the current one` : 'the current one'}
                        value={rest.version}
                        onChange={set('version')}
                    />
                </div>
            </details>
            {'body' in made && <Sql>{sqlOfTrigger(workflow, made.body)}</Sql>}
            {error !== null && <Problem error={error} />}
            {detail.error instanceof ApiError && detail.error.status === 404 && <Problem error={detail.error} />}
        </Dialog>
    );
}
