// Line icons of 16 units, drawn here: nothing is fetched, and each takes the colour of its text.
const paths = {
    overview: 'M2.5 2.5h4.5v4.5h-4.5zM9 2.5h4.5v4.5h-4.5zM2.5 9h4.5v4.5h-4.5zM9 9h4.5v4.5h-4.5z',
    runs: 'M4.5 3.2v9.6l7.6-4.8z',
    workflows: 'M3 3.5h3v3h-3zM10 3.5h3v3h-3zM10 10h3v3h-3zM6 5h4M11.5 6.5v3.5M6 5.2c2.5 0 2 6.3 4 6.3',
    letters: 'M2.5 4h11v8.5h-11zM2.5 4.5l5.5 4.5 5.5-4.5',
    approvals: 'M8 2.2l5 2v3.6c0 3-2 5.2-5 6-3-.8-5-3-5-6V4.2zM5.8 8l1.6 1.6 3-3.2',
    signals: 'M8 8m-1.2 0a1.2 1.2 0 1 0 2.4 0a1.2 1.2 0 1 0 -2.4 0M5 11a4.2 4.2 0 0 1 0-6M11 5a4.2 4.2 0 0 1 0 6M3 13a7 7 0 0 1 0-10M13 3a7 7 0 0 1 0 10',
    timers: 'M8 8.8m-5 0a5 5 0 1 0 10 0a5 5 0 1 0 -10 0M8 6v3l2 1.2M6.5 1.8h3',
    schedules: 'M2.5 3.5h11v10h-11zM2.5 6.5h11M5.5 2v3M10.5 2v3',
    workers: 'M4 4h8v8h-8zM6.5 6.5h3v3h-3zM6 1.8v2.2M10 1.8v2.2M6 12v2.2M10 12v2.2M1.8 6h2.2M1.8 10h2.2M12 6h2.2M12 10h2.2',
    queues: 'M2.5 4h11M2.5 8h11M2.5 12h7',
    circuits: 'M1.8 8h3.2l1.5-3.5 3 7L11 8h3.2',
    access: 'M10.5 5.5m-3 0a3 3 0 1 0 6 0a3 3 0 1 0 -6 0M8.3 7.7l-5.8 5.8M4 12l1.8 1.8M6 10l1.5 1.5',
    search: 'M7 7m-4.5 0a4.5 4.5 0 1 0 9 0a4.5 4.5 0 1 0 -9 0M10.5 10.5l3.2 3.2',
    close: 'M4 4l8 8M12 4l-8 8',
    check: 'M3.5 8.5l3 3 6-7',
    chevron: 'M6 4l4 4-4 4',
    down: 'M4 6l4 4 4-4',
    copy: 'M5.5 5.5h8v8h-8zM10.5 5.5v-3h-8v8h3',
    sun: 'M8 8m-2.8 0a2.8 2.8 0 1 0 5.6 0a2.8 2.8 0 1 0 -5.6 0M8 1.5v1.5M8 13v1.5M1.5 8h1.5M13 8h1.5M3.4 3.4l1 1M11.6 11.6l1 1M12.6 3.4l-1 1M4.4 11.6l-1 1',
    moon: 'M13 9.5A5.5 5.5 0 1 1 6.5 3a4.5 4.5 0 0 0 6.5 6.5z',
    system: 'M2 3h12v8H2zM6 14h4M8 11v3',
    help: 'M8 8m-6 0a6 6 0 1 0 12 0a6 6 0 1 0 -12 0M6.2 6.2a1.9 1.9 0 1 1 2.6 1.9c-.6.3-.8.6-.8 1.2M8 11.3v.1',
    menu: 'M2.5 4.5h11M2.5 8h11M2.5 11.5h11',
    out: 'M6.5 2.5h-4v11h4M7 8h7M11 5l3 3-3 3',
    stop: 'M4 4h8v8h-8z',
    retry: 'M13 8a5 5 0 1 1-1.6-3.7M13 2.5v3h-3',
    plus: 'M8 3v10M3 8h10',
    more: 'M3.5 8h.01M8 8h.01M12.5 8h.01',
    pause: 'M5.5 3.5v9M10.5 3.5v9',
    external: 'M6.5 3.5h-4v10h10v-4M9 2.5h4.5v4.5M13.5 2.5l-6 6',
    upload: 'M8 10.5V3M5 5.8l3-3 3 3M3 10.5v2.5h10v-2.5',
    download: 'M8 2.8v7.5M5 7.5l3 3 3-3M3 10.5v2.5h10v-2.5',
    edit: 'M3 13l.6-2.8 7-7 2.2 2.2-7 7zM9.4 4.4l2.2 2.2',
    warning: 'M8 2.5l6 11h-12zM8 6.5v3M8 11.6v.1',
    database: 'M3 4a5 2 0 1 0 10 0a5 2 0 1 0 -10 0M3 4v8c0 1.1 2.2 2 5 2s5-.9 5-2V4M3 8c0 1.1 2.2 2 5 2s5-.9 5-2',
    bolt: 'M9 1.8L3.5 9h4l-.5 5.2L12.5 7h-4z',
    fit: 'M2.5 6v-3.5H6M10 2.5h3.5V6M13.5 10v3.5H10M6 13.5H2.5V10',
    up: 'M8 13V3.5M4 7l4-4 4 4',
} as const;

export type IconName = keyof typeof paths;

export function Icon({ name, size = 16 }: { name: IconName; size?: number }) {
    return (
        <svg
            width={size}
            height={size}
            viewBox="0 0 16 16"
            fill="none"
            stroke="currentColor"
            strokeWidth={name === 'more' ? 2.2 : 1.4}
            strokeLinecap="round"
            strokeLinejoin="round"
            aria-hidden="true"
        >
            <path d={paths[name]} />
        </svg>
    );
}
