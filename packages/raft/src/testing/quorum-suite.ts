import { describeIndex, describeProgressBars } from '../quorum/describe.ts';
import { type JointVoters, jointCommittedIndex, jointIds, jointVoteResult } from '../quorum/joint.ts';
import { type AckedIndex, majorityCommittedIndex, majorityVoteResult } from '../quorum/majority.ts';
import type { ScenarioCase, ScenarioHandler } from './datadriven.ts';
import { checkOptions, idFrom, listOf, numberFrom } from './directive.ts';

const nobody: ReadonlySet<bigint> = new Set();

/** Handler of `quorum/` scenarios. */
export function quorumHandler(): ScenarioHandler {
  return (scenario) => {
    const isVote = scenario.command === 'vote';
    if (!isVote && scenario.command !== 'committed') throw new Error(`unknown command: ${scenario.command}`);
    checkOptions(scenario, ['cfg', 'cfgj', 'idx', 'votes']);
    const ids = listOf(scenario, 'cfg').map(idFrom);
    const joint = outgoingIds(scenario);
    const voters: JointVoters = { incoming: new Set(ids), outgoing: new Set(joint ?? []) };
    const inOrder = [...new Set([...ids, ...(joint ?? [])])];
    const given = isVote ? listOf(scenario, 'votes').map(parseVote) : listOf(scenario, 'idx').map(parseIndex);
    if (given.length !== inOrder.length) {
      const names = jointIds(voters).map((id) => `${id}:{}`);
      return `error: mismatched input (explicit or _) for voters map[${names.join(' ')}]: [${given.join(' ')}]`;
    }
    // Zero is the placeholder: nothing is known from that voter.
    const known = new Map(inOrder.map((id, i) => [id, given[i] as number] as const).filter(([, value]) => value !== 0));
    if (isVote) return vote(voters, joint !== undefined, known);
    return committed(voters, joint !== undefined, (id) => known.get(id));
  };
}

/** Voters of the other half; none for `cfgj=zero`, undefined when there is no such half. */
function outgoingIds(scenario: ScenarioCase): bigint[] | undefined {
  if (!scenario.args.some(({ key }) => key === 'cfgj')) return undefined;
  const values = listOf(scenario, 'cfgj');
  return values.length === 1 && values[0] === 'zero' ? [] : values.map(idFrom);
}

function parseIndex(text: string): number {
  if (text === '_') return 0;
  const index = numberFrom(text, 'an index');
  if (index === 0) throw new Error('cannot use 0 as idx');
  return index;
}

function parseVote(text: string): number {
  if (text === '_') return 0;
  if (text === 'y') return 2;
  if (text === 'n') return 1;
  throw new Error(`unknown vote: ${text}`);
}

function committed(voters: JointVoters, isJoint: boolean, acked: AckedIndex): string {
  let text = describeProgressBars(voters, acked);
  const check = (index: number, how: string) => {
    if (index !== result) text += `${describeIndex(index)} <-- ${how}\n`;
  };
  const result = isJoint ? jointCommittedIndex(voters, acked) : majorityCommittedIndex(voters.incoming, acked);
  if (isJoint) {
    check(jointCommittedIndex({ incoming: voters.outgoing, outgoing: voters.incoming }, acked), 'via symmetry');
  } else {
    const { incoming } = voters;
    check(bySearching(incoming, acked), 'via alternative computation');
    check(jointCommittedIndex({ incoming, outgoing: nobody }, acked), 'via zero-joint quorum');
    check(jointCommittedIndex({ incoming, outgoing: incoming }, acked), 'via self-joint quorum');
    for (const id of incoming) {
      const above = acked(id);
      if (above === undefined || above >= result || above === 0) continue;
      // What was below the result anyway does not change it when it is lowered.
      for (const lowered of [above - 1, 0]) {
        const overlay: AckedIndex = (other) => (other === id ? lowered : acked(other));
        check(majorityCommittedIndex(incoming, overlay), `overlaying ${id}->${lowered}`);
      }
    }
  }
  return `${text}${describeIndex(result)}\n`;
}

/** The plain definition: the highest index that enough voters hold. */
function bySearching(voters: ReadonlySet<bigint>, acked: AckedIndex): number {
  if (voters.size === 0) return Number.POSITIVE_INFINITY;
  const needed = Math.floor(voters.size / 2) + 1;
  let best = 0;
  for (const id of voters) {
    const index = acked(id) ?? 0;
    const holders = [...voters].filter((other) => (acked(other) ?? 0) >= index).length;
    if (holders >= needed && index > best) best = index;
  }
  return best;
}

function vote(voters: JointVoters, isJoint: boolean, known: ReadonlyMap<bigint, number>): string {
  const cast = (id: bigint) => {
    const value = known.get(id);
    return value === undefined ? undefined : value === 2;
  };
  const result = isJoint ? jointVoteResult(voters, cast) : majorityVoteResult(voters.incoming, cast);
  let text = '';
  const check = (other: string, how: string) => {
    if (other !== result) text += `${other} <-- ${how}\n`;
  };
  if (isJoint) {
    check(jointVoteResult({ incoming: voters.outgoing, outgoing: voters.incoming }, cast), 'via symmetry');
  } else {
    const { incoming } = voters;
    check(jointVoteResult({ incoming, outgoing: nobody }, cast), 'via zero-joint quorum');
    check(jointVoteResult({ incoming, outgoing: incoming }, cast), 'via self-joint quorum');
  }
  return `${text}${result}\n`;
}
