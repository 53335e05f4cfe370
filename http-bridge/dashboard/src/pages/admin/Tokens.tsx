import { useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { del, post, segment } from '../../api/client';
import type { Role } from '../../api/types';
import { useSession } from '../../app/session';
import { ActionDialog, Button, CheckField, quoted, SelectField, StateSign, TextField, Time, toast, type Column } from '../../ui';
import { Bar, List } from '../lists/List';
import { usePaged } from '../lists/paged';
import { createTokenSql, expiryOf, lifetimes, tokenState, type Token } from './admin';
import { ShownOnce, type Secret } from './secret';

const roles = [
    ['viewer', 'viewer: looks at everything'],
    ['operator', 'operator: starts, cancels, redrives, decides'],
    ['worker', 'worker: takes tasks and brings results'],
    ['admin', 'admin: definitions, tokens and webhooks, too'],
] as const;

function Create({ onSecret, onClose, onDone }: { onSecret: (secret: Secret) => void; onClose: () => void; onDone: () => void }) {
    const [name, setName] = useState('');
    const [role, setRole] = useState<Role>('viewer');
    const [lifetime, setLifetime] = useState<(typeof lifetimes)[number][0]>('90');
    const expires = expiryOf(lifetime, Date.now());
    return (
        <ActionDialog
            title="Make a token"
            verb="Make it"
            disabled={name.trim() === ''}
            sql={createTokenSql(name.trim(), role, expires)}
            run={async () => {
                const made = await post<{ name: string; token: string }>('/tokens', { name: name.trim(), role, expires });
                onSecret({ title: `The token ${made.name}`, about: `Whoever has it is a ${role}.`, value: made.token });
            }}
            onDone={onDone}
            onClose={onClose}
        >
            <TextField
                label="Name"
                value={name}
                onChange={setName}
                autoFocus
                hint="Of whom or what it is for: it stands in the audit and in the history of runs."
            />
            <SelectField label="Role" value={role} onChange={setRole} options={roles} />
            <SelectField label="Expires" value={lifetime} onChange={setLifetime} options={lifetimes} />
        </ActionDialog>
    );
}

export function Tokens() {
    const list = usePaged<Token>('/tokens');
    const session = useSession();
    const client = useQueryClient();
    const [creating, setCreating] = useState(false);
    const [revoking, setRevoking] = useState<Token | null>(null);
    const [secret, setSecret] = useState<Secret | null>(null);
    const [all, setAll] = useState(false);
    const changed = (): void => void client.invalidateQueries({ queryKey: ['/tokens'] });
    const mine = session.state === 'in' ? session.me.name : '';
    const shown = all ? list : { ...list, rows: list.rows.filter((one) => tokenState(one, Date.now()) === 'valid') };
    const columns: Column<Token>[] = [
        {
            id: 'name',
            title: 'Name',
            width: 'minmax(86px, 2fr)',
            cell: (one) => (
                <>
                    {one.name} {one.name === mine && !one.revoked_at && <span className="faint">yours</span>}
                </>
            ),
        },
        { id: 'role', title: 'Role', width: '84px', cell: (one) => one.role },
        {
            id: 'state',
            title: 'State',
            width: '94px',
            cell: (one) => {
                const state = tokenState(one, Date.now());
                return (
                    <span className="row">
                        <StateSign state={state === 'valid' ? 'ok' : 'stopped'} /> {state}
                    </span>
                );
            },
        },
        { id: 'used', title: 'Last used', width: '88px', align: 'right', wide: true, cell: (one) => <Time at={one.last_used_at} /> },
        {
            id: 'expires',
            title: 'Expires',
            width: '88px',
            align: 'right',
            wide: true,
            cell: (one) => (one.expires_at ? <Time at={one.expires_at} /> : <span className="faint">never</span>),
        },
        { id: 'created', title: 'Made', width: '84px', align: 'right', wide: true, cell: (one) => <Time at={one.created_at} /> },
        { id: 'by', title: 'By', width: 'minmax(90px, 1fr)', wide: true, cell: (one) => <span className="muted">{one.created_by}</span> },
        {
            id: 'actions',
            title: <span className="sr-only">Revoke</span>,
            width: '88px',
            align: 'right',
            cell: (one) =>
                !one.revoked_at && (
                    <Button small danger onClick={() => setRevoking(one)} aria-label={`Revoke ${one.name}`}>
                        Revoke
                    </Button>
                ),
        },
    ];
    return (
        <>
            <Bar>
                <CheckField label="With revoked and expired ones" checked={all} onChange={setAll} />
                <span className="spacer" />
                <Button kind="primary" icon="plus" onClick={() => setCreating(true)}>
                    Make a token
                </Button>
            </Bar>
            <List
                label="Tokens"
                list={shown}
                columns={columns}
                rowKey={(one) => `${one.name} ${one.created_at}`}
                empty={{ title: 'No token is valid', children: 'Who logs in by OpenID Connect needs none.' }}
            />
            {creating && <Create onSecret={setSecret} onClose={() => setCreating(false)} onDone={changed} />}
            {secret && <ShownOnce secret={secret} onClose={() => setSecret(null)} />}
            {revoking && (
                <ActionDialog
                    title={`Revoke ${revoking.name}`}
                    verb="Revoke"
                    danger
                    confirm={revoking.name}
                    sql={`select orch.revoke_token(${quoted(revoking.name)});`}
                    run={async () => {
                        await del(`/tokens/${segment(revoking.name)}`);
                        toast.done(`${revoking.name} is revoked`);
                    }}
                    onDone={changed}
                    onClose={() => setRevoking(null)}
                >
                    <p className="muted">
                        It is refused by all bridges at once, and for good.
                        {revoking.name === mine && ' This is the token that you are logged in with: you will be logged out.'}
                    </p>
                </ActionDialog>
            )}
        </>
    );
}
