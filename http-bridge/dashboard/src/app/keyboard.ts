// Keys that hold everywhere. Two-key ones (`g r`) wait a second for their second key.
export interface Shortcut {
    keys: string;
    title: string;
    run: () => void;
}

export interface KeyPress {
    key: string;
    ctrlKey: boolean;
    metaKey: boolean;
    altKey: boolean;
}

/** Says which of the sequences a row of key presses makes; null while it makes none. */
export class KeySequence {
    private first: { key: string; at: number } | null = null;

    press(event: KeyPress, now: number, known: ReadonlySet<string>): string | null {
        if (event.ctrlKey || event.metaKey || event.altKey || event.key.length !== 1) return null;
        const before = this.first && now - this.first.at < 1000 ? this.first.key : null;
        this.first = null;
        if (before !== null && known.has(`${before} ${event.key}`)) return `${before} ${event.key}`;
        if (known.has(event.key)) return event.key;
        for (const keys of known) {
            if (!keys.startsWith(`${event.key} `)) continue;
            this.first = { key: event.key, at: now };
            break;
        }
        return null;
    }
}

/** Whether the key is meant for what has the focus: a field, or a dialog that is open. */
export const isTyping = (target: EventTarget | null): boolean =>
    target instanceof HTMLElement &&
    (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName)) &&
    (target as HTMLInputElement).type !== 'checkbox';

export function listen(shortcuts: readonly Shortcut[]): () => void {
    const byKeys = new Map(shortcuts.map((one) => [one.keys, one]));
    const known = new Set(byKeys.keys());
    const sequence = new KeySequence();
    const onKey = (event: KeyboardEvent): void => {
        if (event.defaultPrevented || isTyping(event.target) || document.querySelector('dialog[open]')) return;
        const found = sequence.press(event, event.timeStamp, known);
        if (found !== null) {
            event.preventDefault();
            byKeys.get(found)!.run();
            return;
        }
        // The first list of the page takes the keys that move in lists.
        if (['j', 'k', 'ArrowDown', 'ArrowUp'].includes(event.key) && (event.target === document.body || (event.target as HTMLElement).id === 'main')) {
            const list = document.querySelector<HTMLElement>('main [data-list]');
            if (list) {
                event.preventDefault();
                list.focus();
            }
        }
    };
    document.addEventListener('keydown', onKey);
    return () => document.removeEventListener('keydown', onKey);
}
