import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';

/**
 * What may know of what: a folder imports from those that stand before it, and from itself. The
 * features stand in the order in which one may use another.
 */
const folders = [
  'kernel/texts', 'kernel/api', 'kernel/streams', 'kernel/session', 'kernel', 'ui', 'markdown',
  ...[
    'account', 'appearance', 'about', 'keys', 'privacy', 'models', 'speech', 'files', 'tools', 'sessions', 'memory', 'chat', 'log',
    'audit',
  ].map((name) => `features/${name}`),
  'app',
];

const src = new URL('.', import.meta.url).pathname;
const sources = readdirSync(src, { recursive: true, encoding: 'utf8' })
  .filter((file) => /\.tsx?$/.test(file) && file.includes('/'));

interface Import {
  readonly from: string;
  readonly to: string;
}

const imports: readonly Import[] = sources.flatMap((from) => {
  const text = readFileSync(path.join(src, from), 'utf8');
  const found = text.matchAll(/(?:\bfrom|\bimport|\bimport\(|new URL\()\s*'(\.[^']*)'/g);
  return [...found].flatMap(([, name = '']) => {
    const base = path.join(path.dirname(from), name);
    const to = sources.find((file) => [base, `${base}.ts`, `${base}.tsx`].includes(file));
    return to === undefined ? [] : [{ from, to }];
  });
});

const isTest = (file: string) => /\.test\.tsx?$/.test(file) || file.startsWith('testing/');

/** The folder of the list that a file lies in, the innermost. */
function folderOf(file: string): string {
  const fitting = folders.filter((folder) => file.startsWith(`${folder}/`));
  return fitting.reduce((a, b) => (b.length > a.length ? b : a), '');
}

test('arrows: every source lies in a folder that has its place', () => {
  const lost = sources.filter((file) => !isTest(file) && folderOf(file) === '');
  expect(lost).toEqual([]);
});

test('arrows: no folder imports from one that stands above it', () => {
  const wrong = imports
    .filter(({ from, to }) => !isTest(from) && folders.indexOf(folderOf(to)) > folders.indexOf(folderOf(from)))
    .map(({ from, to }) => `${from} -> ${to}`);
  expect(wrong).toEqual([]);
});

/** Of the browser or of the address, whoever is signed in; all else belongs to a workspace. */
const pageState = [
  'kernel/account.ts', 'kernel/api/http.ts', 'kernel/api/position.ts', 'kernel/page_version.ts', 'kernel/person.ts',
  'kernel/route.ts', 'kernel/unsaved.ts', 'kernel/workspace.ts', 'features/appearance/theme.ts',
  'features/speech/speech_settings.ts',
];

test('owners: no module holds what belongs to a person', () => {
  const changing = /^(?:export )?(?:let |const \w+(?:: [^=]+)? = (?:(?:signal|computed)[<(]|new (?:Map|Set|WeakMap)\b.*\(\);))/m;
  const found = sources.filter((file) => !isTest(file) && !pageState.includes(file))
    .filter((file) => changing.test(readFileSync(path.join(src, file), 'utf8')));
  expect(found).toEqual([]);
});

test('styles: every rule stands in a layer, and in that of its floor', () => {
  const sheets = readdirSync(src, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.css'));
  const layers: Readonly<Record<string, string>> = { 'ui/styles/tokens.css': 'tokens', 'ui/styles/base.css': 'base' };
  const wrong = sheets.filter((file) => file !== 'ui/styles/index.css').filter((file) => {
    const layer = layers[file] ?? (file.startsWith('ui/') ? 'ui' : 'features');
    const text = readFileSync(path.join(src, file), 'utf8').trimEnd();
    // One block that holds all: what begins at the margin is its first line and its last.
    const atMargin = text.split('\n').filter((line) => /^\S/.test(line));
    return atMargin.join() !== `@layer ${layer} {,}`;
  });
  expect(sheets.length).toBeGreaterThan(20);
  expect(wrong).toEqual([]);
});
