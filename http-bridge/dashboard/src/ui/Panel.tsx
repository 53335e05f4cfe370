import { useId } from 'react';
import css from './Panel.module.css';

interface PanelProps {
    title?: React.ReactNode;
    note?: React.ReactNode;
    actions?: React.ReactNode;
    /** Whether the content stands off the frame; tables do not. */
    padded?: boolean;
    className?: string;
    children: React.ReactNode;
}

export function Panel({ title, note, actions, padded, className, children }: PanelProps) {
    const id = useId();
    return (
        <section className={`${css.panel} ${className ?? ''}`} aria-labelledby={title ? id : undefined}>
            {(title || actions) && (
                <header className={css.head}>
                    {title && <h2 id={id}>{title}</h2>}
                    {note && <span className={`${css.note} truncate`}>{note}</span>}
                    {actions && <div className={css.actions}>{actions}</div>}
                </header>
            )}
            <div className={`${css.body} ${padded ? css.padded : ''}`}>{children}</div>
        </section>
    );
}
