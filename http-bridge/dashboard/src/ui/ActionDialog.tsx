import { useState } from 'react';
import { ApiError } from '../api/client';
import { Button } from './Button';
import { Dialog, problemClass } from './Dialog';
import { TextField } from './Fields';
import { Sql } from './Sql';

interface ActionDialogProps {
    title: string;
    /** On the button: the verb of what will be done. */
    verb: string;
    /** What will happen, and what cannot be undone. */
    children?: React.ReactNode;
    sql: string;
    danger?: boolean;
    /** A name that has to be typed first, for what takes something away for good. */
    confirm?: string;
    disabled?: boolean;
    run: () => Promise<unknown>;
    onDone?: () => void;
    onClose: () => void;
}

/** Every action of the dashboard: what it does, the SQL it is the same as, and the refusal of the database where it refuses. */
export function ActionDialog({ title, verb, children, sql, danger, confirm, disabled, run, onDone, onClose }: ActionDialogProps) {
    const [typed, setTyped] = useState('');
    const [busy, setBusy] = useState(false);
    const [error, setError] = useState<unknown>(null);
    const ready = !disabled && (confirm === undefined || typed === confirm);
    const submit = async (): Promise<void> => {
        if (!ready || busy) return;
        setBusy(true);
        setError(null);
        try {
            await run();
            onDone?.();
            onClose();
        } catch (caught) {
            setError(caught);
            setBusy(false);
        }
    };
    const problem = error instanceof ApiError ? error.problem : null;
    return (
        <Dialog
            title={title}
            onClose={onClose}
            onSubmit={() => void submit()}
            footer={
                <>
                    <Button onClick={onClose}>Close</Button>
                    <Button type="submit" kind="primary" danger={danger} disabled={!ready} busy={busy}>
                        {verb}
                    </Button>
                </>
            }
        >
            {children}
            {confirm !== undefined && <TextField label={`Type ${confirm} to confirm`} value={typed} onChange={setTyped} autoFocus />}
            <Sql>{sql}</Sql>
            {error !== null && (
                <div className={problemClass} role="alert">
                    <p>{problem?.title ?? String(error)}</p>
                    {problem?.detail && <p>{problem.detail}</p>}
                    {problem?.hint && <p>{problem.hint}</p>}
                </div>
            )}
        </Dialog>
    );
}
