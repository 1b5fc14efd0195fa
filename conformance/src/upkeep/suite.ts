import type { Options } from '../options.ts';
import { type ServerKind, serverProgram } from '../support/programs.ts';
import type { Report } from '../support/report.ts';
import { removeScratchDir, scratchDir } from '../support/server.ts';
import { errorText } from '../support/text.ts';
import { corruptionStories } from './corruption.ts';
import { downgradeStories } from './downgrade.ts';
import { limitStories } from './limits.ts';
import { overloadStories } from './overload.ts';
import { peerQuestionStories } from './peer-questions.ts';
import type { Story } from './story.ts';
import { warningStories } from './warnings.ts';

const stories: readonly Story[] = [
  ...downgradeStories,
  ...corruptionStories,
  ...limitStories,
  ...overloadStories,
  ...warningStories,
  ...peerQuestionStories,
];

async function tell(story: Story, kind: ServerKind, keep: boolean, report: Report): Promise<string[]> {
  const directory = scratchDir('upkeep');
  try {
    return await story.tell(kind, directory, (text) => report.note(`${story.name}, ${kind}: ${text}`));
  } finally {
    if (!keep) removeScratchDir(directory);
  }
}

/** What members do by themselves to stay fit, and what operators ask of them: the same story with each kind of server, told alike. */
export async function runUpkeepSuite(options: Options, report: Report): Promise<void> {
  const { reference, serverUnderTest, keep } = options;
  const program = serverProgram(reference);
  if (!program.found) {
    report.skip('upkeep', program.reason);
    return;
  }
  for (const story of stories) {
    const name = `upkeep ${story.name}`;
    if (!name.includes(options.filter)) continue;
    try {
      const expected = await tell(story, reference, keep, report);
      const found = await tell(story, serverUnderTest, keep, report);
      if (expected.join('\n') !== story.expected.join('\n')) {
        report.fail(`${name}: the reference`, `expected\n${story.expected.join('\n')}\nfound\n${expected.join('\n')}`);
      } else if (found.join('\n') === expected.join('\n')) report.pass(name);
      else
        report.fail(name, `${reference} tells\n${expected.join('\n')}\n${serverUnderTest} tells\n${found.join('\n')}`);
    } catch (error) {
      report.fail(name, errorText(error));
    }
  }
}
