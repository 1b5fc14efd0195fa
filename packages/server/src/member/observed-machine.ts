import type { Entry } from '@quorate/raft';
import type { StateMachine } from '../replica/contract.ts';

/** The same machine; `onApplied` hears of each entry once it is applied. */
export function observed<Result>(
  machine: StateMachine<Result>,
  onApplied: (entry: Entry) => void,
): StateMachine<Result> {
  return {
    get appliedIndex() {
      return machine.appliedIndex;
    },
    apply(entry, answer) {
      machine.apply(entry, answer);
      onApplied(entry);
    },
    applyConfChange(entry, answer) {
      const confState = machine.applyConfChange(entry, answer);
      onApplied(entry);
      return confState;
    },
    batchApplied: () => machine.batchApplied(),
    backlog: () => machine.backlog(),
  };
}
