import { compareDumps, type Dump, dump } from '../kill/inspect.ts';
import type { Cluster } from '../support/cluster.ts';
import type { ClusterMember } from '../support/cluster-member.ts';
import { unifiedDiff } from '../support/diff.ts';
import type { Report } from '../support/report.ts';
import { checkHistory, compareHistories, type KeyEvent, readHistory } from './history.ts';
import type { Ledger } from './ledger.ts';

export function verdict(report: Report, name: string, problems: readonly string[]): void {
  if (problems.length === 0) report.pass(name);
  else report.fail(name, problems.join('\n'));
}

/** All members are there, started and voters, and nobody else is. */
export async function checkMembers(cluster: Cluster): Promise<string[]> {
  const problems: string[] = [];
  for (const via of cluster.members) {
    const listed = await cluster.memberList(via);
    const shown = listed.map(({ id, name, isLearner }) => `${id} ${name}${isLearner ? ' learner' : ''}`).sort();
    const expected = cluster.members.map(({ id, name }) => `${id} ${name}`).sort();
    const diff = unifiedDiff(`${expected.join('\n')}\n`, `${shown.join('\n')}\n`);
    if (diff !== '') problems.push(`members as ${via.name} lists them:\n${diff}`);
  }
  return problems;
}

function finalState(history: readonly KeyEvent[]): Map<string, string> {
  const state = new Map<string, string>();
  for (const { key, value } of history) {
    if (value === undefined) state.delete(key);
    else state.set(key, value);
  }
  return state;
}

function compareState(history: readonly KeyEvent[], found: Dump): string[] {
  const expected = finalState(history);
  const problems: string[] = [];
  for (const [key, value] of expected) {
    const other = found.state.get(key)?.value;
    if (other !== value) problems.push(`${key} is ${other}, and by its history ${value}`);
  }
  if (found.state.size !== expected.size)
    problems.push(`${found.state.size} keys, and by their history ${expected.size}`);
  return problems;
}

/** What every member has against what was acknowledged, and against each other; the history. The writers must have stopped. */
export async function checkData(report: Report, name: string, cluster: Cluster, ledger: Ledger): Promise<KeyEvent[]> {
  const [first, ...others] = cluster.members as [ClusterMember, ...ClusterMember[]];
  const history = await readHistory(first.connection);
  verdict(report, `${name}: no acknowledged write lost, no revision given twice`, checkHistory(history, ledger.writes));
  const firstDump = await dump(first.connection);
  verdict(report, `${name}: keys are as their history says`, compareState(history, firstDump));
  for (const other of others) {
    const problems = compareHistories(history, await readHistory(other.connection));
    problems.push(...compareDumps(firstDump, await dump(other.connection), false));
    verdict(report, `${name}: ${other.name} has what ${first.name} has`, problems);
  }
  verdict(report, `${name}: hashes of all members`, await cluster.compareHashes());
  return history;
}
