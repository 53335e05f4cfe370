// What a definition asks of the person who decides, as fields. It may say it as a JSON schema of an object, as names with their types, or as a list of either; anything else is
// answered in JSON.
export interface FormField {
    name: string;
    title: string;
    hint?: string;
    kind: 'text' | 'number' | 'boolean' | 'choice' | 'json';
    choices?: readonly string[];
    required: boolean;
    initial: string;
}

export type Form = { kind: 'none' } | { kind: 'fields'; fields: FormField[] } | { kind: 'json'; asked: unknown };

type Json = Record<string, unknown>;
const isObject = (value: unknown): value is Json => value !== null && typeof value === 'object' && !Array.isArray(value);
const text = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined);

const kinds: Record<string, FormField['kind']> = {
    string: 'text',
    text: 'text',
    number: 'number',
    integer: 'number',
    boolean: 'boolean',
    bool: 'boolean',
    object: 'json',
    array: 'json',
    json: 'json',
};

const write = (value: unknown): string => (value === undefined || value === null ? '' : typeof value === 'string' ? value : JSON.stringify(value));

/** Null where it cannot be told what is asked. */
function field(name: string, said: unknown, required: boolean): FormField | null {
    if (typeof said === 'string' && kinds[said]) return { name, title: name, kind: kinds[said], required, initial: '' };
    if (!isObject(said)) return null;
    const choices = [said['enum'], said['options'], said['choices']].find(Array.isArray) as unknown[] | undefined;
    const kind = choices ? 'choice' : kinds[text(said['type']) ?? 'string'];
    if (!kind) return null;
    return {
        name,
        title: text(said['title']) ?? text(said['label']) ?? name,
        hint: text(said['description']) ?? text(said['hint']),
        kind,
        choices: choices?.map(write),
        required: required || said['required'] === true,
        initial: write(said['default']),
    };
}

const whole = (fields: (FormField | null)[], asked: unknown): Form =>
    fields.length > 0 && fields.every((one) => one !== null) ? { kind: 'fields', fields: fields as FormField[] } : { kind: 'json', asked };

export function readForm(asked: unknown): Form {
    if (asked === null || asked === undefined) return { kind: 'none' };
    if (isObject(asked)) {
        const { properties, required, fields } = asked;
        if (isObject(properties)) {
            const needed = new Set(Array.isArray(required) ? required : []);
            return whole(
                Object.entries(properties).map(([name, said]) => field(name, said, needed.has(name))),
                asked,
            );
        }
        if (Array.isArray(fields)) return readForm(fields);
        return whole(
            Object.entries(asked).map(([name, said]) => field(name, said, false)),
            asked,
        );
    }
    if (Array.isArray(asked))
        return whole(
            asked.map((one) =>
                typeof one === 'string' ? field(one, 'text', false) : isObject(one) && text(one['name']) ? field(text(one['name'])!, one, false) : null,
            ),
            asked,
        );
    return { kind: 'json', asked };
}

export type Written = { ok: true; value: Json } | { ok: false; errors: Record<string, string> };

/** What was typed, as the values that were asked for. What was left empty is left out. */
export function writeForm(fields: readonly FormField[], typed: Readonly<Record<string, string>>): Written {
    const value: Json = {};
    const errors: Record<string, string> = {};
    for (const { name, kind, required, initial } of fields) {
        const said = typed[name] ?? initial;
        if (kind === 'boolean') {
            value[name] = said === 'true';
            continue;
        }
        if (said.trim() === '') {
            if (required) errors[name] = 'This is asked for.';
            continue;
        }
        if (kind === 'number') {
            const number = Number(said);
            if (Number.isFinite(number)) value[name] = number;
            else errors[name] = 'This is no number.';
        } else if (kind === 'json') {
            try {
                value[name] = JSON.parse(said) as unknown;
            } catch (error) {
                errors[name] = (error as Error).message;
            }
        } else value[name] = said;
    }
    return Object.keys(errors).length > 0 ? { ok: false, errors } : { ok: true, value };
}
