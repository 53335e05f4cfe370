import { Button } from './Button';
import css from './Sql.module.css';
import { toast } from './Toast';

/** A value as it stands in SQL. Objects become jsonb text. */
export function quoted(value: unknown): string {
    if (value === null || value === undefined) return 'null';
    if (typeof value === 'number' || typeof value === 'boolean') return String(value);
    const text = typeof value === 'string' ? value : JSON.stringify(value);
    return `'${text.replaceAll("'", "''")}'`;
}

export async function copyText(text: string, what = 'Copied'): Promise<void> {
    try {
        await navigator.clipboard.writeText(text);
        toast.done(what);
    } catch {
        toast.failed(new Error('The browser does not let this page copy; select the text instead.'));
    }
}

/** The statement that does the same: to learn from, and to copy. */
export function Sql({ children, title = 'The same in SQL' }: { children: string; title?: string }) {
    return (
        <div className={css.sql}>
            <div className={css.head}>
                <span>{title}</span>
                <Button kind="plain" small icon="copy" onClick={() => void copyText(children, 'SQL copied')}>
                    Copy
                </Button>
            </div>
            {/* It scrolls, so the keyboard has to get there. */}
            <pre className={css.text} tabIndex={0}>
                {children}
            </pre>
        </div>
    );
}
