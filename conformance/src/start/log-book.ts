/** What was logged: fields that lines had, by level and message. */
export type LogBook = Map<string, Set<string>>;

const everyLine = new Set(['level', 'ts', 'caller', 'msg', 'stacktrace']);

/** Adds lines of JSON; what differs from run to run in a message is masked. Raft's own lines tell of votes, which are chance. */
export function addLines(book: LogBook, text: string): void {
  for (const line of text.split('\n')) {
    if (!line.startsWith('{')) continue;
    const entry = JSON.parse(line) as Readonly<Record<string, unknown>>;
    if (entry.logger === 'raft') continue;
    const key = `${entry.level} ${String(entry.msg).replace(/\/[^\s)]*|0x[0-9a-f]+/g, 'MASKED')}`;
    const fields = book.get(key) ?? new Set();
    for (const field of Object.keys(entry)) if (!everyLine.has(field)) fields.add(field);
    book.set(key, fields);
  }
}

/** A reason for each line, or field of a line, that only one of the two has. */
export interface Explanations {
  readonly ofReference: readonly (readonly [line: RegExp, reason: string])[];
  readonly ofUnderTest: readonly (readonly [line: RegExp, reason: string])[];
  readonly fields: readonly (readonly [line: RegExp, field: RegExp, reason: string])[];
}

/** Lines and fields that the reference has and the server under test does not, or the other way round, and that nothing explains. */
export function differences(reference: LogBook, underTest: LogBook, explained: Explanations): string[] {
  const isExplained = (list: Explanations['ofReference'], line: string) => list.some(([pattern]) => pattern.test(line));
  const missing = [...reference.keys()].filter((line) => !underTest.has(line));
  const more = [...underTest.keys()].filter((line) => !reference.has(line));
  const found = [
    ...missing.filter((line) => !isExplained(explained.ofReference, line)).map((line) => `missing: ${line}`),
    ...more.filter((line) => !isExplained(explained.ofUnderTest, line)).map((line) => `more: ${line}`),
  ];
  for (const [line, fields] of reference) {
    const own = underTest.get(line);
    if (own === undefined) continue;
    for (const field of fields) {
      const isKnown = explained.fields.some(([of, name]) => of.test(line) && name.test(field));
      if (!own.has(field) && !isKnown) found.push(`missing: ${line}: ${field}`);
    }
  }
  return found.sort();
}
