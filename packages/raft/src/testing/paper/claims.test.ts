import assert from 'node:assert/strict';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const page = fileURLToPath(new URL('../../../docs/claims.md', import.meta.url));
const sources = fileURLToPath(new URL('../../../src/testing/paper', import.meta.url));

/** Titles of a file's tests, which are written `place: claim`. */
function titlesOf(fileName: string): string[] {
  const text = readFileSync(`${sources}/${fileName}`, 'utf8');
  const titles = [...text.matchAll(/^test\(\s*(['"])(.*)\1,/gm)].map(([, , title = '']) => title);
  assert.equal(titles.length, [...text.matchAll(/^\s*test\(/gm)].length, `${fileName}: a title that is not plain text`);
  assert.equal(new Set(titles).size, titles.length, `${fileName}: two tests of the same title`);
  return titles;
}

function table(fileName: string): string {
  const rows = titlesOf(fileName).map((title) => {
    const [, place, claim] = /^(.*?): (.*)$/.exec(title) ?? [];
    assert.ok(place && claim, `${fileName}: not "place: claim": ${title}`);
    return `| ${place} | ${claim} |\n`;
  });
  return `\n## ${fileName}\n\n| place | claim |\n| --- | --- |\n${rows.join('')}`;
}

// QUORATE_REWRITE=1 writes the tables anew.
test('docs/claims.md has every test of this folder, and no other', () => {
  const files = readdirSync(sources).filter((name) => name.endsWith('.test.ts') && name !== 'claims.test.ts');
  const expected = files.sort().map(table).join('');
  const text = readFileSync(page, 'utf8');
  const tables = text.indexOf('\n## ');
  if (process.env.QUORATE_REWRITE === '1')
    writeFileSync(page, text.slice(0, tables < 0 ? undefined : tables) + expected);
  else assert.deepEqual(text.slice(tables).split('\n'), expected.split('\n'));
});
