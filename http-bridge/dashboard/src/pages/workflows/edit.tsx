// Writing a definition: what is wrong with it stands at its place while one writes, and beside it the graph that it makes.
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useCallback, useMemo, useRef, useState } from 'react';
import { useLocation } from 'wouter';
import { request, segment } from '../../api/client';
import type { components } from '../../api/schema';
import type { PageProps } from '../../app/pages';
import { useMay } from '../../app/session';
import { drafts } from '../../source/drafts';
import { Editor, type EditorHandle } from '../../source/Editor';
import { ordered, read, toJson, write, type Json, type Language } from '../../source/text';
import { useVerdict, type Checked, type Found } from '../../source/useVerdict';
import {
    Button,
    Dialog,
    Empty,
    Failure,
    FilterSelect,
    formatCount,
    PageBody,
    PageHead,
    Panel,
    quoted,
    SkeletonRows,
    Sql,
    StateSign,
    Tabs,
    toast,
} from '../../ui';
import { DefinitionGraph } from './DefinitionGraph';
import { Problem } from './Problem';
import { nameIn, workflowDetail, workflowPath } from './queries';
import css from './workflows.module.css';

type Registered = components['schemas']['Registered'];

const first = `# A workflow: tasks, and what each waits for. All of the grammar stands in docs/definition.md.
id: hello
tasks:
  greet:
    noop: true
    input: {text: "hello {{ input.name ?? 'world' }}"}
  rest:
    sleep: 2
    dependencies: [greet]
`;

const words: Record<Checked['state'], string> = {
    checking: 'Checking …',
    valid: 'Valid',
    invalid: 'Not valid',
    unreadable: 'Cannot be read',
    unknown: 'Could not be checked',
};
const signs: Record<Checked['state'], string> = { checking: 'pending', valid: 'succeeded', invalid: 'failed', unreadable: 'failed', unknown: 'warning' };

function Problems({ checked, onGo }: { checked: Checked; onGo: (found: Found) => void }) {
    if (checked.found.length === 0) {
        return (
            <Empty icon={checked.state === 'valid' ? 'check' : undefined} title={checked.state === 'valid' ? 'Nothing is wrong with it' : words[checked.state]}>
                {checked.state === 'valid' && 'The database would take it as it is.'}
            </Empty>
        );
    }
    return (
        <ul className={css.problems} aria-label="Problems">
            {checked.found.map((one, i) => (
                <li key={i}>
                    <button type="button" onClick={() => onGo(one)}>
                        <StateSign state={one.severity === 'error' ? 'failed' : 'warning'} />
                        <span>
                            <span className={css.message}>{one.message}</span>
                            {one.hint && <span className={css.hint}>{one.hint}</span>}
                            <span className={`${css.where} mono`}>
                                {one.line}:{one.column} {one.path || one.code}
                            </span>
                        </span>
                    </button>
                </li>
            ))}
        </ul>
    );
}

interface StoreDialogProps {
    workflow: string | null;
    version: number | null;
    text: string;
    language: Language;
    spec: Json;
    onStored: (stored: Registered) => void;
    onClose: () => void;
}

function StoreDialog({ workflow, version, text, language, spec, onStored, onClose }: StoreDialogProps) {
    const [busy, setBusy] = useState(false);
    const [error, setError] = useState<unknown>(null);
    const id = typeof spec === 'object' && spec !== null && !Array.isArray(spec) ? String(spec['id'] ?? '') : '';
    const submit = async (over = false): Promise<void> => {
        setBusy(true);
        setError(null);
        try {
            // What somebody else has stored meanwhile is not run over unseen.
            const guard: Record<string, string> = over ? {} : workflow === null ? { 'If-None-Match': '*' } : { 'If-Match': `"${version}"` };
            onStored(
                await request<Registered>(workflow === null ? 'POST' : 'PUT', workflow === null ? '/workflows' : `/workflows/${segment(workflow)}`, {
                    raw: { body: text, type: `application/${language}` },
                    headers: guard,
                }),
            );
        } catch (caught) {
            setError(caught);
            setBusy(false);
        }
    };
    const overtaken = error !== null && typeof error === 'object' && 'status' in error && (error.status === 412 || error.status === 409);
    return (
        <Dialog
            title={workflow === null ? `Store ${id}` : `Store a new version of ${workflow}`}
            width={600}
            onClose={onClose}
            onSubmit={() => void submit()}
            footer={
                <>
                    <Button onClick={onClose}>Close</Button>
                    {overtaken && (
                        <Button danger busy={busy} onClick={() => void submit(true)}>
                            Store it as the next version all the same
                        </Button>
                    )}
                    <Button type="submit" kind="primary" busy={busy} disabled={overtaken}>
                        Store
                    </Button>
                </>
            }
        >
            <p className="muted">
                {workflow === null
                    ? 'It becomes version 1. Nothing runs before it is triggered.'
                    : `Runs that go on keep their version; triggers take the new one, ${(version ?? 0) + 1}.`}
            </p>
            <Sql>{`select * from orch.register(${quoted(toJson(spec).trimEnd())});`}</Sql>
            {error !== null && <Problem error={error} />}
        </Dialog>
    );
}

function Writing({ workflow, version, begin }: { workflow: string | null; version: number | null; begin: { text: string; language: Language } }) {
    const client = useQueryClient();
    const [, navigate] = useLocation();
    const kept = useMemo(() => drafts.of(workflow ?? ''), [workflow]);
    const [text, setText] = useState(kept?.text ?? begin.text);
    const [language, setLanguage] = useState<Language>(kept?.language ?? begin.language);
    const [from, setFrom] = useState(kept?.version ?? version);
    const [side, setSide] = useState<'problems' | 'graph'>('graph');
    const [storing, setStoring] = useState(false);
    const editor = useRef<EditorHandle>(null);
    const checked = useVerdict(text, language);
    const errors = checked.found.filter((one) => one.severity === 'error').length;
    const changed = text !== begin.text;
    const change = useCallback(
        (to: string) => {
            setText(to);
            drafts.keep(workflow ?? '', { text: to, language, version: from });
        },
        [workflow, language, from],
    );
    const speak = (to: Language): void => {
        if (to === language) return;
        const now = read(text, language);
        if ('unreadable' in now) return toast.failed(new Error(`It cannot be read as ${language.toUpperCase()} yet: mend that first.`));
        const written = write(now.spec, to);
        setLanguage(to);
        setText(written);
        drafts.keep(workflow ?? '', { text: written, language: to, version: from });
    };
    const restart = (): void => {
        drafts.drop(workflow ?? '');
        setFrom(version);
        setLanguage(begin.language);
        setText(begin.text);
    };
    const store = useCallback(() => {
        if (checked.state === 'valid') setStoring(true);
        else setSide('problems');
    }, [checked.state]);
    const title = workflow === null ? 'New workflow' : `Edit ${workflow}`;
    return (
        <>
            <PageHead
                title={title}
                note={
                    <span className="row">
                        <StateSign state={signs[checked.state]} />
                        <span role="status">{errors > 0 ? `${formatCount(errors)} ${errors === 1 ? 'problem' : 'problems'}` : words[checked.state]}</span>
                        {kept && changed && <span className="faint">· a draft of yours{kept.version !== version && `, of version ${kept.version}`}</span>}
                    </span>
                }
                actions={
                    <>
                        {changed && (
                            <Button kind="plain" onClick={restart}>
                                Begin again
                            </Button>
                        )}
                        <Button onClick={() => navigate(workflow === null ? '/workflows' : workflowPath(workflow))}>Close</Button>
                        <Button kind="primary" icon="check" disabled={checked.state !== 'valid'} onClick={store}>
                            Store …
                        </Button>
                    </>
                }
            />
            <PageBody fill>
                <div className={css.writing}>
                    <Panel
                        className={css.fills}
                        title="Definition"
                        actions={
                            <div className={css.language}>
                                <FilterSelect
                                    label="Language"
                                    value={language}
                                    onChange={speak}
                                    options={[
                                        ['yaml', 'YAML'],
                                        ['json', 'JSON'],
                                    ]}
                                />
                            </div>
                        }
                    >
                        <Editor ref={editor} label="Definition" value={text} language={language} onChange={change} marks={checked.found} onSave={store} />
                    </Panel>
                    <section className={css.side}>
                        <div className={css.tabs}>
                            <Tabs
                                label="Beside"
                                value={side}
                                onChange={setSide}
                                tabs={[
                                    { id: 'graph', title: 'Graph' },
                                    { id: 'problems', title: 'Problems', count: checked.found.length || null },
                                ]}
                            />
                        </div>
                        <div className={css.sideBody}>
                            {side === 'problems' ? (
                                <Problems checked={checked} onGo={(one) => editor.current?.goTo(one.from)} />
                            ) : (
                                <DefinitionGraph spec={checked.spec} />
                            )}
                        </div>
                    </section>
                </div>
            </PageBody>
            {storing && checked.spec !== null && (
                <StoreDialog
                    workflow={workflow}
                    version={from}
                    text={text}
                    language={language}
                    spec={checked.spec}
                    onClose={() => setStoring(false)}
                    onStored={(stored) => {
                        drafts.drop(workflow ?? '');
                        void client.invalidateQueries({ queryKey: ['workflows'] });
                        void client.invalidateQueries({ queryKey: ['workflow', stored.workflow] });
                        toast.done(stored.created ? `Stored ${stored.workflow}, version ${stored.version}` : `This is version ${stored.version} already`);
                        navigate(workflowPath(stored.workflow));
                    }}
                />
            )}
        </>
    );
}

export default function EditWorkflow({ params }: PageProps) {
    const workflow = params['workflow'] === undefined ? null : nameIn(params['workflow']);
    const admin = useMay('admin');
    const detail = useQuery({ ...workflowDetail(workflow ?? ''), enabled: workflow !== null, refetchOnWindowFocus: false });
    const begin = useMemo(() => {
        if (workflow === null) return { text: first, language: 'yaml' as const };
        return detail.data && { text: write(ordered(detail.data.spec as Json), 'yaml'), language: 'yaml' as const };
    }, [workflow, detail.data]);
    if (!admin) {
        return (
            <Empty icon="warning" title="Definitions are stored by administrators">
                The token that you are logged in with has another role.
            </Empty>
        );
    }
    if (workflow !== null && detail.isError) return <Failure error={detail.error} onRetry={() => void detail.refetch()} />;
    if (!begin) return <SkeletonRows count={12} />;
    return <Writing key={workflow ?? ''} workflow={workflow} version={detail.data?.version ?? null} begin={begin} />;
}
