// By which addresses somebody outside starts runs, and who outside is told of what.
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { del, get, post, segment } from '../../api/client';
import type { Page } from '../../api/types';
import { useMay } from '../../app/session';
import {
    ActionDialog,
    Button,
    CheckField,
    CodeField,
    Empty,
    Failure,
    quoted,
    SelectField,
    SkeletonRows,
    StateBadge,
    TextField,
    Time,
    toast,
    type Column,
} from '../../ui';
import { useAddress } from '../lists/address';
import { parseJson } from '../lists/json';
import { Bar, Detail, Fact, Facts, List, listCss as css, Section } from '../lists/List';
import { usePaged } from '../lists/paged';
import { RunLink } from '../lists/RunLink';
import { createHookSql, notifiedEvents, notifySql, urlProblem, type Delivery, type Hook, type HookDraft, type Notification, type NotifiedEvent } from './admin';
import { ShownOnce, type Secret } from './secret';

const formats = [
    ['github', 'GitHub: X-Hub-Signature-256'],
    ['standard', 'Standard Webhooks: webhook-signature'],
    ['hex', 'Hexadecimal HMAC in a header of yours'],
] as const;

function CreateHook({ onSecret, onClose, onDone }: { onSecret: (secret: Secret) => void; onClose: () => void; onDone: () => void }) {
    const [draft, setDraft] = useState<HookDraft>({ hook: '', workflow: '', format: 'github', header: '', input: undefined });
    const [text, setText] = useState('');
    const set = (changes: Partial<HookDraft>) => setDraft((before) => ({ ...before, ...changes }));
    const input = text.trim() === '' ? null : parseJson(text);
    const whole: HookDraft = { ...draft, input: input?.ok ? input.value : undefined };
    return (
        <ActionDialog
            title="Make a hook"
            verb="Make it"
            disabled={draft.hook === '' || draft.workflow === '' || (input !== null && !input.ok) || (draft.format === 'hex' && draft.header === '')}
            sql={createHookSql(whole)}
            run={async () => {
                const made = await post<{ hook: string; path: string; secret: string | null }>('/hooks', {
                    hook: draft.hook,
                    workflow: draft.workflow,
                    format: draft.format,
                    ...(draft.format === 'hex' ? { signature_header: draft.header } : {}),
                    ...(whole.input === undefined ? {} : { input: whole.input }),
                });
                if (made.secret)
                    onSecret({
                        title: `The secret of ${made.hook}`,
                        about: 'Whoever sends deliveries signs them with it.',
                        value: made.secret,
                        address: new URL(made.path, location.origin).href,
                    });
            }}
            onDone={onDone}
            onClose={onClose}
        >
            <TextField label="Name" value={draft.hook} onChange={(hook) => set({ hook })} autoFocus hint="It becomes part of the address." />
            <TextField label="Workflow that it starts" value={draft.workflow} onChange={(workflow) => set({ workflow })} />
            <SelectField label="How deliveries are signed" value={draft.format} onChange={(format) => set({ format })} options={formats} />
            {draft.format === 'hex' && <TextField label="Header with the signature" value={draft.header} onChange={(header) => set({ header })} />}
            <CodeField
                label="Input, if not the whole body"
                value={text}
                onChange={setText}
                rows={3}
                placeholder={'{"commit": "{{ body.after }}"}'}
                error={input && !input.ok ? input.error : null}
                hint="A template over body, headers and delivery."
            />
        </ActionDialog>
    );
}

export function Hooks() {
    const list = usePaged<Hook>('/hooks');
    const may = useMay('admin');
    const client = useQueryClient();
    const [creating, setCreating] = useState(false);
    const [dropping, setDropping] = useState<Hook | null>(null);
    const [secret, setSecret] = useState<Secret | null>(null);
    const changed = (): void => void client.invalidateQueries({ queryKey: ['/hooks'] });
    const columns: Column<Hook>[] = [
        { id: 'hook', title: 'Hook', width: 'minmax(100px, 1fr)', cell: (one) => one.hook },
        { id: 'workflow', title: 'Starts', width: 'minmax(100px, 1fr)', cell: (one) => one.workflow },
        {
            id: 'address',
            title: 'Address',
            width: 'minmax(160px, 2fr)',
            wide: true,
            cell: (one) => <span className="mono muted">/api/v1/hooks/{one.hook}</span>,
        },
        { id: 'format', title: 'Signed', width: '96px', wide: true, cell: (one) => (one.format === 'hex' ? one.signature_header : one.format) },
        { id: 'created', title: 'Made', width: '84px', align: 'right', wide: true, cell: (one) => <Time at={one.created_at} /> },
        { id: 'by', title: 'By', width: 'minmax(80px, 1fr)', wide: true, cell: (one) => <span className="muted">{one.created_by}</span> },
        ...(may
            ? ([
                  {
                      id: 'actions',
                      title: <span className="sr-only">Remove</span>,
                      width: '96px',
                      align: 'right',
                      cell: (one) => (
                          <Button small danger onClick={() => setDropping(one)} aria-label={`Remove ${one.hook}`}>
                              Remove
                          </Button>
                      ),
                  },
              ] satisfies Column<Hook>[])
            : []),
    ];
    return (
        <>
            {may && (
                <Bar>
                    <span className="muted">Addresses by which somebody outside starts runs.</span>
                    <span className="spacer" />
                    <Button kind="primary" icon="plus" onClick={() => setCreating(true)}>
                        Make a hook
                    </Button>
                </Bar>
            )}
            <List
                label="Hooks"
                list={list}
                columns={columns}
                rowKey={(one) => one.hook}
                empty={{ icon: 'signals', title: 'No hook is there', children: 'With one, a repository or a shop starts runs by what happens there.' }}
            />
            {creating && <CreateHook onSecret={setSecret} onClose={() => setCreating(false)} onDone={changed} />}
            {secret && <ShownOnce secret={secret} onClose={() => setSecret(null)} />}
            {dropping && (
                <ActionDialog
                    title={`Remove the hook ${dropping.hook}`}
                    verb="Remove"
                    danger
                    confirm={dropping.hook}
                    sql={`select orch.drop_hook(${quoted(dropping.hook)});`}
                    run={async () => {
                        await del(`/hooks/${segment(dropping.hook)}`);
                        toast.done(`${dropping.hook} is gone`);
                    }}
                    onDone={changed}
                    onClose={() => setDropping(null)}
                >
                    <p className="muted">Deliveries to its address are refused from now on. Runs that it started go on.</p>
                </ActionDialog>
            )}
        </>
    );
}

function CreateNotification({ onSecret, onClose, onDone }: { onSecret: (secret: Secret) => void; onClose: () => void; onDone: () => void }) {
    const [name, setName] = useState('');
    const [workflow, setWorkflow] = useState('');
    const [url, setUrl] = useState('');
    const [events, setEvents] = useState<readonly NotifiedEvent[]>(['run_failed', 'run_timed_out', 'dead_letter']);
    const wrong = urlProblem(url);
    return (
        <ActionDialog
            title="Tell somebody outside"
            verb="Save"
            disabled={name === '' || url === '' || wrong !== null || events.length === 0}
            sql={notifySql(name, workflow, url, events)}
            run={async () => {
                const made = await post<{ name: string; secret: string | null }>('/notifications', { name, workflow: workflow || null, url, events });
                if (made.secret)
                    onSecret({
                        title: `The secret of ${made.name}`,
                        about: 'Whoever receives the events checks their signatures with it.',
                        value: made.secret,
                    });
            }}
            onDone={onDone}
            onClose={onClose}
        >
            <TextField label="Name" value={name} onChange={setName} autoFocus hint="With the name of one that is there, that one is changed." />
            <TextField label="Address" value={url} onChange={setUrl} error={wrong} placeholder="https://…" />
            <TextField label="Of which workflow" value={workflow} onChange={setWorkflow} placeholder="All of them" />
            <div className={css.chips} role="group" aria-label="Events" style={{ gap: '6px 16px' }}>
                {notifiedEvents.map((one) => (
                    <CheckField
                        key={one}
                        label={one.replaceAll('_', ' ')}
                        checked={events.includes(one)}
                        onChange={(checked) => setEvents(notifiedEvents.filter((other) => (other === one ? checked : events.includes(other))))}
                    />
                ))}
            </div>
        </ActionDialog>
    );
}

function Deliveries({ name }: { name: string }) {
    const sent = useQuery({
        queryKey: ['deliveries', name],
        queryFn: ({ signal }) => get<Page<Delivery>>(`/notifications/${segment(name)}/deliveries`, { limit: 50 }, signal),
        refetchInterval: 10_000,
    });
    if (sent.isPending) return <SkeletonRows count={3} />;
    if (sent.isError) return <Failure error={sent.error} onRetry={() => void sent.refetch()} />;
    if (sent.data.items.length === 0) return <Empty title="Nothing was sent yet" />;
    return (
        <table className={css.small}>
            <thead>
                <tr>
                    <th>State</th>
                    <th className={css.grow}>Of</th>
                    <th>Tries</th>
                    <th>At</th>
                </tr>
            </thead>
            <tbody>
                {sent.data.items.map((one) => (
                    <tr key={one.run_id}>
                        <td>{one.state ? <StateBadge state={one.state} /> : <span className="faint">gone</span>}</td>
                        <td className={css.grow}>
                            {one.event.replaceAll('_', ' ')}, {one.workflow} {one.about && <RunLink run={one.about} />}
                        </td>
                        <td>{one.attempts ?? '–'}</td>
                        <td>
                            <Time at={one.at} />
                        </td>
                    </tr>
                ))}
            </tbody>
        </table>
    );
}

export function Notifications() {
    const list = usePaged<Notification>('/notifications');
    const may = useMay('admin');
    const client = useQueryClient();
    const [read, write] = useAddress();
    const [creating, setCreating] = useState(false);
    const [dropping, setDropping] = useState<Notification | null>(null);
    const [secret, setSecret] = useState<Secret | null>(null);
    const changed = (): void => void client.invalidateQueries({ queryKey: ['/notifications'] });
    const chosen = read('notification');
    const shown = list.rows.find((one) => one.name === chosen);
    const columns: Column<Notification>[] = [
        { id: 'name', title: 'Name', width: 'minmax(100px, 1fr)', cell: (one) => one.name },
        { id: 'url', title: 'Goes to', width: 'minmax(140px, 2fr)', cell: (one) => <span className="mono">{one.url}</span> },
        { id: 'workflow', title: 'Of', width: 'minmax(90px, 1fr)', wide: true, cell: (one) => one.workflow ?? <span className="muted">all workflows</span> },
        ...(shown
            ? []
            : ([
                  {
                      id: 'events',
                      title: 'When',
                      width: 'minmax(160px, 2fr)',
                      wide: true,
                      cell: (one) => one.events.map((event) => event.replaceAll('_', ' ')).join(', '),
                  },
                  { id: 'created', title: 'Made', width: '84px', align: 'right', wide: true, cell: (one) => <Time at={one.created_at} /> },
              ] satisfies Column<Notification>[])),
    ];
    return (
        <>
            {may && (
                <Bar>
                    <span className="muted">Who outside is told, by a signed CloudEvent.</span>
                    <span className="spacer" />
                    <Button kind="primary" icon="plus" onClick={() => setCreating(true)}>
                        Tell somebody
                    </Button>
                </Bar>
            )}
            <List
                label="Notifications"
                list={list}
                columns={columns}
                rowKey={(one) => one.name}
                chosen={chosen || null}
                onOpen={(one) => write({ notification: chosen === one.name ? null : one.name })}
                empty={{ icon: 'external', title: 'Nobody outside is told', children: 'A pager or a chat can be told of failed runs and dead letters.' }}
                detail={
                    shown && (
                        <Detail
                            label="Notification"
                            head={
                                <>
                                    <h2>{shown.name}</h2>
                                    <span className="spacer" />
                                    {may && (
                                        <Button danger onClick={() => setDropping(shown)}>
                                            Remove
                                        </Button>
                                    )}
                                    <Button kind="plain" small icon="close" aria-label="Close the notification" onClick={() => write({ notification: null })} />
                                </>
                            }
                        >
                            <Facts>
                                <Fact name="Goes to">{shown.url}</Fact>
                                <Fact name="Of">{shown.workflow ?? 'all workflows'}</Fact>
                                <Fact name="When">{shown.events.map((event) => event.replaceAll('_', ' ')).join(', ')}</Fact>
                                <Fact name="Made">
                                    <Time at={shown.created_at} absolute /> by {shown.created_by}
                                </Fact>
                            </Facts>
                            <Section title="Deliveries, the newest first">
                                <Deliveries name={shown.name} />
                            </Section>
                        </Detail>
                    )
                }
            />
            {creating && <CreateNotification onSecret={setSecret} onClose={() => setCreating(false)} onDone={changed} />}
            {secret && <ShownOnce secret={secret} onClose={() => setSecret(null)} />}
            {dropping && (
                <ActionDialog
                    title={`Remove the notification ${dropping.name}`}
                    verb="Remove"
                    danger
                    confirm={dropping.name}
                    sql={`select orch.drop_notification(${quoted(dropping.name)});`}
                    run={async () => {
                        await del(`/notifications/${segment(dropping.name)}`);
                        toast.done(`${dropping.name} is told no more`);
                        write({ notification: null });
                    }}
                    onDone={changed}
                    onClose={() => setDropping(null)}
                >
                    <p className="muted">Nothing more is sent to {dropping.url}; what waits to be sent is dropped.</p>
                </ActionDialog>
            )}
        </>
    );
}
