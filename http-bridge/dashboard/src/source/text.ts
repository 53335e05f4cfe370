// Definitions as text. The database keeps them as jsonb, which has no order of its own: here they get the one that people write.
import { Document, isScalar, isSeq, parseDocument, visit } from 'yaml';

export type Language = 'yaml' | 'json';
export type Json = null | boolean | number | string | Json[] | { [name: string]: Json };

const ofWorkflow = [
    'id name description owner version labels tags metadata',
    'timeout_seconds max_active_runs when_full on_failure priority queue defaults',
    'tasks finally output',
].join(' ');
const ofTask = [
    'id name description comment handler command sql sleep until signal approval workflow decision noop http callable',
    'params settings check env input dependencies trigger_rule when queue priority',
    'retries retry_delay_seconds retry_backoff retry_max_delay_seconds retry_jitter retry_max_elapsed_seconds retry_on no_retry_on',
    'timeout_seconds circuit fallback metadata',
].join(' ');
const inside = 'id name method url query headers body expect input left op right roles form timeout_seconds';

const rankOf = (words: string): ReadonlyMap<string, number> => new Map(words.split(' ').map((word, i) => [word, i]));
const workflowRank = rankOf(ofWorkflow);
const taskRank = rankOf(ofTask);
const insideRank = rankOf(inside);

const isMap = (value: Json | undefined): value is { [name: string]: Json } => typeof value === 'object' && value !== null && !Array.isArray(value);

function sorted(map: { [name: string]: Json }, rank: ReadonlyMap<string, number>, each: (name: string, value: Json) => Json): { [name: string]: Json } {
    const names = Object.keys(map).sort((a, b) => (rank.get(a) ?? 999) - (rank.get(b) ?? 999));
    return Object.fromEntries(names.map((name) => [name, each(name, map[name]!)]));
}

const executors = new Set(['signal', 'approval', 'workflow', 'decision', 'http']);
const task = (value: Json): Json =>
    isMap(value) ? sorted(value, taskRank, (name, part) => (executors.has(name) && isMap(part) ? sorted(part, insideRank, (_, one) => one) : part)) : value;

/** The ids of a map of tasks so that each comes behind those it depends on, and otherwise by its name. */
function inOrder(tasks: { [name: string]: Json }): string[] {
    const left = new Set(Object.keys(tasks).sort((a, b) => a.localeCompare(b, 'en', { numeric: true })));
    const needs = (name: string): string[] => {
        const one = tasks[name];
        const list = isMap(one) ? one['dependencies'] : undefined;
        return Array.isArray(list) ? list.filter((other): other is string => typeof other === 'string') : [];
    };
    const waiting = new Map([...left].map((name) => [name, new Set(needs(name).filter((other) => left.has(other) && other !== name))]));
    const order: string[] = [];
    for (let level = [...left].filter((name) => waiting.get(name)!.size === 0); level.length > 0;) {
        order.push(...level);
        const next: string[] = [];
        for (const name of level) left.delete(name);
        const done = new Set(level);
        for (const name of left) {
            const needed = waiting.get(name)!;
            for (const one of needed) if (done.has(one)) needed.delete(one);
            if (needed.size === 0) next.push(name);
        }
        level = next;
    }
    // A ring, which no version that is stored has; but a draft may.
    return [...order, ...left];
}

export function ordered(spec: Json): Json {
    if (!isMap(spec)) return spec;
    return sorted(spec, workflowRank, (name, value) => {
        if (name === 'defaults') return task(value);
        if (name !== 'tasks' && name !== 'finally') return value;
        if (Array.isArray(value)) return value.map(task);
        return isMap(value) ? Object.fromEntries(inOrder(value).map((id) => [id, task(value[id]!)])) : value;
    });
}

export const toJson = (spec: Json): string => `${JSON.stringify(spec, null, 2)}\n`;

export function toYaml(spec: Json): string {
    const document = new Document(spec);
    // A short list of words reads better in a row.
    visit(document, {
        Seq(_, node) {
            const plain = node.items.every((item) => isScalar(item) && typeof item.value !== 'object' && String(item.value).length < 40);
            if (plain && node.items.length > 0 && JSON.stringify(node.toJSON()).length < 90) node.flow = true;
        },
    });
    if (isSeq(document.contents)) document.contents.flow = false;
    return document.toString({ lineWidth: 110, flowCollectionPadding: false });
}

export const write = (spec: Json, language: Language): string => (language === 'json' ? toJson(spec) : toYaml(spec));

export interface Unreadable {
    message: string;
    from: number;
    to: number;
}

/** What the text says, or where it cannot be read. JSON is told by its own grammar, which YAML's is wider than. */
export function read(text: string, language: Language): { spec: Json } | { unreadable: Unreadable[] } {
    const document = parseDocument(text, { prettyErrors: false, uniqueKeys: true, strict: true });
    if (language === 'json') {
        try {
            return document.errors.length > 0 ? { unreadable: told(document.errors) } : { spec: JSON.parse(text) as Json };
        } catch (error) {
            const at = jsonErrorAt(text, error instanceof Error ? error.message : '');
            return { unreadable: [{ message: plainJsonError(error), from: at, to: Math.min(text.length, at + 1) }] };
        }
    }
    if (document.errors.length > 0) return { unreadable: told(document.errors) };
    return { spec: document.toJS() as Json };
}

const told = (errors: readonly { message: string; pos: [number, number] }[]): Unreadable[] =>
    errors.map((error) => ({ message: error.message, from: error.pos[0], to: error.pos[1] }));

const plainJsonError = (error: unknown): string => (error instanceof Error ? error.message.replace(/ in JSON at position.*$|, "[\s\S]*$/, '') : String(error));

function jsonErrorAt(text: string, message: string): number {
    const position = /position (\d+)/.exec(message);
    if (position) return Math.min(Number(position[1]), text.length);
    const line = /line (\d+) column (\d+)/.exec(message);
    if (!line) return text.length;
    const before = text.split('\n').slice(0, Number(line[1]) - 1);
    return Math.min(text.length, before.reduce((sum, one) => sum + one.length + 1, 0) + Number(line[2]) - 1);
}

/** JSON where it looks like it. */
export const languageOf = (text: string): Language => (/^\s*[{[]/.test(text) ? 'json' : 'yaml');
