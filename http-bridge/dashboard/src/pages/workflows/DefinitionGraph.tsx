import { useMemo, useState } from 'react';
import { useSearchParams } from 'wouter';
import { toYaml, type Json } from '../../source/text';
import { Button, copyText, Empty, Panel, useMedia } from '../../ui';
import { GraphView } from '../run/GraphView';
import { RunModel } from '../run/model';
import { rowsOf, tasksOf, type DefinedTask } from './spec';
import css from './workflows.module.css';

function Task({ task, all, onChoose, onClose }: { task: DefinedTask; all: readonly DefinedTask[]; onChoose: (id: string) => void; onClose: () => void }) {
    const after = all.filter((one) => one.dependencies.includes(task.id));
    const text = useMemo(() => toYaml({ [task.id]: task.spec }), [task]);
    const links = (ids: readonly string[]) =>
        ids.map((id) => (
            <button key={id} type="button" className={css.link} onClick={() => onChoose(id)}>
                {id}
            </button>
        ));
    return (
        <Panel
            className={css.task}
            title={task.id}
            note={task.executor ?? undefined}
            actions={
                <>
                    <Button kind="plain" small icon="copy" aria-label="Copy its definition" onClick={() => void copyText(text, 'Definition copied')} />
                    <Button kind="plain" small icon="close" aria-label="Close" onClick={onClose} />
                </>
            }
        >
            <div className={css.taskBody}>
                {task.name && <p>{task.name}</p>}
                <dl className={css.facts}>
                    {task.dependencies.length > 0 && (
                        <>
                            <dt>Waits for</dt>
                            <dd>{links(task.dependencies)}</dd>
                        </>
                    )}
                    {after.length > 0 && (
                        <>
                            <dt>Before</dt>
                            <dd>{links(after.slice(0, 20).map((one) => one.id))}</dd>
                        </>
                    )}
                    {task.when && (
                        <>
                            <dt>When</dt>
                            <dd className="mono">{task.when}</dd>
                        </>
                    )}
                    {task.isFinally && (
                        <>
                            <dt>Finally</dt>
                            <dd>runs at the end, whatever has happened</dd>
                        </>
                    )}
                </dl>
                <pre className={css.code} tabIndex={0}>
                    {text}
                </pre>
            </div>
        </Panel>
    );
}

/** `framed`: with a frame of its own, and the chosen task beside; `inAddress`: which one stands in the address. */
export function DefinitionGraph({ spec, framed, inAddress }: { spec: Json | null; framed?: boolean; inAddress?: boolean }) {
    const [address, setAddress] = useSearchParams();
    const [here, setHere] = useState<string | null>(null);
    const narrow = useMedia('(max-width: 720px)');
    const tasks = useMemo(() => tasksOf(spec), [spec]);
    const shape = useMemo(() => JSON.stringify(tasks.map((task) => [task.id, task.executor, task.dependencies, task.isFinally])), [tasks]);
    // Only what changes the picture makes a new one.
    const model = useMemo(() => {
        const made = new RunModel();
        made.addTasks(rowsOf(tasks));
        made.finishLoading();
        return made;
    }, [shape]);
    const wanted = inAddress ? address.get('task') : here;
    const task = tasks.find((one) => one.id === wanted) ?? null;
    const choose = (id: string | null): void => {
        if (!inAddress) return setHere(id);
        setAddress(
            (before) => {
                const next = new URLSearchParams(before);
                if (id === null) next.delete('task');
                else next.set('task', id);
                return next;
            },
            { replace: true },
        );
    };
    if (tasks.length === 0)
        return (
            <Empty icon="workflows" title="No task yet">
                What is written under “tasks” is drawn here.
            </Empty>
        );
    const graph = (
        <div className={css.canvas}>
            <GraphView
                key={tasks.length > 400 ? 'many' : shape}
                model={model}
                chosen={task?.id ?? null}
                onChoose={choose}
                onList={() => undefined}
                defined
                down={!framed || narrow}
            />
        </div>
    );
    if (!framed) return graph;
    return (
        <div className={css.graph} data-open={task !== null}>
            {!(narrow && task) && <Panel className={css.fills}>{graph}</Panel>}
            {task && <Task task={task} all={tasks} onChoose={choose} onClose={() => choose(null)} />}
        </div>
    );
}
