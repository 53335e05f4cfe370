// A list of any length: only the rows that are seen are in the page. j, k and the arrows move, Enter opens, x chooses.
import { useVirtualizer } from '@tanstack/react-virtual';
import { useCallback, useEffect, useId, useImperativeHandle, useRef, useState, type Ref } from 'react';
import { useMedia } from './media';
import css from './Table.module.css';

export interface Column<Row> {
    id: string;
    title: React.ReactNode;
    /** As a track of a CSS grid: `120px`, `minmax(140px, 1fr)`. */
    width: string;
    cell: (row: Row) => React.ReactNode;
    align?: 'right';
    /** Left out where there is no room for it. */
    wide?: boolean;
    /** Pressed on, for lists that the caller sorts. */
    onSort?: () => void;
    sorted?: 'ascending' | 'descending';
}

export interface TableHandle {
    focus: () => void;
    scrollTo: (index: number) => void;
}

/** What the columns want at least, so that all lines are as wide as each other. */
const leastWidth = (columns: readonly { width: string }[]): number => columns.reduce((sum, { width }) => sum + Number(/(\d+)px/.exec(width)?.[1] ?? 60), 0);

interface TableProps<Row> {
    label: string;
    rows: readonly Row[];
    columns: readonly Column<Row>[];
    rowKey: (row: Row) => string;
    onOpen?: (row: Row) => void;
    /** The row that is shown beside. */
    chosen?: string | null;
    /** With it each row has a box. */
    selection?: { chosen: ReadonlySet<string>; onChange: (chosen: ReadonlySet<string>) => void };
    /** Called near the end of what is there. */
    onEnd?: () => void;
    loadingMore?: boolean;
    /** What stands there instead of no rows. */
    empty?: React.ReactNode;
    /** Whether the table takes the keyboard when it comes. */
    autoFocus?: boolean;
    rowHeight?: number;
    ref?: Ref<TableHandle>;
}

export function Table<Row>({
    label,
    rows,
    columns: all,
    rowKey,
    onOpen,
    chosen,
    selection,
    onEnd,
    loadingMore,
    empty,
    autoFocus,
    rowHeight = 34,
    ref,
}: TableProps<Row>) {
    const scroller = useRef<HTMLDivElement>(null);
    const narrow = useMedia('(max-width: 720px)');
    const columns = narrow ? all.filter((column) => !column.wide) : all;
    const [active, setActive] = useState(-1);
    const id = useId();
    const virtual = useVirtualizer({
        count: rows.length,
        getScrollElement: () => scroller.current,
        estimateSize: () => rowHeight,
        overscan: 12,
        scrollPaddingStart: 30,
    });
    const lines = virtual.getVirtualItems();
    const last = lines.at(-1)?.index ?? -1;

    useImperativeHandle(ref, () => ({ focus: () => scroller.current?.focus(), scrollTo: (index) => virtual.scrollToIndex(index, { align: 'center' }) }), [
        virtual,
    ]);
    useEffect(() => {
        if (autoFocus && (document.activeElement === document.body || document.activeElement === null)) scroller.current?.focus({ preventScroll: true });
    }, [autoFocus]);
    useEffect(() => {
        if (onEnd && last >= rows.length - 20 && rows.length > 0) onEnd();
    }, [last, rows.length, onEnd]);

    const toggle = useCallback(
        (key: string) => {
            if (!selection) return;
            const next = new Set(selection.chosen);
            if (!next.delete(key)) next.add(key);
            selection.onChange(next);
        },
        [selection],
    );
    const move = (to: number): void => {
        const next = Math.max(0, Math.min(rows.length - 1, to));
        setActive(next);
        virtual.scrollToIndex(next);
    };
    const onKeyDown = (event: React.KeyboardEvent): void => {
        if (event.metaKey || event.ctrlKey || event.altKey || event.target !== scroller.current) return;
        const page = Math.max(1, Math.floor((scroller.current.clientHeight - 30) / rowHeight) - 1);
        const row = rows[active];
        switch (event.key) {
            case 'j':
            case 'ArrowDown':
                move(active + 1);
                break;
            case 'k':
            case 'ArrowUp':
                move(active - 1);
                break;
            case 'PageDown':
                move(active + page);
                break;
            case 'PageUp':
                move(active - page);
                break;
            case 'Home':
                move(0);
                break;
            case 'End':
                move(rows.length - 1);
                break;
            case 'Enter':
                if (!row || !onOpen) return;
                onOpen(row);
                break;
            case 'x':
            case ' ':
                if (!row || !selection) return;
                toggle(rowKey(row));
                break;
            default:
                return;
        }
        event.preventDefault();
    };

    const tracks = [selection && '35px', ...columns.map((column) => column.width)].filter(Boolean).join(' ');
    const everything = selection !== undefined && rows.length > 0 && rows.every((row) => selection.chosen.has(rowKey(row)));
    return (
        <div
            ref={scroller}
            className={css.scroll}
            style={{ '--columns': tracks, '--least': narrow ? '0' : `${leastWidth(columns)}px`, '--row': `${rowHeight}px` } as React.CSSProperties}
            role="grid"
            aria-label={label}
            aria-rowcount={rows.length + 1}
            aria-activedescendant={active >= 0 ? `${id}-${active}` : undefined}
            aria-multiselectable={selection ? true : undefined}
            tabIndex={0}
            data-list
            onKeyDown={onKeyDown}
            onFocus={(event) => event.target === scroller.current && active < 0 && rows.length > 0 && setActive(0)}
        >
            <div className={css.head} role="row" aria-rowindex={1}>
                {selection && (
                    <div className={css.cell} role="columnheader">
                        <input
                            type="checkbox"
                            className={css.box}
                            aria-label="Choose all"
                            checked={everything}
                            onChange={() => selection.onChange(everything ? new Set() : new Set(rows.map(rowKey)))}
                        />
                    </div>
                )}
                {columns.map((column) => (
                    <div key={column.id} className={`${css.cell} ${column.align === 'right' ? css.right : ''}`} role="columnheader" aria-sort={column.sorted}>
                        {column.onSort ? (
                            <button type="button" className={css.sortable} onClick={column.onSort}>
                                {column.title}
                                {column.sorted === 'ascending' ? ' ↑' : column.sorted === 'descending' ? ' ↓' : ''}
                            </button>
                        ) : (
                            column.title
                        )}
                    </div>
                ))}
            </div>
            {rows.length === 0 ? (
                <div role="row">
                    <div role="gridcell">{empty}</div>
                </div>
            ) : (
                <div className={css.body} role="rowgroup" style={{ height: virtual.getTotalSize() }}>
                    {lines.map((line) => {
                        const row = rows[line.index]!;
                        const key = rowKey(row);
                        const classes = [
                            css.line,
                            onOpen && css.open,
                            line.index === active && css.active,
                            (key === chosen || selection?.chosen.has(key)) && css.chosen,
                        ];
                        return (
                            <div
                                key={key}
                                id={`${id}-${line.index}`}
                                className={classes.filter(Boolean).join(' ')}
                                style={{ transform: `translateY(${line.start}px)` }}
                                role="row"
                                aria-rowindex={line.index + 2}
                                aria-selected={key === chosen || selection?.chosen.has(key) || false}
                                onClick={(event) => {
                                    if ((event.target as HTMLElement).closest('a, button, input')) return;
                                    setActive(line.index);
                                    onOpen?.(row);
                                }}
                            >
                                {selection && (
                                    <div className={css.cell} role="gridcell">
                                        <input
                                            type="checkbox"
                                            className={css.box}
                                            aria-label={`Choose ${key}`}
                                            checked={selection.chosen.has(key)}
                                            onChange={() => toggle(key)}
                                        />
                                    </div>
                                )}
                                {columns.map((column) => (
                                    <div key={column.id} className={`${css.cell} ${column.align === 'right' ? css.right : ''}`} role="gridcell">
                                        {column.cell(row)}
                                    </div>
                                ))}
                            </div>
                        );
                    })}
                </div>
            )}
            {loadingMore && <div className={css.more}>Loading more …</div>}
        </div>
    );
}
