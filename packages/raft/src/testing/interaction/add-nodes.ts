import { ReadOnlyOption } from '../../core/config.ts';
import { createConfState, emptySnapshot, type Snapshot } from '../../state.ts';
import { bytesOf } from '../bytes-of.ts';
import type { ScenarioCase } from '../datadriven.ts';
import { flagOf, idFrom, listOf, numberFrom, optionOf, wordsOf } from '../directive.ts';
import type { Environment } from './environment.ts';

export const addNodesOptions = [
  'voters',
  'learners',
  'index',
  'content',
  'inflight',
  'prevote',
  'checkquorum',
  'async-storage-writes',
  'max-committed-size-per-ready',
  'read-only',
  'disable-conf-change-validation',
  'step-down-on-removal',
] as const;

export function addNodes(env: Environment, scenario: ScenarioCase): void {
  const readOnly = optionOf(scenario, 'read-only') ?? ReadOnlyOption.Safe;
  if (readOnly !== ReadOnlyOption.Safe && readOnly !== ReadOnlyOption.LeaseBased) {
    throw new Error(`invalid read-only option "${readOnly}"`);
  }
  const snapshot = initialSnapshot(scenario);
  env.add(
    numberFrom(wordsOf(scenario)[0], 'the number of nodes'),
    {
      electionTick: 3,
      heartbeatTick: 1,
      maxInflightMsgs: countOf(scenario, 'inflight', 0x7fff_ffff),
      // 0 stands for the default, which is no limit.
      maxCommittedSizePerReady: countOf(scenario, 'max-committed-size-per-ready', 0),
      asyncStorageWrites: flagOf(scenario, 'async-storage-writes'),
      preVote: flagOf(scenario, 'prevote'),
      checkQuorum: flagOf(scenario, 'checkquorum'),
      disableConfChangeValidation: flagOf(scenario, 'disable-conf-change-validation'),
      stepDownOnRemoval: flagOf(scenario, 'step-down-on-removal'),
      readOnlyOption: readOnly,
      applied: snapshot.metadata.index,
    },
    snapshot,
  );
}

function countOf(scenario: ScenarioCase, key: string, fallback: number): number {
  const text = optionOf(scenario, key);
  return text === undefined ? fallback : numberFrom(text, key);
}

function initialSnapshot(scenario: ScenarioCase): Snapshot {
  const index = countOf(scenario, 'index', 0);
  const content = optionOf(scenario, 'content') ?? '';
  const voters = listOf(scenario, 'voters').map(idFrom);
  const learners = listOf(scenario, 'learners').map(idFrom);
  if (index === 0 && content === '' && voters.length === 0 && learners.length === 0) return emptySnapshot;
  if (index <= 1) throw new Error('index must be specified as > 1 due to bootstrap');
  return {
    data: bytesOf(content),
    metadata: { confState: createConfState({ voters, learners }), index, term: 1 },
  };
}
