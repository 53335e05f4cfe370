// A list as a page shows it: with its bars while it comes, its failure, nothing, or its rows; and beside it what was chosen of it.
import { Empty, Failure, Panel, SkeletonRows, Table, type Column } from '../../ui';
import css from './List.module.css';
import type { Paged } from './paged';

interface ListProps<Row> {
    label: string;
    list: Paged<Row>;
    columns: readonly Column<Row>[];
    rowKey: (row: Row) => string;
    empty: React.ComponentProps<typeof Empty>;
    onOpen?: (row: Row) => void;
    chosen?: string | null;
    selection?: React.ComponentProps<typeof Table<Row>>['selection'];
    /** What stands beside the rows, or over them where there is no room. */
    detail?: React.ReactNode;
}

export function List<Row>({ label, list, columns, rowKey, empty, onOpen, chosen, selection, detail }: ListProps<Row>) {
    return (
        <div className={`${css.split} ${detail ? css.two : ''}`}>
            <Panel className={css.rows}>
                {list.state === 'pending' ? (
                    <SkeletonRows />
                ) : list.state === 'error' ? (
                    <Failure error={list.error} onRetry={list.refetch} />
                ) : (
                    <Table
                        label={label}
                        rows={list.rows}
                        columns={columns}
                        rowKey={rowKey}
                        onOpen={onOpen}
                        chosen={chosen}
                        selection={selection}
                        onEnd={list.onEnd}
                        loadingMore={list.loadingMore}
                        empty={<Empty {...empty} />}
                    />
                )}
            </Panel>
            {detail}
        </div>
    );
}

/** Bar above a list: its filters to the left, what is done with it to the right. */
export const Bar = ({ children }: { children: React.ReactNode }) => <div className={css.bar}>{children}</div>;

/** Facts by name. */
export const Facts = ({ children }: { children: React.ReactNode }) => <dl className={css.facts}>{children}</dl>;
export const Fact = ({ name, children }: { name: string; children: React.ReactNode }) => (
    <>
        <dt>{name}</dt>
        <dd>{children}</dd>
    </>
);

/** The pane beside a list. */
export function Detail({ label, head, children }: { label: string; head: React.ReactNode; children: React.ReactNode }) {
    return (
        <section className={css.detail} aria-label={label}>
            <header className={css.detailHead}>{head}</header>
            <div className={css.detailBody} tabIndex={0} role="region" aria-label={`${label}: all of it`}>
                {children}
            </div>
        </section>
    );
}

export const Section = ({ title, children }: { title: string; children: React.ReactNode }) => (
    <section className={css.section}>
        <h3>{title}</h3>
        {children}
    </section>
);

export { css as listCss };
