import assert from 'node:assert/strict';
import { test } from 'node:test';
import { emptyConfiguration } from '../tracker/configuration.ts';
import { Inflights } from '../tracker/inflights.ts';
import { Progress } from '../tracker/progress.ts';
import { verifyConfiguration } from './verify.ts';

type Ids = readonly bigint[];

function verify(
  {
    incoming = [],
    outgoing = [],
    learners = [],
    learnersNext = [],
    autoLeave = false,
  }: Partial<Record<'incoming' | 'outgoing' | 'learners' | 'learnersNext', Ids> & { autoLeave: boolean }>,
  asVoters: Ids,
  asLearners: Ids = [],
): void {
  const node = (isLearner: boolean) => (id: bigint) =>
    [id, new Progress(id, 0, 1, isLearner, new Inflights(1))] as const;
  verifyConfiguration({
    config: {
      ...emptyConfiguration,
      incoming: new Set(incoming),
      outgoing: new Set(outgoing),
      learners: new Set(learners),
      learnersNext: new Set(learnersNext),
      autoLeave,
    },
    progress: new Map([...asVoters.map(node(false)), ...asLearners.map(node(true))]),
  });
}

test('a configuration that could be reached passes', () => {
  verify({}, []);
  verify({ incoming: [1n], learners: [2n] }, [1n], [2n]);
  verify({ incoming: [1n], outgoing: [1n, 3n], learners: [2n], learnersNext: [3n], autoLeave: true }, [1n, 3n], [2n]);
});

test('what no change can lead to is named', () => {
  const message = (text: string) => ({ code: 'raft/invalid-conf-change', message: text });
  const cases: [() => void, string][] = [
    [() => verify({ incoming: [1n, 2n] }, [1n]), 'no progress for 2'],
    [() => verify({ incoming: [1n], learners: [2n] }, [1n]), 'no progress for 2'],
    [() => verify({ incoming: [1n], learnersNext: [1n] }, [1n]), '1 is in LearnersNext, but not Voters[1]'],
    [
      () => verify({ incoming: [1n], outgoing: [2n], learnersNext: [2n] }, [1n], [2n]),
      '2 is in LearnersNext, but is already marked as learner',
    ],
    [() => verify({ incoming: [1n], outgoing: [2n], learners: [2n] }, [1n], [2n]), '2 is in Learners and Voters[1]'],
    [() => verify({ incoming: [1n], learners: [1n] }, [], [1n]), '1 is in Learners and Voters[0]'],
    [() => verify({ incoming: [1n], learners: [2n] }, [1n, 2n]), '2 is in Learners, but is not marked as learner'],
    [() => verify({ incoming: [1n], autoLeave: true }, [1n]), 'AutoLeave must be false when not joint'],
  ];
  for (const [broken, text] of cases) assert.throws(broken, message(text));
});
