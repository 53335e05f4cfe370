// What can be done to a run and its tasks, each with the SQL it is the same as.
import { useState } from 'react';
import { useLocation } from 'wouter';
import { del, post, segment } from '../../api/client';
import { isOver, type DeadLetter, type Run, type Triggered } from '../../api/types';
import { ActionDialog, CheckField, CodeField, quoted, TextField, toast } from '../../ui';
import { usePayloads } from './useRun';

const idOf = (run: Run): string => `/runs/${segment(run.run_id)}`;

/** JSON of a field: its value, or why it is none. Empty is nothing. */
export function parseJson(text: string): { value?: unknown; error: string | null } {
    if (text.trim() === '') return { error: null };
    try {
        return { value: JSON.parse(text), error: null };
    } catch (error) {
        return { error: (error as Error).message };
    }
}

export type RunAction = 'cancel' | 'retry' | 'signal' | 'again' | 'erase' | 'delete';
interface ActionProps {
    run: Run;
    onClose: () => void;
}

export function Cancel({ run, onClose }: ActionProps) {
    const [force, setForce] = useState(false);
    return (
        <ActionDialog
            title="Cancel the run"
            verb="Cancel the run"
            danger
            sql={`select orch.cancel(${quoted(run.run_id)}${force ? ', force => true' : ''});`}
            run={() => post(`${idOf(run)}/cancel`, { force })}
            onDone={() => toast.done('The run is being cancelled')}
            onClose={onClose}
        >
            <p>Tasks that run are told to stop, and no further one begins. Tasks under finally run all the same.</p>
            <CheckField label="Leave out the tasks under finally" checked={force} onChange={setForce} />
        </ActionDialog>
    );
}

export function Retry({ run, onClose }: ActionProps) {
    return (
        <ActionDialog
            title="Retry the run"
            verb="Retry"
            sql={`select orch.retry(${quoted(run.run_id)});`}
            run={() => post(`${idOf(run)}/retry`)}
            onDone={() => toast.done('The run goes on')}
            onClose={onClose}
        >
            <p>The run is reopened: what did not succeed begins again, what succeeded stays as it is.</p>
        </ActionDialog>
    );
}

export function Signal({ run, onClose, name: given = '' }: ActionProps & { name?: string }) {
    const [name, setName] = useState(given);
    const [payload, setPayload] = useState('');
    const { value, error } = parseJson(payload);
    return (
        <ActionDialog
            title="Send a signal"
            verb="Send"
            disabled={name === '' || error !== null}
            sql={`select orch.signal(${quoted(run.run_id)}, ${quoted(name)}${value === undefined ? '' : `, ${quoted(JSON.stringify(value))}`});`}
            run={() => post(`${idOf(run)}/signal`, value === undefined ? { name } : { name, payload: value })}
            onDone={() => toast.done(`Signal ${name} was sent`)}
            onClose={onClose}
        >
            <TextField label="Name" value={name} onChange={setName} autoFocus required />
            <CodeField label="Payload, JSON" value={payload} onChange={setPayload} error={error} rows={4} placeholder="null" />
        </ActionDialog>
    );
}

export function TriggerAgain({ run, onClose }: ActionProps) {
    const payloads = usePayloads(run);
    if (payloads.isPending) return null;
    return <TriggerWith run={run} input={payloads.data?.input} onClose={onClose} />;
}

function TriggerWith({ run, input: before, onClose }: ActionProps & { input: unknown }) {
    const [, navigate] = useLocation();
    const [input, setInput] = useState(JSON.stringify(before ?? {}, null, 2));
    const { value, error } = parseJson(input);
    return (
        <ActionDialog
            title={`Run ${run.workflow} again`}
            verb="Trigger"
            disabled={error !== null}
            sql={`select orch.trigger(${quoted(run.workflow)}, ${quoted(JSON.stringify(value ?? {}))});`}
            run={async () => {
                const made = await post<Triggered>(`/workflows/${segment(run.workflow)}/trigger`, { input: value ?? {}, source: 'manual' });
                navigate(`/runs/${made.run_id}`);
            }}
            onDone={() => toast.done('A new run was triggered')}
            onClose={onClose}
        >
            <p>A new run of the current version, with the input of this one unless you change it.</p>
            <CodeField label="Input, JSON" value={input} onChange={setInput} error={error} rows={8} />
        </ActionDialog>
    );
}

export function Erase({ run, onClose }: ActionProps) {
    const [reason, setReason] = useState('');
    return (
        <ActionDialog
            title="Erase the payloads"
            verb="Erase"
            danger
            disabled={reason.trim() === ''}
            sql={`select orch.erase(${quoted(run.run_id)}, ${quoted(reason)});`}
            run={() => post(`${idOf(run)}/erase`, { reason })}
            onDone={() => toast.done('The payloads are gone')}
            onClose={onClose}
        >
            <p>Inputs, outputs, errors and logs of the run are taken away for good; that it ran, and how it ended, stays.</p>
            <TextField label="Reason, for the audit log" value={reason} onChange={setReason} autoFocus required />
        </ActionDialog>
    );
}

export function Delete({ run, onClose }: ActionProps) {
    const [, navigate] = useLocation();
    const [reason, setReason] = useState('');
    return (
        <ActionDialog
            title="Delete the run"
            verb="Delete"
            danger
            confirm={run.workflow}
            disabled={reason.trim() === ''}
            sql={`select orch.delete_run(${quoted(run.run_id)}, ${quoted(reason)});`}
            run={() => del(idOf(run), { reason })}
            onDone={() => {
                toast.done('The run is gone');
                navigate('/runs');
            }}
            onClose={onClose}
        >
            <p>The run is taken away with all its tasks and its history, for good.</p>
            <TextField label="Reason, for the audit log" value={reason} onChange={setReason} required />
        </ActionDialog>
    );
}

export function Redrive({ letter, input: before, onClose }: { letter: DeadLetter; input: unknown; onClose: () => void }) {
    const first = before === null || before === undefined ? '' : JSON.stringify(before, null, 2);
    const [input, setInput] = useState(first);
    const { value, error } = parseJson(input);
    const other = input !== first && value !== undefined;
    return (
        <ActionDialog
            title={`Redrive ${letter.task_id}`}
            verb="Redrive"
            disabled={error !== null}
            sql={`select * from orch.redrive(${letter.id}${other ? `, ${quoted(JSON.stringify(value))}` : ''});`}
            run={() => post(`/dead-letters/${letter.id}/redrive`, other ? { input: value } : {})}
            onDone={() => toast.done(`${letter.task_id} runs again`)}
            onClose={onClose}
        >
            <p>The task runs again, and its run goes on from there. Mend its input here where that was the reason.</p>
            <CodeField label="Input, JSON" value={input} onChange={setInput} error={error} rows={8} />
        </ActionDialog>
    );
}

export function Decide({ run, task, form, approved, onClose }: { run: string; task: string; form: unknown; approved: boolean; onClose: () => void }) {
    const [comment, setComment] = useState('');
    const [text, setText] = useState('');
    const { value, error } = parseJson(text);
    const asked = form !== null && form !== undefined;
    return (
        <ActionDialog
            title={`${approved ? 'Approve' : 'Reject'} ${task}`}
            verb={approved ? 'Approve' : 'Reject'}
            danger={!approved}
            disabled={error !== null}
            sql={`select orch.approve(${quoted(run)}, ${quoted(task)}, ${approved}${comment || value !== undefined ? `, ${quoted(comment || null)}` : ''}${value === undefined ? '' : `, ${quoted(JSON.stringify(value))}`});`}
            run={() => post(`/runs/${segment(run)}/approve`, { task, approved, comment: comment || null, ...(value === undefined ? {} : { form: value }) })}
            onDone={() => toast.done(`${task} was ${approved ? 'approved' : 'rejected'}`)}
            onClose={onClose}
        >
            <TextField label="Comment" value={comment} onChange={setComment} autoFocus />
            {asked && <CodeField label="Form, JSON" hint={`It asks for ${JSON.stringify(form)}`} value={text} onChange={setText} error={error} rows={5} />}
        </ActionDialog>
    );
}

/** What the state of the run allows; the role is asked for beside. */
export function offered(run: Run): { cancel: boolean; retry: boolean; signal: boolean; gone: boolean } {
    const over = isOver(run.state);
    return { cancel: !over && run.state !== 'cancelling', retry: over && run.state !== 'succeeded', signal: !over, gone: over };
}
