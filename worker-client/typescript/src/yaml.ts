import { isAlias, isMap, isScalar, parseAllDocuments, visit } from 'yaml';
import type { Json } from './json.js';

const limit = 32 << 20;

/** YAML 1.2, core schema, to JSON; refuses what docs/definition.md says, with line and column. */
export function parseYaml(text: string): Json {
    const documents = parseAllDocuments(text, {
        version: '1.2',
        schema: 'core',
        merge: false,
        uniqueKeys: true,
        strict: true,
        intAsBigInt: true,
        prettyErrors: true,
    });
    if (!Array.isArray(documents) || documents.length === 0) return null;
    if (documents.length > 1) throw new SyntaxError('a second document begins; a definition is one');
    const [document] = documents as [(typeof documents)[number]];
    const problem = document.errors[0] ?? document.warnings[0];
    if (problem) throw new SyntaxError(problem.message);
    const refuse = (node: { range?: readonly number[] | null }, what: string): never => {
        const lines = text.slice(0, node.range?.[0] ?? 0).split('\n');
        throw new SyntaxError(`${what} at line ${lines.length}, column ${lines.at(-1)!.length + 1}`);
    };
    visit(document, {
        Pair: (_, pair) => {
            const key = pair.key as { range?: readonly number[]; value?: unknown };
            if (!isScalar(pair.key)) return void refuse(key ?? {}, isAlias(pair.key) ? 'an alias as a key' : 'a key that is no scalar');
            if (key.value === '<<') refuse(key, 'a merge key, a thing of YAML 1.1,');
        },
        Scalar: (_, node) => {
            if (typeof node.value === 'number' && !Number.isFinite(node.value)) refuse(node, 'a number that JSON does not have');
            if (typeof node.value !== 'bigint') return;
            if (!Number.isSafeInteger(Number(node.value))) refuse(node, 'a whole number too large to be kept exactly; write it as text');
            node.value = Number(node.value);
        },
        Alias: (_, node, path) => {
            if (path.some((above) => (isMap(above) || 'items' in above) && (above as { anchor?: string }).anchor === node.source))
                refuse(node, 'an alias inside its own node');
        },
    });
    const value = document.toJS({ maxAliasCount: 1000 }) as Json;
    if (JSON.stringify(value).length > limit) throw new SyntaxError('more than 32 MiB after its aliases are expanded');
    return value;
}
