import type { ErrorSymbol } from '@quorate/api';
import type { ApplyResult } from '@quorate/machine';
import type { Entry } from '@quorate/raft';
import type { StateMachine } from '../replica/contract.ts';

/** Hears of each entry once it is applied, and why it was refused if it was. */
export type AppliedObserver = (entry: Entry, refusal: ErrorSymbol | undefined) => void;

/** The same machine, with somebody who looks on. */
export function observed(machine: StateMachine<ApplyResult>, onApplied: AppliedObserver): StateMachine<ApplyResult> {
  return {
    get appliedIndex() {
      return machine.appliedIndex;
    },
    apply(entry, answer) {
      let refusal: ErrorSymbol | undefined;
      machine.apply(entry, (idHigh, idLow, result) => {
        if (result.kind === 'error') refusal = result.symbol;
        answer(idHigh, idLow, result);
      });
      onApplied(entry, refusal);
    },
    applyConfChange(entry, answer) {
      const confState = machine.applyConfChange(entry, answer);
      onApplied(entry, undefined);
      return confState;
    },
    batchApplied: () => machine.batchApplied(),
    backlog: () => machine.backlog(),
  };
}
