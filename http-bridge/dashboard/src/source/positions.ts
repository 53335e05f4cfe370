// Where in a text the thing stands that a JSON Pointer names: YAML and JSON alike, since the one is the other.
import { isMap, isScalar, isSeq, parseDocument, type Node, type Pair } from 'yaml';

export interface Place {
    from: number;
    to: number;
}

export const partsOf = (pointer: string): string[] =>
    pointer
        .split('/')
        .slice(1)
        .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'));

const nameOf = (pair: Pair): string => (isScalar(pair.key) ? String(pair.key.value) : String(pair.key));
const rangeOf = (node: unknown): Place | null => {
    const range = (node as Node | null)?.range;
    return range ? { from: range[0], to: range[1] } : null;
};

/** The end of the line that a place begins in: what is marked is never a whole block. */
const firstLine = (text: string, place: Place): Place => {
    const end = text.indexOf('\n', place.from);
    return { from: place.from, to: Math.max(place.from, Math.min(place.to, end < 0 ? text.length : end)) };
};

/** Finds places in one text, which is read once. `named`: what is meant is the name at the end of the pointer, not what it holds. */
export function placesIn(text: string): (pointer: string, named?: boolean) => Place {
    const document = parseDocument(text, { uniqueKeys: false });
    return (pointer, named = false) => {
        let node: unknown = document.contents;
        let found: Place | null = null;
        for (const part of partsOf(pointer)) {
            if (isMap(node)) {
                const pair: Pair | undefined = node.items.find((one) => nameOf(one) === part);
                // A name that is missing is told of where it should stand: at what it belongs to.
                if (!pair) break;
                const key = rangeOf(pair.key);
                const value = !named && isScalar(pair.value) && pair.value.value !== null ? rangeOf(pair.value) : null;
                found = value ?? key ?? found;
                node = pair.value;
            } else if (isSeq(node)) {
                const index = /^\d+$/.test(part)
                    ? Number(part)
                    : node.items.findIndex(
                          (item) => isMap(item) && item.items.some((pair) => nameOf(pair) === 'id' && isScalar(pair.value) && pair.value.value === part),
                      );
                const item = node.items[index];
                if (item === undefined) break;
                found = rangeOf(item) ?? found;
                node = item;
            } else break;
        }
        return found ? firstLine(text, found) : { from: 0, to: Math.max(0, text.indexOf('\n') < 0 ? text.length : text.indexOf('\n')) };
    };
}

export function lineOf(text: string, at: number): { line: number; column: number } {
    let line = 1;
    let begin = 0;
    for (let end = text.indexOf('\n'); end >= 0 && end < at; end = text.indexOf('\n', begin)) {
        line++;
        begin = end + 1;
    }
    return { line, column: at - begin + 1 };
}
