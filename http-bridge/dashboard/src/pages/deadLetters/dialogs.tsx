import { useState } from 'react';
import { del, post } from '../../api/client';
import type { DeadLetter, DeadLetterDetail } from '../../api/types';
import { ActionDialog, CheckField, CodeField, toast } from '../../ui';
import { parseJson } from '../lists/json';
import { discardSql, inTurn, oneOfEachRun, redriveFilterSql, redriveSql, toRedriveFilter, type Filter } from './letters';

interface Redriven {
    items: { run_id: string; task_id: string }[];
}

const tasks = (n: number): string => (n === 1 ? '1 task' : `${n} tasks`);

/** One letter, with the input that its task had or another. */
export function RedriveOne({ letter, onClose, onDone }: { letter: DeadLetterDetail; onClose: () => void; onDone: () => void }) {
    const [change, setChange] = useState(false);
    const [text, setText] = useState(() => JSON.stringify(letter.input ?? null, null, 2));
    const parsed = parseJson(text);
    const input = change && parsed.ok ? parsed.value : undefined;
    return (
        <ActionDialog
            title={`Redrive ${letter.task_id}`}
            verb="Redrive"
            disabled={change && !parsed.ok}
            sql={redriveSql([letter.id], input)}
            run={async () => {
                const answer = await post<Redriven>(`/dead-letters/${letter.id}/redrive`, input === undefined ? {} : { input });
                toast.done(`${tasks(answer.items.length)} of ${letter.workflow} run again`);
            }}
            onDone={onDone}
            onClose={onClose}
        >
            <p className="muted">
                The run is opened again and the task gets new attempts. What has succeeded before is not repeated; what depended on the task goes on after it.
            </p>
            <CheckField label="With another input" checked={change} onChange={setChange} />
            {change && (
                <CodeField
                    label="Input"
                    value={text}
                    onChange={setText}
                    error={parsed.ok ? null : parsed.error}
                    rows={Math.min(14, text.split('\n').length + 1)}
                    autoFocus
                />
            )}
        </ActionDialog>
    );
}

export function RedriveChosen({ letters, onClose, onDone }: { letters: readonly DeadLetter[]; onClose: () => void; onDone: () => void }) {
    const ids = oneOfEachRun(letters);
    return (
        <ActionDialog
            title={`Redrive ${letters.length} dead letters`}
            verb={`Redrive ${letters.length}`}
            sql={redriveSql(ids)}
            run={async () => {
                await inTurn(ids, (id) => post(`/dead-letters/${id}/redrive`));
                toast.done(`${ids.length === 1 ? '1 run goes' : `${ids.length} runs go`} on`);
            }}
            onDone={onDone}
            onClose={onClose}
        >
            <p className="muted">
                Each run is opened once and all its failed tasks run again: {ids.length} {ids.length === 1 ? 'run' : 'runs'} in all.
            </p>
        </ActionDialog>
    );
}

export function RedriveMatching({ filter, onClose, onDone }: { filter: Filter; onClose: () => void; onDone: () => void }) {
    const asked = toRedriveFilter(filter);
    const words = Object.entries(asked).map(([name, value]) => `${name} ${value}`);
    return (
        <ActionDialog
            title={words.length > 0 ? 'Redrive all that match' : 'Redrive every open dead letter'}
            verb="Redrive all"
            confirm={words.length > 0 ? undefined : 'all'}
            sql={redriveFilterSql(filter)}
            run={async () => {
                const answer = await post<Redriven>('/dead-letters/redrive', { filter: asked });
                toast.done(answer.items.length === 0 ? 'Nothing matched that could be redriven' : `${tasks(answer.items.length)} run again`);
            }}
            onDone={onDone}
            onClose={onClose}
        >
            <p className="muted">
                {words.length > 0 ? (
                    <>Every open dead letter of {words.join(', ')}, also those that the list has not loaded.</>
                ) : (
                    'Every open dead letter of the tenant.'
                )}{' '}
                Runs that go on still are left out.
            </p>
        </ActionDialog>
    );
}

export function Discard({ letters, onClose, onDone }: { letters: readonly DeadLetter[]; onClose: () => void; onDone: () => void }) {
    const ids = letters.map((one) => one.id);
    const one = letters.length === 1;
    return (
        <ActionDialog
            title={one ? `Discard ${letters[0]!.task_id}` : `Discard ${letters.length} dead letters`}
            verb={one ? 'Discard' : `Discard ${letters.length}`}
            danger
            sql={discardSql(ids)}
            run={async () => {
                await inTurn(ids, (id) => del(`/dead-letters/${id}`));
                toast.done(one ? 'Discarded' : `${letters.length} discarded`);
            }}
            onDone={onDone}
            onClose={onClose}
        >
            <p className="muted">
                {one ? 'It leaves' : 'They leave'} the list of open letters, and {one ? 'its run stays' : 'their runs stay'} as ended. This cannot be taken
                back; the {one ? 'run' : 'runs'} can still be retried.
            </p>
        </ActionDialog>
    );
}
