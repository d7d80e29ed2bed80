/** The house's rules that a compiler does not check: who may import whom, and what a thing is called. */
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';

const root = fileURLToPath(new URL('..', import.meta.url));
const ROOMS = ['engine', 'db', 'api', 'web', 'loadtest', 'examples'] as const;
type Room = (typeof ROOMS)[number];

/** Rooms whose code a room may run. */
const MAY_IMPORT: Record<Room, readonly Room[]> = {
  engine: ['engine'],
  db: ['db', 'engine'],
  api: ['api', 'db', 'engine'],
  web: ['web'],
  loadtest: ['loadtest', 'api', 'db', 'engine'],
  examples: ['examples'],
};
/** Rooms of which it may also use the types. */
const MAY_IMPORT_TYPES: Partial<Record<Room, readonly Room[]>> = { web: ['api'] };
const ENGINE_PACKAGES = ['decimal.js', 'node:crypto'];
const ENGINE_TEST_PACKAGES = [...ENGINE_PACKAGES, 'vitest', 'fast-check'];

interface Source {
  file: string;
  room: Room;
  text: string;
}
interface Import {
  target: string;
  typeOnly: boolean;
}

const isTest = (file: string) => file.endsWith('.test.ts');

function sourcesOf(room: Room): Source[] {
  if (!existsSync(join(root, room))) return [];
  return readdirSync(join(root, room), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && /\.(ts|mts|mjs|svelte)$/.test(entry.name))
    .map((entry) => relative(root, join(entry.parentPath, entry.name)))
    .filter((file) => !/(^|\/)(node_modules|dist|peers)\//.test(file))
    .map((file) => ({ file, room, text: readFileSync(join(root, file), 'utf8') }));
}

const sources = ROOMS.flatMap(sourcesOf);

const STATEMENT = /^\s*(import|export)\s+(type\s)?(?:([\w*${}\s,]+?)\s+from\s+)?['"]([^'"]+)['"]/gm;
const CALL = /\bimport\(\s*['"]([^'"]+)['"]\s*\)/g;

function importsOf(text: string): Import[] {
  const statements = [...text.matchAll(STATEMENT)].map(([, , type, names = '', target]) => ({
    target,
    typeOnly: type !== undefined || everyNameIsType(names),
  }));
  return [...statements, ...[...text.matchAll(CALL)].map(([, target]) => ({ target, typeOnly: false }))];
}

/** `{ type A, type B }` imports no code. */
function everyNameIsType(names: string): boolean {
  const inner = /^\{([\s\S]*)\}$/.exec(names.trim());
  const list = inner?.[1].split(',').map((name) => name.trim()).filter((name) => name !== '') ?? [];
  return list.length > 0 && list.every((name) => name.startsWith('type '));
}

/** The room of a relative import; undefined for a package or a file beside the rooms. */
function roomOf(source: Source, target: string): Room | undefined {
  if (!target.startsWith('.')) return undefined;
  const path = relative(root, resolve(root, dirname(source.file), target));
  return ROOMS.find((room) => path.startsWith(`${room}/`));
}

function isAllowed(source: Source, { target, typeOnly }: Import): boolean {
  const room = roomOf(source, target);
  if (room === undefined) return true;
  return MAY_IMPORT[source.room].includes(room) || (typeOnly && (MAY_IMPORT_TYPES[source.room]?.includes(room) ?? false));
}

/** The files beside it that a source imports. */
const targetsOf = ({ file, text }: Source): string[] => importsOf(text).filter(({ target }) => target.startsWith('.')).map(({ target }) => relative(root, resolve(root, dirname(file), target)));

/** Ways from a file back to it: whoever reads one of its files has to know all of them. */
function roundTrips(imports: ReadonlyMap<string, readonly string[]>): string[] {
  const found: string[] = [];
  const seen = new Set<string>();
  const walk = (file: string, way: readonly string[]): void => {
    const begins = way.indexOf(file);
    if (begins >= 0) found.push([...way.slice(begins), file].join(' -> '));
    if (seen.has(file)) return;
    seen.add(file);
    for (const target of imports.get(file) ?? []) walk(target, [...way, file]);
  };
  for (const file of imports.keys()) walk(file, []);
  return found;
}

describe('imports', () => {
  test('run one way', () => {
    const wrong = sources.flatMap((source) =>
      importsOf(source.text)
        .filter((imported) => !isAllowed(source, imported))
        .map(({ target }) => `${source.file} imports ${target}`),
    );
    expect(wrong).toEqual([]);
  });

  test('of the engine are the engine, decimal.js and node:crypto', () => {
    const wrong = sources
      .filter(({ room }) => room === 'engine')
      .flatMap(({ file, text }) =>
        importsOf(text)
          .filter(({ target }) => !target.startsWith('.') && !(isTest(file) ? ENGINE_TEST_PACKAGES : ENGINE_PACKAGES).includes(target))
          .map(({ target }) => `${file} imports ${target}`),
      );
    expect(wrong).toEqual([]);
  });

  test('come back to no file, those of types neither', () => {
    expect(roundTrips(new Map(sources.map((source) => [source.file, targetsOf(source)])))).toEqual([]);
  });

  test('are followed round', () => {
    const imports = new Map([['a', ['b']], ['b', ['c', 'd']], ['c', ['a']], ['d', ['e']], ['e', ['d']], ['f', ['a']]]);
    expect(roundTrips(imports)).toEqual(['a -> b -> c -> a', 'd -> e -> d']);
  });

  test('are recognised in every form', () => {
    const text = `import a from './a.ts';\nimport type { B } from './b.ts';\nimport {\n  type C,\n  type D,\n} from './c.ts';\nexport * from './d.ts';\nimport './e.ts';\nconst f = await import('./f.ts');`;
    expect(importsOf(text)).toEqual([
      { target: './a.ts', typeOnly: false },
      { target: './b.ts', typeOnly: true },
      { target: './c.ts', typeOnly: true },
      { target: './d.ts', typeOnly: false },
      { target: './e.ts', typeOnly: false },
      { target: './f.ts', typeOnly: false },
    ]);
  });
});

describe('the engine', () => {
  test('reads no clock, draws no random number, waits for nothing', () => {
    const forbidden = /\bDate\.now\b|\bnew Date\(\)|\bMath\.random\b|\bperformance\.now\b|\bprocess\.|\bawait\b|\bsetTimeout\b|\brandomBytes\b|\brandomUUID\b/;
    const wrong = sources.filter(({ room, file, text }) => room === 'engine' && !isTest(file) && forbidden.test(codeOf(text)));
    expect(wrong.map(({ file }) => file)).toEqual([]);
  });
});

describe('tests', () => {
  test('are never switched off for everybody', () => {
    const switchedOff = /\b(?:test|it|describe)\.(?:only|skip|todo)\b/;
    const wrong = sources.filter(({ file, text }) => isTest(file) && switchedOff.test(codeOf(text)));
    expect(wrong.map(({ file }) => file)).toEqual([]);
  });
});

/** The text without comments and without the contents of quotes. */
function codeOf(text: string): string {
  return text
    .replace(/\/\*[\s\S]*?\*\//g, ' ')
    .replace(/(^|[^:\\])\/\/[^\n]*/g, '$1')
    .replace(/'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*"/g, "''");
}

/** Runs of words that the glossary forbids; where a word is legitimate elsewhere (token, batch, product) it is not listed. */
const NEVER = ['coin', 'multiplier', 'bonus', 'payout rate', 'loan account', 'sku', 'inventory', 'backend'];
/** Names that Postgres gave. */
const FOREIGN = /^(pg_\w+|backend_type)$/;
const wordsOf = (identifier: string) =>
  ` ${identifier.replace(/([a-z0-9])([A-Z])/g, '$1 $2').replace(/[_$]+/g, ' ').toLowerCase().trim()} `;

describe('the vocabulary', () => {
  const identifiersOf = (text: string) => new Set(codeOf(text).match(/[A-Za-z_$][\w$]*/g) ?? []);

  test('has one word for one thing', () => {
    const wrong = sources.flatMap(({ file, text }) =>
      [...identifiersOf(text)]
        .filter((name) => !FOREIGN.test(name))
        .filter((name) => NEVER.some((never) => wordsOf(name).includes(` ${never} `) || wordsOf(name).includes(` ${never}s `)))
        .map((name) => `${file}: ${name}`),
    );
    expect(wrong).toEqual([]);
  });

  test('says endpoint, and upstream inside the gateway only', () => {
    const gateway = /^(api\/gateway|loadtest\/bench)\//;
    const wrong = sources
      .filter(({ file }) => !gateway.test(file) && !file.endsWith('boundaries.test.ts'))
      .flatMap(({ file, text }) => [...identifiersOf(text)].filter((name) => wordsOf(name).includes(' upstream ')).map((name) => `${file}: ${name}`));
    expect(wrong).toEqual([]);
  });
});
