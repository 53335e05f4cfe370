import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useEffect, useMemo, useRef, useState } from 'react';
import { useLocation } from 'wouter';
import { ApiError, request } from '../../api/client';
import type { components } from '../../api/schema';
import { drafts } from '../../source/drafts';
import { lineOf, placesIn } from '../../source/positions';
import { languageOf } from '../../source/text';
import type { Verdict } from '../../source/useVerdict';
import { Button, Dialog, formatCount, Icon, Skeleton, StateSign, toast } from '../../ui';
import { Problem } from './Problem';
import { workflowPath } from './queries';
import css from './workflows.module.css';

type Registered = components['schemas']['Registered'];

const formOf = (files: readonly File[]): FormData => {
    const form = new FormData();
    for (const file of files) form.append('file', file, file.name);
    return form;
};

/** Over the whole page while files are dragged over it. */
export function DropZone({ onFiles }: { onFiles: (files: File[]) => void }) {
    const [over, setOver] = useState(false);
    const latest = useRef(onFiles);
    useEffect(() => {
        latest.current = onFiles;
    });
    useEffect(() => {
        let depth = 0;
        const withFiles = (event: DragEvent): boolean => event.dataTransfer?.types.includes('Files') ?? false;
        const enter = (event: DragEvent): void => {
            if (!withFiles(event)) return;
            depth++;
            setOver(true);
        };
        const leave = (): void => {
            depth = Math.max(0, depth - 1);
            if (depth === 0) setOver(false);
        };
        const keep = (event: DragEvent): void => {
            if (withFiles(event)) event.preventDefault();
        };
        const drop = (event: DragEvent): void => {
            if (!withFiles(event)) return;
            event.preventDefault();
            depth = 0;
            setOver(false);
            const files = [...(event.dataTransfer?.files ?? [])];
            if (files.length > 0) latest.current(files);
        };
        const listeners = { dragenter: enter, dragleave: leave, dragover: keep, drop } as const;
        for (const [name, listener] of Object.entries(listeners)) window.addEventListener(name, listener as EventListener);
        return () => {
            for (const [name, listener] of Object.entries(listeners)) window.removeEventListener(name, listener as EventListener);
        };
    }, []);
    if (!over) return null;
    return (
        <div className={css.over} aria-hidden="true">
            <div>
                <Icon name="workflows" size={28} />
                <p>Drop definitions here: JSON or YAML, one or several</p>
            </div>
        </div>
    );
}

interface Looked {
    file: File;
    text: string;
    verdict: Verdict | null;
    refused: unknown;
}

/** Each file by itself, so that one that cannot be read hides nothing of the others. */
async function look(file: File, signal: AbortSignal): Promise<Looked> {
    const text = await file.text();
    try {
        return { file, text, verdict: await request<Verdict>('POST', '/workflows/validate', { raw: { body: formOf([file]) }, signal }), refused: null };
    } catch (refused) {
        if (!(refused instanceof ApiError)) throw refused;
        return { file, text, verdict: null, refused };
    }
}

const sizeOf = (bytes: number): string =>
    bytes < 1024 ? `${bytes} B` : bytes < 1 << 20 ? `${(bytes / 1024).toFixed(1)} KiB` : `${(bytes / (1 << 20)).toFixed(1)} MiB`;

function FileRow({ looked, onEdit }: { looked: Looked; onEdit: () => void }) {
    const problems = looked.verdict?.problems ?? [];
    const bad = !looked.verdict?.valid;
    const placeOf = useMemo(() => placesIn(looked.text), [looked.text]);
    return (
        <li>
            <div className="row">
                <StateSign state={bad ? 'failed' : problems.length > 0 ? 'warning' : 'succeeded'} />
                <span className="truncate">{looked.file.name}</span>
                <span className="faint">{sizeOf(looked.file.size)}</span>
                <span className="spacer" />
                {bad && (
                    <Button small onClick={onEdit}>
                        Mend in the editor
                    </Button>
                )}
            </div>
            {looked.refused !== null && <Problem error={looked.refused} />}
            {problems.map((one, i) => (
                <div key={i} className={css.filed} data-severity={one.severity}>
                    <span className="mono faint">line {lineOf(looked.text, placeOf(one.path).from).line}</span>
                    <span>
                        {one.message} <span className="faint">{one.hint}</span>
                    </span>
                </div>
            ))}
        </li>
    );
}

export function UploadDialog({ files, onFiles, onClose }: { files: readonly File[]; onFiles: (files: File[]) => void; onClose: () => void }) {
    const client = useQueryClient();
    const [, navigate] = useLocation();
    const [busy, setBusy] = useState(false);
    const [error, setError] = useState<unknown>(null);
    const picker = useRef<HTMLInputElement>(null);
    const looked = useQuery({
        queryKey: ['upload', files.map((file) => `${file.name} ${file.size} ${file.lastModified}`)],
        queryFn: ({ signal }) => Promise.all(files.map((file) => look(file, signal))),
        enabled: files.length > 0,
        gcTime: 0,
        refetchOnWindowFocus: false,
    });
    const all = looked.data ?? [];
    const good = files.length > 0 && all.length === files.length && all.every((one) => one.verdict?.valid);
    const edit = (one: Looked): void => {
        drafts.keep('', { text: one.text, language: languageOf(one.text), version: null });
        onClose();
        navigate('/new-workflow');
    };
    const store = async (): Promise<void> => {
        if (!good || busy) return;
        setBusy(true);
        setError(null);
        try {
            const answer = await request<Registered | { items: Registered[] }>('POST', '/workflows', { raw: { body: formOf(files) } });
            const stored = 'items' in answer ? answer.items : [answer];
            const fresh = stored.filter((one) => one.created);
            void client.invalidateQueries({ queryKey: ['workflows'] });
            for (const one of stored) void client.invalidateQueries({ queryKey: ['workflow', one.workflow] });
            toast.done(
                fresh.length === 0 ? 'Nothing is new: these versions were there' : `Stored ${fresh.map((one) => `${one.workflow} ${one.version}`).join(', ')}`,
            );
            onClose();
            if (stored.length === 1) navigate(workflowPath(stored[0]!.workflow));
        } catch (caught) {
            setError(caught);
            setBusy(false);
        }
    };
    return (
        <Dialog
            title="Upload definitions"
            width={620}
            onClose={onClose}
            onSubmit={() => void store()}
            footer={
                <>
                    <Button onClick={onClose}>Close</Button>
                    <Button type="submit" kind="primary" disabled={!good} busy={busy}>
                        {files.length > 1 ? `Store ${formatCount(files.length)} workflows` : 'Store'}
                    </Button>
                </>
            }
        >
            <button type="button" className={css.drop} onClick={() => picker.current?.click()}>
                <Icon name="workflows" size={22} />
                <span>Drop JSON or YAML files here, or choose them</span>
                <span className="faint">Several are stored all or none. 32 MiB at most.</span>
            </button>
            <input
                ref={picker}
                type="file"
                hidden
                multiple
                accept=".json,.yaml,.yml,application/json,application/yaml"
                aria-label="Definitions"
                onChange={(event) => {
                    const chosen = [...(event.target.files ?? [])];
                    if (chosen.length > 0) onFiles(chosen);
                    event.target.value = '';
                }}
            />
            {files.length > 0 && (
                <ul className={css.files} aria-label="Files">
                    {looked.isPending
                        ? files.map((file) => (
                              <li key={file.name}>
                                  <div className="row">
                                      <Skeleton width="14px" height={14} /> {file.name}
                                  </div>
                              </li>
                          ))
                        : all.map((one) => <FileRow key={one.file.name} looked={one} onEdit={() => edit(one)} />)}
                </ul>
            )}
            {looked.isError && <Problem error={looked.error} />}
            {error !== null && <Problem error={error} />}
            <p className="faint">
                The same in a shell: <code>orch register {files.length > 0 ? files.map((file) => file.name).join(' ') : 'FILE …'}</code>
            </p>
        </Dialog>
    );
}
