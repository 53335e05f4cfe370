import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { get, post } from '../../api/client';
import type { Approval, RunDetail } from '../../api/types';
import { ActionDialog, CheckField, CodeField, JsonView, quoted, SelectField, TextField, toast } from '../../ui';
import { parseJson } from '../lists/json';
import { listCss as css, Section } from '../lists/List';
import { readForm, writeForm, type FormField } from './form';

function Field({ field, value, error, onChange }: { field: FormField; value: string; error?: string; onChange: (value: string) => void }) {
    const label = field.required ? `${field.title} (required)` : field.title;
    if (field.kind === 'boolean') return <CheckField label={field.title} checked={value === 'true'} onChange={(checked) => onChange(String(checked))} />;
    if (field.kind === 'choice')
        return (
            <SelectField
                label={label}
                hint={field.hint}
                error={error}
                value={value}
                onChange={onChange}
                options={[...(value === '' || !field.required ? [['', '–'] as const] : []), ...(field.choices ?? []).map((one) => [one, one] as const)]}
            />
        );
    if (field.kind === 'json') return <CodeField label={label} hint={field.hint} error={error} value={value} onChange={onChange} rows={3} />;
    return (
        <TextField
            label={label}
            hint={field.hint}
            error={error}
            value={value}
            onChange={onChange}
            inputMode={field.kind === 'number' ? 'decimal' : undefined}
        />
    );
}

/** The decision of one approval, with what the definition asks for and the run's input beside. */
export function Decide({ approval, approved, onClose, onDone }: { approval: Approval; approved: boolean; onClose: () => void; onDone: () => void }) {
    const run = useQuery({ queryKey: ['run', approval.run_id], queryFn: ({ signal }) => get<RunDetail>(`/runs/${approval.run_id}`, undefined, signal) });
    const form = readForm(approval.form);
    const [typed, setTyped] = useState<Record<string, string>>({});
    const [json, setJson] = useState('');
    const [comment, setComment] = useState('');
    const [touched, setTouched] = useState(false);
    const written = form.kind === 'fields' ? writeForm(form.fields, typed) : null;
    const free = form.kind === 'json' && json.trim() !== '' ? parseJson(json) : null;
    // What is asked of who approves need not be answered to reject.
    const answer = written?.ok ? written.value : free?.ok ? free.value : null;
    const missing = approved && ((written !== null && !written.ok) || (free !== null && !free.ok));
    const errors = touched && written && !written.ok ? written.errors : {};
    const verb = approved ? 'Approve' : 'Reject';
    const named = [
        quoted(approval.run_id),
        quoted(approval.task_id),
        `approved => ${approved}`,
        ...(comment ? [`comment => ${quoted(comment)}`] : []),
        ...(answer !== null ? [`form => ${quoted(JSON.stringify(answer))}`] : []),
    ];
    return (
        <ActionDialog
            title={`${verb} ${approval.task_id}`}
            verb={verb}
            danger={!approved}
            disabled={missing}
            sql={`select orch.approve(${named.join(', ')});`}
            run={async () => {
                await post(`/runs/${approval.run_id}/approve`, {
                    task: approval.task_id,
                    approved,
                    comment: comment || null,
                    ...(answer === null ? {} : { form: answer }),
                });
                toast.done(approved ? `Approved: ${approval.workflow} goes on` : `Rejected ${approval.task_id} of ${approval.workflow}`);
            }}
            onDone={onDone}
            onClose={onClose}
        >
            <p className="muted">
                {approved
                    ? 'The run goes on with this as the output of the task.'
                    : 'The task ends with the answer no; what follows from that is said by the definition.'}{' '}
                A decision cannot be taken back.
            </p>
            {run.data && run.data.input !== null && (
                <Section title={`What ${approval.workflow} was started with`}>
                    <div className={css.framed}>
                        <JsonView value={run.data.input} />
                    </div>
                </Section>
            )}
            {approved && form.kind === 'fields' && (
                <div style={{ display: 'grid', gap: 12 }} onBlur={() => setTouched(true)}>
                    {form.fields.map((field) => (
                        <Field
                            key={field.name}
                            field={field}
                            value={typed[field.name] ?? field.initial}
                            error={errors[field.name]}
                            onChange={(value) => setTyped((before) => ({ ...before, [field.name]: value }))}
                        />
                    ))}
                </div>
            )}
            {approved && form.kind === 'json' && (
                <>
                    <Section title="Asked for">
                        <div className={css.framed}>
                            <JsonView value={form.asked} />
                        </div>
                    </Section>
                    <CodeField label="Answer, in JSON" value={json} onChange={setJson} rows={4} error={free && !free.ok ? free.error : null} />
                </>
            )}
            <TextField label="Comment" value={comment} onChange={setComment} placeholder="Why; it stays in the history" />
        </ActionDialog>
    );
}
