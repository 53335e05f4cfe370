// CodeMirror, for definitions. It lives in a shadow root: there its styles are adopted sheets, which the page's policy lets in, and no <style> of its own.
import { defaultKeymap, history, historyKeymap, indentWithTab } from '@codemirror/commands';
import { json } from '@codemirror/lang-json';
import { yaml } from '@codemirror/lang-yaml';
import { bracketMatching, foldGutter, foldKeymap, HighlightStyle, indentOnInput, indentUnit, syntaxHighlighting } from '@codemirror/language';
import { lintGutter, setDiagnostics, type Diagnostic } from '@codemirror/lint';
import { highlightSelectionMatches, search, searchKeymap } from '@codemirror/search';
import { Compartment, EditorState } from '@codemirror/state';
import { drawSelection, EditorView, highlightActiveLine, highlightActiveLineGutter, keymap, lineNumbers } from '@codemirror/view';
import { tags } from '@lezer/highlight';
import { useEffect, useImperativeHandle, useRef, type Ref } from 'react';
import css from './Editor.module.css';
import type { Language } from './text';

export interface Mark {
    from: number;
    to: number;
    severity: 'error' | 'warning';
    message: string;
    hint?: string | null;
}

export interface EditorHandle {
    /** Puts the cursor there and shows it. */
    goTo: (at: number) => void;
    focus: () => void;
}

interface EditorProps {
    value: string;
    language: Language;
    label: string;
    onChange?: (value: string) => void;
    marks?: readonly Mark[];
    onSave?: () => void;
    ref?: Ref<EditorHandle>;
}

const theme = EditorView.theme({
    '&': { height: '100%', fontSize: '12.5px', color: 'var(--text)', backgroundColor: 'transparent' },
    '&.cm-focused': { outline: 'none' },
    '.cm-scroller': { fontFamily: 'var(--mono)', lineHeight: '1.6', scrollbarWidth: 'thin', scrollbarColor: 'var(--line-strong) transparent' },
    '.cm-content': { caretColor: 'var(--text)', padding: '8px 0' },
    '.cm-cursor': { borderLeftColor: 'var(--text)' },
    '.cm-gutters': { backgroundColor: 'transparent', color: 'var(--text-3)', border: 'none' },
    '.cm-lineNumbers .cm-gutterElement': { padding: '0 6px 0 10px', minWidth: '34px' },
    '.cm-activeLine': { backgroundColor: 'color-mix(in srgb, var(--hover) 60%, transparent)' },
    '.cm-activeLineGutter': { backgroundColor: 'transparent', color: 'var(--text)' },
    '.cm-foldGutter .cm-gutterElement': { color: 'var(--text-3)', cursor: 'pointer' },
    '.cm-foldPlaceholder': { backgroundColor: 'var(--selected)', border: 'none', color: 'var(--text-2)', padding: '0 6px' },
    '.cm-selectionBackground, &.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground': {
        backgroundColor: 'color-mix(in srgb, var(--focus) 30%, transparent)',
    },
    '.cm-selectionMatch': { backgroundColor: 'color-mix(in srgb, var(--focus) 16%, transparent)' },
    '.cm-matchingBracket': { backgroundColor: 'var(--selected)', outline: '1px solid var(--line-strong)' },
    '.cm-gutter-lint': { width: '14px' },
    '.cm-lint-marker': { width: '8px', height: '8px', margin: '6px 2px', borderRadius: '50%', content: 'none' },
    '.cm-lint-marker-error': { backgroundColor: 'var(--red)' },
    '.cm-lint-marker-warning': { backgroundColor: 'var(--amber)' },
    '.cm-lintRange': { backgroundImage: 'none', paddingBottom: '0' },
    '.cm-lintRange-error': { textDecoration: 'underline wavy var(--red) 1px', textUnderlineOffset: '3px' },
    '.cm-lintRange-warning': { textDecoration: 'underline wavy var(--amber) 1px', textUnderlineOffset: '3px' },
    '.cm-lintPoint:after': { borderBottomColor: 'var(--red)' },
    '.cm-tooltip': {
        backgroundColor: 'var(--raised)',
        color: 'var(--text)',
        border: '1px solid var(--line-strong)',
        borderRadius: '6px',
        boxShadow: 'var(--shadow)',
        maxWidth: '460px',
        fontFamily: 'var(--sans)',
        fontSize: '13px',
    },
    '.cm-diagnostic': { padding: '6px 10px', borderLeftWidth: '3px', whiteSpace: 'pre-wrap' },
    '.cm-diagnostic-error': { borderLeftColor: 'var(--red)' },
    '.cm-diagnostic-warning': { borderLeftColor: 'var(--amber)' },
    '.cm-panels': { backgroundColor: 'var(--raised)', color: 'var(--text)', borderColor: 'var(--line)' },
    '.cm-panel.cm-search': { fontFamily: 'var(--sans)', fontSize: '12px', padding: '6px 8px' },
    '.cm-panel.cm-search input': { backgroundColor: 'var(--bg)', color: 'var(--text)', border: '1px solid var(--line-strong)', borderRadius: '4px' },
    '.cm-panel.cm-search .cm-button': {
        backgroundColor: 'var(--surface)',
        backgroundImage: 'none',
        color: 'var(--text)',
        border: '1px solid var(--line-strong)',
        borderRadius: '4px',
    },
    '.cm-searchMatch': { backgroundColor: 'var(--amber-soft)' },
});

// Names and what they hold stand apart by weight and grey: colours are for states.
const highlighting = HighlightStyle.define([
    { tag: [tags.propertyName, tags.definition(tags.propertyName)], color: 'var(--text)', fontWeight: '600' },
    { tag: [tags.string, tags.content, tags.special(tags.string)], color: 'var(--text-2)' },
    { tag: [tags.number, tags.bool, tags.null, tags.keyword, tags.atom], color: 'var(--cyan)' },
    { tag: [tags.comment, tags.meta], color: 'var(--text-3)', fontStyle: 'italic' },
    { tag: [tags.punctuation, tags.separator, tags.bracket, tags.brace, tags.squareBracket], color: 'var(--text-3)' },
    { tag: tags.invalid, color: 'var(--red)' },
]);

const grammar = { yaml, json } as const;

// What a browser puts in the place of styled text it styles the same, by an attribute that the page's policy refuses: so it is put there by us.
const overSelection = EditorView.domEventHandlers({
    beforeinput: (event, view) => {
        if (event.inputType !== 'insertText' || !event.data || view.composing || view.state.readOnly || view.state.selection.main.empty) return false;
        view.dispatch(view.state.replaceSelection(event.data), { userEvent: 'input.type', scrollIntoView: true });
        event.preventDefault();
        return true;
    },
});

export function Editor({ value, language, label, onChange, marks, onSave, ref }: EditorProps) {
    const host = useRef<HTMLDivElement>(null);
    const view = useRef<EditorView | null>(null);
    const spoken = useRef(new Compartment());
    const told = useRef<string[]>([]);
    const latest = useRef({ onChange, onSave });
    useEffect(() => {
        latest.current = { onChange, onSave };
    });
    const writable = onChange !== undefined;

    useEffect(() => {
        const element = host.current!;
        const root = element.shadowRoot ?? element.attachShadow({ mode: 'open', delegatesFocus: true });
        const made = new EditorView({
            root,
            parent: root as unknown as HTMLElement,
            state: EditorState.create({
                doc: value,
                extensions: [
                    lineNumbers(),
                    foldGutter({ openText: '▾', closedText: '▸' }),
                    bracketMatching(),
                    drawSelection(),
                    search({ top: true }),
                    highlightSelectionMatches(),
                    indentUnit.of('  '),
                    EditorView.lineWrapping,
                    EditorView.contentAttributes.of({ 'aria-label': label }),
                    overSelection,
                    syntaxHighlighting(highlighting),
                    theme,
                    spoken.current.of(grammar[language]()),
                    ...(writable
                        ? [lintGutter(), history(), indentOnInput(), highlightActiveLine(), highlightActiveLineGutter()]
                        : [EditorState.readOnly.of(true)]),
                    keymap.of([
                        { key: 'Mod-s', preventDefault: true, run: () => (latest.current.onSave?.(), true) },
                        // Esc gives the next Tab back to the page.
                        { key: 'Escape', run: (target) => (target.setTabFocusMode(2000), false) },
                        ...(writable ? [indentWithTab, ...historyKeymap] : []),
                        ...defaultKeymap,
                        ...searchKeymap,
                        ...foldKeymap,
                    ]),
                    EditorView.updateListener.of((update) => {
                        if (!update.docChanged || !latest.current.onChange) return;
                        const text = update.state.doc.toString();
                        told.current.push(text);
                        latest.current.onChange(text);
                    }),
                ],
            }),
        });
        view.current = made;
        // Seen from outside, keys come from the host, which is no field: those of the page shall not hear them.
        const own = (event: KeyboardEvent): void => {
            if (!event.ctrlKey && !event.metaKey && writable) event.stopPropagation();
        };
        element.addEventListener('keydown', own);
        return () => {
            element.removeEventListener('keydown', own);
            made.destroy();
            view.current = null;
        };
        // What changes later goes in below.
    }, [writable, label]);

    useEffect(() => {
        const now = view.current;
        // What was told by the editor itself comes back late, when one may have typed on: only what comes from elsewhere is put in.
        const at = told.current.lastIndexOf(value);
        told.current = at < 0 ? [] : told.current.slice(at + 1);
        if (now && at < 0 && now.state.doc.toString() !== value) now.dispatch({ changes: { from: 0, to: now.state.doc.length, insert: value } });
    }, [value]);
    useEffect(() => view.current?.dispatch({ effects: spoken.current.reconfigure(grammar[language]()) }), [language]);
    useEffect(() => {
        const now = view.current;
        if (!now) return;
        const end = now.state.doc.length;
        const diagnostics = (marks ?? []).map((mark): Diagnostic => {
            const from = Math.min(mark.from, end);
            return {
                from,
                to: Math.max(from, Math.min(mark.to, end)),
                severity: mark.severity,
                message: mark.hint ? `${mark.message}\n${mark.hint}` : mark.message,
            };
        });
        now.dispatch(setDiagnostics(now.state, diagnostics));
    }, [marks, value]);

    useImperativeHandle(
        ref,
        () => ({
            goTo: (at) => {
                const now = view.current;
                if (!now) return;
                const place = Math.min(at, now.state.doc.length);
                now.dispatch({ selection: { anchor: place }, effects: EditorView.scrollIntoView(place, { y: 'center' }) });
                now.focus();
            },
            focus: () => view.current?.focus(),
        }),
        [],
    );
    return <div ref={host} className={css.host} />;
}
