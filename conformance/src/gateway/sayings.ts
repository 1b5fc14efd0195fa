import type { Options } from '../options.ts';
import { unifiedDiff } from '../support/diff.ts';
import { isPlayed } from '../support/parts.ts';
import type { ServerKind } from '../support/programs.ts';
import type { Report } from '../support/report.ts';
import { errorText } from '../support/text.ts';

/** Texts by what they are about. */
export type Sayings = ReadonlyMap<string, string>;

/** Compares what two servers say, one after the other, where a pair of them will not do. */
export async function compareSayings(
  part: string,
  options: Options,
  report: Report,
  listen: (kind: ServerKind) => Promise<Sayings>,
): Promise<void> {
  if (!isPlayed(part, options, report)) return;
  try {
    const reference = await listen(options.reference);
    const underTest = await listen(options.serverUnderTest);
    for (const [name, said] of reference) {
      const diff = unifiedDiff(said, underTest.get(name) ?? '');
      if (diff === '') report.pass(`${part}: ${name}`);
      else report.fail(`${part}: ${name}`, diff);
    }
  } catch (error) {
    report.fail(part, errorText(error));
  }
}
