import { useEffect, useId, useRef } from 'react';
import { Button } from './Button';
import css from './Dialog.module.css';

interface DialogProps {
    title: string;
    onClose: () => void;
    children: React.ReactNode;
    footer?: React.ReactNode;
    width?: number;
    /** Makes the whole a form: Enter in a field submits it. */
    onSubmit?: () => void;
    /** Without the head, for what brings its own. */
    bare?: boolean;
}

/** Over everything, with the keyboard kept inside; Esc and a click beside it close it. It is there as long as it is rendered. */
export function Dialog({ title, onClose, children, footer, width, onSubmit, bare }: DialogProps) {
    const element = useRef<HTMLDialogElement>(null);
    const id = useId();
    useEffect(() => {
        const dialog = element.current!;
        const before = document.activeElement as HTMLElement | null;
        if (!dialog.open) dialog.showModal();
        return () => before?.focus?.({ preventScroll: true });
    }, []);
    const content = (
        <>
            <div className={css.body}>{children}</div>
            {footer && <footer className={css.foot}>{footer}</footer>}
        </>
    );
    return (
        <dialog
            ref={element}
            className={css.dialog}
            style={width ? ({ '--width': `${width}px` } as React.CSSProperties) : undefined}
            aria-labelledby={bare ? undefined : id}
            aria-label={bare ? title : undefined}
            onCancel={(event) => {
                event.preventDefault();
                onClose();
            }}
            onMouseDown={(event) => event.target === element.current && onClose()}
        >
            {bare ? (
                children
            ) : (
                <>
                    <header className={css.head}>
                        <h2 id={id}>{title}</h2>
                        <Button kind="plain" small icon="close" aria-label="Close" onClick={onClose} />
                    </header>
                    {onSubmit ? (
                        <form
                            style={{ display: 'contents' }}
                            onSubmit={(event) => {
                                event.preventDefault();
                                onSubmit();
                            }}
                        >
                            {content}
                        </form>
                    ) : (
                        content
                    )}
                </>
            )}
        </dialog>
    );
}

export const problemClass = css.problem;
