import { latin1FromBytes } from '@quorate/base';
import { keyPrefix } from '../clients/key-space.ts';
import type { History, Violation } from '../history/history.ts';
import { checkAnswers } from './answers.ts';
import { checkHeaders } from './headers.ts';
import { checkKeyValueOrder } from './key-value-order.ts';
import { checkMirrors } from './mirrors.ts';
import { checkRealTime } from './real-time.ts';
import { replayLog } from './replay.ts';
import { checkWatches } from './watch.ts';

export interface CheckOptions {
  /** How long to search for an order of the operations on one group of keys, in steps. */
  readonly orderStepsMax?: number;
}

export interface HistoryReport {
  readonly violations: readonly Violation[];
  readonly statistics: HistoryStatistics;
}

/** What there was to check, so that one sees whether a run was worth anything. */
export interface HistoryStatistics {
  readonly operations: number;
  readonly refused: number;
  readonly unknown: number;
  readonly watches: number;
  readonly events: number;
  readonly entries: number;
  readonly revisions: number;
  /** Groups of keys that were ordered by themselves, and those of them that were not decided. */
  readonly groups: number;
  readonly undecidedGroups: number;
  readonly excludedGroups: number;
  readonly orderSteps: number;
}

const orderStepsMax = 300_000;

/** Everything that a recorded history must fulfil. */
export function checkHistory(history: History, options: CheckOptions = {}): HistoryReport {
  const replay = replayLog(history.log);
  const order = checkKeyValueOrder(history, options.orderStepsMax ?? orderStepsMax);
  const violations = [
    ...checkAnswers(history, replay),
    ...checkRealTime(history, replay),
    ...checkHeaders(history),
    ...checkWatches(history, replay),
    ...checkMirrors(history.mirrors ?? [], (revision) => replay.model.keysAt(revision), latin1FromBytes(keyPrefix)),
    ...order.violations,
  ];
  const count = (kind: string) => history.operations.filter(({ outcome }) => outcome.kind === kind).length;
  let events = 0;
  for (const { responses } of history.watches) for (const { message } of responses) events += message.events.length;
  return {
    violations,
    statistics: {
      operations: history.operations.length,
      refused: count('refused'),
      unknown: count('unknown'),
      watches: history.watches.length,
      events,
      entries: history.log.length,
      revisions: replay.revision,
      groups: order.groups,
      undecidedGroups: order.undecided,
      excludedGroups: order.excluded,
      orderSteps: order.steps,
    },
  };
}
