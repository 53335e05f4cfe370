import css from './Tabs.module.css';
import { formatCount } from './time';

export interface Tab<Id extends string> {
    id: Id;
    title: string;
    count?: number | null;
}

/** The row of tabs alone; what they show is the caller's, in an element of id `tab-ID` where it wants to be found. */
export function Tabs<Id extends string>({ tabs, value, onChange, label }: { tabs: readonly Tab<Id>[]; value: Id; onChange: (id: Id) => void; label: string }) {
    const move = (event: React.KeyboardEvent): void => {
        const step = event.key === 'ArrowRight' ? 1 : event.key === 'ArrowLeft' ? -1 : 0;
        if (step === 0) return;
        event.preventDefault();
        const at = tabs.findIndex((tab) => tab.id === value);
        const next = tabs[(at + step + tabs.length) % tabs.length]!;
        onChange(next.id);
        (event.currentTarget.querySelector(`[data-tab="${next.id}"]`) as HTMLElement | null)?.focus();
    };
    return (
        <div className={css.tabs} role="tablist" aria-label={label} onKeyDown={move}>
            {tabs.map((tab) => (
                <button
                    key={tab.id}
                    data-tab={tab.id}
                    type="button"
                    role="tab"
                    className={css.tab}
                    aria-selected={tab.id === value}
                    tabIndex={tab.id === value ? 0 : -1}
                    onClick={() => onChange(tab.id)}
                >
                    {tab.title}
                    {tab.count !== undefined && tab.count !== null && <span className={css.count}>{formatCount(tab.count)}</span>}
                </button>
            ))}
        </div>
    );
}
