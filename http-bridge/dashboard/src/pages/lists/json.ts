export type Parsed = { ok: true; value: unknown } | { ok: false; error: string };

/** JSON as somebody types it; an empty text is not a value. */
export function parseJson(text: string): Parsed {
    if (text.trim() === '') return { ok: false, error: 'Write a JSON value; null is one.' };
    try {
        return { ok: true, value: JSON.parse(text) as unknown };
    } catch (error) {
        return { ok: false, error: (error as Error).message };
    }
}
