import { useCallback } from 'react';
import { useSearchParams } from 'wouter';

/** What is looked at, as it stands in the address: a name without a value is not there. */
export function useAddress(): [(name: string) => string, (changes: Record<string, string | null>) => void] {
    const [search, setSearch] = useSearchParams();
    const read = useCallback((name: string): string => search.get(name) ?? '', [search]);
    const write = useCallback(
        (changes: Record<string, string | null>): void =>
            setSearch(
                (before) => {
                    const next = new URLSearchParams(before);
                    for (const [name, value] of Object.entries(changes)) {
                        if (value) next.set(name, value);
                        else next.delete(name);
                    }
                    return next;
                },
                { replace: true },
            ),
        [setSearch],
    );
    return [read, write];
}
