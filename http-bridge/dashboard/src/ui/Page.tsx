import { useEffect } from 'react';
import css from './Page.module.css';

/** The head of a page; its title is the window's, too. */
export function PageHead({
    title,
    name,
    note,
    actions,
}: {
    title: React.ReactNode;
    /** of the window, where `title` is no text */ name?: string;
    note?: React.ReactNode;
    actions?: React.ReactNode;
}) {
    const text = name ?? (typeof title === 'string' ? title : 'orch');
    useEffect(() => {
        document.title = `${text} · orch`;
    }, [text]);
    return (
        <header className={css.head}>
            <h1>{title}</h1>
            {note && <div className={css.note}>{note}</div>}
            {actions && <div className={css.actions}>{actions}</div>}
        </header>
    );
}

/** Below the head. `fill`: as high as the window, for one list that scrolls by itself. */
export const PageBody = ({ fill, children }: { fill?: boolean; children: React.ReactNode }) => (
    <div className={`${css.body} ${fill ? css.fill : ''}`}>{children}</div>
);
