// How each state looks: its tone and its sign, in badges, graphs and timelines alike. The words are those of the engine.
export type Tone = 'green' | 'blue' | 'red' | 'amber' | 'violet' | 'cyan' | 'grey';
export type Sign = 'check' | 'cross' | 'dash' | 'clock' | 'hand' | 'spin' | 'dot' | 'ring' | 'bars';

const looks: Record<string, [Tone, Sign]> = {
    // runs and tasks
    pending: ['grey', 'ring'],
    queued: ['grey', 'bars'],
    ready: ['cyan', 'dot'],
    running: ['blue', 'spin'],
    scheduled: ['violet', 'clock'],
    waiting: ['amber', 'hand'],
    paused: ['amber', 'bars'],
    cancelling: ['grey', 'spin'],
    succeeded: ['green', 'check'],
    failed: ['red', 'cross'],
    timed_out: ['red', 'clock'],
    skipped: ['grey', 'dash'],
    upstream_failed: ['red', 'dash'],
    cancelled: ['grey', 'cross'],
    // attempts
    released: ['grey', 'dash'],
    lost: ['red', 'cross'],
    suspended: ['amber', 'hand'],
    // workers
    alive: ['green', 'dot'],
    draining: ['amber', 'dot'],
    stopped: ['grey', 'ring'],
    // circuits and checks
    closed: ['green', 'dot'],
    open: ['red', 'cross'],
    half_open: ['amber', 'dot'],
    ok: ['green', 'check'],
    warning: ['amber', 'dot'],
    critical: ['red', 'cross'],
    // dead letters
    redriven: ['green', 'check'],
    discarded: ['grey', 'cross'],
};

export const toneOf = (state: string): Tone => looks[state]?.[0] ?? 'grey';
export const signOf = (state: string): Sign => looks[state]?.[1] ?? 'dot';
export const wordOf = (state: string): string => state.replaceAll('_', ' ');

/** In which order states are told and counted: what needs somebody first. */
export const taskStates = [
    'failed',
    'timed_out',
    'upstream_failed',
    'running',
    'waiting',
    'scheduled',
    'ready',
    'pending',
    'succeeded',
    'skipped',
    'cancelled',
] as const;
export const runStates = ['running', 'queued', 'scheduled', 'paused', 'cancelling', 'succeeded', 'failed', 'timed_out', 'cancelled'] as const;
