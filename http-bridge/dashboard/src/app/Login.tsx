import { useEffect, useState } from 'react';
import { ApiError } from '../api/client';
import { Button, CheckField, TextField } from '../ui';
import css from './Login.module.css';
import { logIn } from './session';

export function Login({ why }: { why?: string }) {
    const [token, setToken] = useState('');
    const [keep, setKeep] = useState(false);
    const [busy, setBusy] = useState(false);
    const [error, setError] = useState<string | null>(null);
    useEffect(() => {
        document.title = 'Log in · orch';
    }, []);
    const submit = async (event: React.FormEvent): Promise<void> => {
        event.preventDefault();
        setBusy(true);
        setError(null);
        try {
            await logIn(token.trim(), keep);
        } catch (caught) {
            const problem = caught instanceof ApiError ? caught.problem : null;
            setError(problem?.status === 401 ? 'This token is unknown here, revoked or expired.' : (problem?.title ?? String(caught)));
            setBusy(false);
        }
    };
    return (
        <main className={css.page}>
            <div className={css.card}>
                <h1 className={css.brand}>
                    <img src="/favicon.svg" width="28" height="28" alt="" />
                    orch
                </h1>
                {why && !error && (
                    <p className={css.why} role="status">
                        {why}
                    </p>
                )}
                <form className={css.form} onSubmit={(event) => void submit(event)}>
                    <TextField
                        label="Token"
                        type="password"
                        value={token}
                        onChange={setToken}
                        error={error}
                        autoFocus
                        required
                        autoComplete="current-password"
                        placeholder="orch_…"
                    />
                    <CheckField label="Keep on this device" checked={keep} onChange={setKeep} />
                    <Button type="submit" kind="primary" busy={busy} disabled={token.trim() === ''}>
                        Log in
                    </Button>
                </form>
                <div className={css.help}>
                    <p>An administrator makes a token in the database:</p>
                    <code>select orch.create_token('me', 'operator')</code>
                </div>
            </div>
        </main>
    );
}
