import { mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import { compareSayings } from '../gateway/sayings.ts';
import type { Options } from '../options.ts';
import { type ServerKind, serverProgram } from '../support/programs.ts';
import type { Report } from '../support/report.ts';
import { scratchDir } from '../support/server.ts';
import { errorText } from '../support/text.ts';
import { earlyAnswers } from './early-part.ts';
import { explainedIn } from './explained.ts';
import { differences } from './log-book.ts';
import { playScenes, type Scene } from './scenes.ts';

/** How members come and go: what they answer before there is a leader, and what their logs say. */
export async function runStartSuite(options: Options, report: Report): Promise<void> {
  const directory = scratchDir('start');
  await compareSayings('start: before there is a leader', options, report, (kind: ServerKind) =>
    earlyAnswers(kind, mkdtempSync(join(directory, 'early-'))),
  );
  await compareLogs(options, report, directory);
}

/** Lines by level and message, with the names of their fields; no values. */
async function compareLogs(options: Options, report: Report, directory: string): Promise<void> {
  const part = 'start: log of a member that';
  if (!part.includes(options.filter)) return;
  const program = serverProgram('etcd37');
  if (!program.found) {
    report.skip(part, program.reason);
    return;
  }
  try {
    const [reference, underTest] = await Promise.all([
      playScenes('etcd37', `${directory}/reference`),
      playScenes(options.serverUnderTest, `${directory}/under-test`),
    ]);
    for (const scene of Object.keys(reference) as Scene[]) {
      const name = `${part} ${scene}`;
      const lines = reference[scene].size;
      const found = differences(reference[scene], underTest[scene], explainedIn(scene));
      if (lines < 20) report.fail(name, `the reference logged only ${lines} kinds of lines`);
      else if (found.length === 0) report.pass(name);
      else report.fail(name, found.join('\n'));
    }
  } catch (error) {
    report.fail(part, errorText(error));
  }
}
