import css from './StateBadge.module.css';
import { signOf, toneOf, wordOf, type Sign } from './states';

const drawn: Record<Sign, React.ReactNode> = {
    check: (
        <>
            <circle cx="7" cy="7" r="6" fill="currentColor" />
            <path d="M4.3 7.2l1.9 1.9 3.6-4" stroke="var(--bg)" strokeWidth="1.5" />
        </>
    ),
    cross: (
        <>
            <circle cx="7" cy="7" r="6" fill="currentColor" />
            <path d="M5 5l4 4M9 5l-4 4" stroke="var(--bg)" strokeWidth="1.5" />
        </>
    ),
    dash: (
        <>
            <circle cx="7" cy="7" r="5.3" stroke="currentColor" strokeWidth="1.4" />
            <path d="M4.6 7h4.8" stroke="currentColor" strokeWidth="1.5" />
        </>
    ),
    clock: (
        <>
            <circle cx="7" cy="7" r="5.3" stroke="currentColor" strokeWidth="1.4" />
            <path d="M7 4v3.2l2 1.2" stroke="currentColor" strokeWidth="1.4" />
        </>
    ),
    hand: (
        <>
            <circle cx="7" cy="7" r="5.3" stroke="currentColor" strokeWidth="1.4" />
            <path d="M5.6 5v4M8.4 5v4" stroke="currentColor" strokeWidth="1.5" />
        </>
    ),
    spin: (
        <>
            <circle cx="7" cy="7" r="5.3" stroke="currentColor" strokeOpacity="0.28" strokeWidth="1.6" />
            <path d="M7 1.7a5.3 5.3 0 0 1 5.3 5.3" stroke="currentColor" strokeWidth="1.6" />
        </>
    ),
    dot: <circle cx="7" cy="7" r="4" fill="currentColor" />,
    ring: <circle cx="7" cy="7" r="4.6" stroke="currentColor" strokeWidth="1.4" strokeDasharray="2 1.6" />,
    bars: <path d="M3 4h8M3 7h8M3 10h5" stroke="currentColor" strokeWidth="1.5" />,
};

/** The sign of a state alone, for where its word stands beside. */
export function StateSign({ state, size = 14 }: { state: string; size?: number }) {
    const sign = signOf(state);
    return (
        <span className={css[toneOf(state)]}>
            <svg
                className={`${css.sign} ${sign === 'spin' ? css.spin : ''}`}
                width={size}
                height={size}
                viewBox="0 0 14 14"
                fill="none"
                strokeLinecap="round"
                strokeLinejoin="round"
                aria-hidden="true"
            >
                {drawn[sign]}
            </svg>
        </span>
    );
}

/** A state as its sign and its word. `pill` gives it ground, for headings. */
export function StateBadge({ state, pill }: { state: string; pill?: boolean }) {
    return (
        <span className={`${css.badge} ${css[toneOf(state)]} ${pill ? css.pill : ''}`}>
            <StateSign state={state} />
            {wordOf(state)}
        </span>
    );
}
