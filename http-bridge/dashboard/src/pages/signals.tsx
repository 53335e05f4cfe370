// What was told to runs from outside, and who has taken it.
import { useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { post, segment } from '../api/client';
import type { Signal } from '../api/types';
import { useMay } from '../app/session';
import { ActionDialog, Button, CodeField, JsonView, PageBody, PageHead, quoted, TextField, Time, toast, type Column } from '../ui';
import { useAddress } from './lists/address';
import { parseJson } from './lists/json';
import { Detail, Fact, Facts, List, listCss as css, Section } from './lists/List';
import { usePaged, useRefresh } from './lists/paged';
import { RunLink } from './lists/RunLink';

const keyOf = (one: Signal): string => `${one.run_id}.${one.no}`;

function Send({ run: given, name: named, onClose, onDone }: { run: string; name: string; onClose: () => void; onDone: () => void }) {
    const [run, setRun] = useState(given);
    const [name, setName] = useState(named);
    const [text, setText] = useState('{}');
    const parsed = parseJson(text);
    return (
        <ActionDialog
            title="Send a signal"
            verb="Send"
            disabled={run.trim() === '' || name.trim() === '' || !parsed.ok}
            sql={`select orch.signal(${quoted(run.trim() || 'RUN')}, ${quoted(name.trim() || 'NAME')}, ${parsed.ok ? quoted(JSON.stringify(parsed.value)) : '…'});`}
            run={async () => {
                await post(`/runs/${segment(run.trim())}/signal`, { name: name.trim(), payload: parsed.ok ? parsed.value : null });
                toast.done(`Sent ${name.trim()}`);
            }}
            onDone={onDone}
            onClose={onClose}
        >
            <p className="muted">
                The first task of the run that waits for this name goes on with the payload as its output. If none waits yet, it lies there until one does.
            </p>
            <TextField label="Run" value={run} onChange={setRun} autoFocus={given === ''} className="mono" placeholder="Its id" />
            <TextField label="Name" value={name} onChange={setName} autoFocus={given !== ''} />
            <CodeField label="Payload" value={text} onChange={setText} rows={4} error={parsed.ok ? null : parsed.error} />
        </ActionDialog>
    );
}

export default function Signals() {
    const list = usePaged<Signal>('/signals');
    useRefresh(['/signals'], ['signal_sent', 'signal_received']);
    const [read, write] = useAddress();
    const may = useMay('operator');
    const client = useQueryClient();
    const [sending, setSending] = useState<{ run: string; name: string } | null>(null);
    const chosen = read('signal');
    const shown = list.rows.find((one) => keyOf(one) === chosen);
    const columns: Column<Signal>[] = [
        { id: 'name', title: 'Name', width: 'minmax(100px, 1fr)', cell: (one) => one.name },
        {
            id: 'payload',
            title: 'Payload',
            width: 'minmax(120px, 2fr)',
            wide: true,
            cell: (one) => (
                <span className="mono muted">{one.payload === undefined || one.payload === null ? '–' : JSON.stringify(one.payload).slice(0, 200)}</span>
            ),
        },
        { id: 'taken', title: 'Taken by', width: 'minmax(90px, 1fr)', cell: (one) => one.taken_by ?? <span className="muted">nobody yet</span> },
        ...(shown
            ? []
            : ([
                  { id: 'run', title: 'Run', width: '140px', wide: true, cell: (one) => <RunLink run={one.run_id} /> },
                  { id: 'sender', title: 'Sender', width: '150px', wide: true, cell: (one) => <span className="muted">{one.sender}</span> },
              ] satisfies Column<Signal>[])),
        { id: 'at', title: 'Sent', width: '80px', align: 'right', cell: (one) => <Time at={one.sent_at} /> },
    ];
    return (
        <>
            <PageHead
                title="Signals"
                note="What runs were told, of the newest runs first"
                actions={
                    may ? (
                        <Button icon="plus" onClick={() => setSending({ run: shown?.run_id ?? '', name: '' })}>
                            Send a signal
                        </Button>
                    ) : undefined
                }
            />
            <PageBody fill>
                <List
                    label="Signals"
                    list={list}
                    columns={columns}
                    rowKey={keyOf}
                    chosen={chosen || null}
                    onOpen={(one) => write({ signal: chosen === keyOf(one) ? null : keyOf(one) })}
                    empty={{
                        icon: 'signals',
                        title: 'No signal was sent yet',
                        children: (
                            <>
                                A task with <code>signal</code> waits for one; <code>orch.signal</code> and the API send them.
                            </>
                        ),
                    }}
                    detail={
                        shown && (
                            <Detail
                                label="Signal"
                                head={
                                    <>
                                        <h2>{shown.name}</h2>
                                        <span className="spacer" />
                                        {may && <Button onClick={() => setSending({ run: shown.run_id, name: shown.name })}>Send another</Button>}
                                        <Button kind="plain" small icon="close" aria-label="Close the signal" onClick={() => write({ signal: null })} />
                                    </>
                                }
                            >
                                <Facts>
                                    <Fact name="Run">
                                        <RunLink run={shown.run_id} task={shown.taken_by} />
                                    </Fact>
                                    <Fact name="Sent">
                                        <Time at={shown.sent_at} absolute />
                                    </Fact>
                                    <Fact name="Sender">{shown.sender}</Fact>
                                    <Fact name="Taken by">{shown.taken_by ?? <span className="muted">nobody yet: it waits in the run</span>}</Fact>
                                </Facts>
                                <Section title="Payload">
                                    <div className={css.framed}>
                                        <JsonView value={shown.payload ?? null} />
                                    </div>
                                </Section>
                            </Detail>
                        )
                    }
                />
            </PageBody>
            {sending && <Send {...sending} onClose={() => setSending(null)} onDone={() => void client.invalidateQueries({ queryKey: ['/signals'] })} />}
        </>
    );
}
