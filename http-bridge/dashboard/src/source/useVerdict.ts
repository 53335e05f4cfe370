// What is wrong with a draft, by the API, each problem with its place in the text.
import { useQuery } from '@tanstack/react-query';
import { useEffect, useMemo, useState } from 'react';
import { ApiError, request } from '../api/client';
import type { components } from '../api/schema';
import type { Mark } from './Editor';
import { lineOf, placesIn } from './positions';
import { read, type Json, type Language } from './text';

export type Told = components['schemas']['DefinitionProblem'] & { file?: string };
export interface Verdict {
    valid: boolean;
    problems: Told[];
}

export interface Found extends Mark {
    path: string;
    line: number;
    column: number;
    code: string;
}

export const validate = (text: string, language: Language, signal?: AbortSignal): Promise<Verdict> =>
    request<Verdict>('POST', '/workflows/validate', { raw: { body: text, type: `application/${language}` }, signal });

export function useSettled<T>(value: T, ms: number): T {
    const [settled, setSettled] = useState(value);
    useEffect(() => {
        const timer = setTimeout(() => setSettled(value), ms);
        return () => clearTimeout(timer);
    }, [value, ms]);
    return settled;
}

export interface Checked {
    /** checking: what is said here is of an older text. */
    state: 'checking' | 'valid' | 'invalid' | 'unreadable' | 'unknown';
    found: Found[];
    /** Of the text as it is, or of the last one that could be read. */
    spec: Json | null;
    error: unknown;
}

export function useVerdict(text: string, language: Language): Checked {
    const settled = useSettled(text, 350);
    const readNow = useMemo(() => read(settled, language), [settled, language]);
    const readable = 'spec' in readNow;
    const verdict = useQuery({
        queryKey: ['validate', language, settled],
        queryFn: ({ signal }) => validate(settled, language, signal),
        enabled: readable && settled.trim() !== '',
        staleTime: 60_000,
        gcTime: 30_000,
        refetchOnWindowFocus: false,
    });
    const [lastSpec, setLastSpec] = useState<Json | null>(null);
    useEffect(() => {
        if ('spec' in readNow) setLastSpec(readNow.spec);
    }, [readNow]);
    const found = useMemo<Found[]>(() => {
        if (!readable) {
            return readNow.unreadable.map((one) => ({ ...one, severity: 'error', path: '', code: 'syntax', ...lineOf(settled, one.from) }));
        }
        // What cannot be read here can perhaps not be read there, in other words.
        const refused = verdict.error instanceof ApiError ? verdict.error.problem : null;
        const problems: Told[] =
            verdict.data?.problems ?? refused?.problems ?? (refused ? [{ path: '', code: refused.code, message: refused.title, hint: refused.detail }] : []);
        const placeOf = placesIn(settled);
        return problems.map((one) => {
            const place = placeOf(one.path, one.code === 'unknown_key');
            const hint = [one.detail, one.hint].filter(Boolean).join(' ');
            return { ...place, severity: one.severity ?? 'error', message: one.message, hint, path: one.path, code: one.code, ...lineOf(settled, place.from) };
        });
    }, [readable, readNow, settled, verdict.data, verdict.error]);
    const errors = found.some((one) => one.severity === 'error');
    const state =
        settled !== text || verdict.isFetching
            ? 'checking'
            : !readable
              ? 'unreadable'
              : verdict.isError && !errors
                ? 'unknown'
                : errors
                  ? 'invalid'
                  : verdict.data
                    ? 'valid'
                    : 'unknown';
    return { state, found, spec: readable ? readNow.spec : lastSpec, error: verdict.error };
}
