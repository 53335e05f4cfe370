import type { Transaction } from './api.js';
import type { ErrorFields } from './errors.js';
import type { Json } from './json.js';
import type { Payloads } from './payloads.js';

export type Definition = { [key: string]: any };
/** A row of what the code has done; the words are those of orch.history. */
export interface HistoryRow {
    no: number;
    id: string;
    definition: Definition;
    state: string;
    output: Json;
    error: ErrorFields | null;
    /** Seconds since 1970. */
    ended_at: number | null;
}
export type Entry = { id: string; output?: Json; error?: ErrorFields; tags?: { [key: string]: Json }; seen?: string[]; [field: string]: any };
export type Outcome = Pick<HistoryRow, 'id' | 'state' | 'output' | 'error'>;
export type Waits = { steps: Entry[]; any?: string[]; all?: string[] };
export type Request = { id: string; name: string; input: Json };

/** Where the journal of a run is kept: by the engine, or in the memory of a test. */
export interface Journal {
    readonly payloads: Payloads;
    history(): Promise<HistoryRow[]>;
    record(entries: Entry[]): Promise<void>;
    suspend(waits: Waits): Promise<'go_on' | 'suspended'>;
    outcomes(ids: string[]): Promise<Outcome[]>;
    /** The updates that nobody has accepted or refused. */
    updates(): Promise<Request[]>;
    /** Runs `work` in a transaction, and records the entry that it makes in the same. */
    transaction(id: string, work: (tx: Transaction) => Promise<Entry>): Promise<Entry>;
    park(error: ErrorFields): Promise<void>;
    continueAsNew(input: Json): Promise<unknown>;
    log(line: string): void;
    now(): Date;
    /** A pause before another attempt, too short for a timer. */
    pause(ms: number, signal: AbortSignal): Promise<void>;
    /** What a test has put in the place of a step's function. */
    mocked?(name: string): Function | undefined;
}

/** The journal could not be written: not the step's failure. */
export class LostStep extends Error {}
