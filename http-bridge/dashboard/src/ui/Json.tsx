import { useState } from 'react';
import { Button } from './Button';
import css from './Json.module.css';
import { copyText } from './Sql';

const pageOf = 100;

function Value({ value, name, depth, comma }: { value: unknown; name?: string; depth: number; comma: boolean }) {
    const branch = value !== null && typeof value === 'object';
    const size = branch ? Object.keys(value).length : 0;
    const [open, setOpen] = useState(depth < 2 && size <= 60);
    const [shown, setShown] = useState(pageOf);
    const key = name !== undefined && (
        <>
            <span className={css.key}>{JSON.stringify(name)}</span>
            <span className={css.mark}>: </span>
        </>
    );
    const end = comma && <span className={css.mark}>,</span>;
    if (!branch) {
        return (
            <div>
                {key}
                <span className={typeof value === 'string' ? css.string : css.atom}>{JSON.stringify(value) ?? 'null'}</span>
                {end}
            </div>
        );
    }
    const [before, after] = Array.isArray(value) ? ['[', ']'] : ['{', '}'];
    if (size === 0)
        return (
            <div>
                {key}
                <span className={css.mark}>{before + after}</span>
                {end}
            </div>
        );
    // Only what is open is in the page, and of long lists a part.
    const entries = open ? Object.entries(value).slice(0, shown) : [];
    return (
        <div>
            {key}
            <button type="button" className={css.fold} aria-expanded={open} aria-label={open ? 'Fold' : 'Unfold'} onClick={() => setOpen(!open)}>
                {open ? before : `${before} … ${size} ${after}`}
            </button>
            {open && (
                <>
                    <div className={css.children}>
                        {entries.map(([one, inner], i) => (
                            <Value key={one} name={Array.isArray(value) ? undefined : one} value={inner} depth={depth + 1} comma={i < size - 1} />
                        ))}
                        {size > shown && (
                            <button type="button" className={css.fold} onClick={() => setShown(shown + pageOf * 10)}>
                                … {size - shown} more
                            </button>
                        )}
                    </div>
                    <span className={css.mark}>{after}</span>
                </>
            )}
            {end}
        </div>
    );
}

/** Any JSON, folded where it is large, with its text to copy. */
export function JsonView({ value }: { value: unknown }) {
    if (value === undefined || value === null) return <p className={`${css.json} faint`}>null</p>;
    return (
        <div className={css.box}>
            <div className={css.json} tabIndex={0} role="group" aria-label="JSON">
                <Value value={value} depth={0} comma={false} />
            </div>
            <div className={css.tools}>
                <Button kind="plain" small icon="copy" aria-label="Copy JSON" onClick={() => void copyText(JSON.stringify(value, null, 2), 'JSON copied')} />
            </div>
        </div>
    );
}
