import { type ErrorSymbol, etcdserverpb } from '@quorate/api';
import type { LogFields, Logger } from '@quorate/base';
import { type Proposals, RequestField } from '../../rpc/proposals.ts';
import { ManualClock } from '../../testing/manual-clock.ts';

/** What upkeep needs around it, over a clock that stands: proposals are noted in words and answered at once. */
export class UpkeepWorld {
  readonly clock = new ManualClock();
  readonly proposed: string[] = [];
  readonly lines: string[] = [];
  readonly fields: LogFields[] = [];
  leads = true;
  /** What proposals are refused with. */
  refusal: ErrorSymbol | undefined;
  readonly isLeader = () => this.leads;

  readonly logger: Logger = {
    debug() {},
    info: (message, fields) => this.note(message, fields),
    warn: (message, fields) => this.note(`warn: ${message}`, fields),
    error: (message, fields) => this.note(`error: ${message}`, fields),
  };

  readonly proposals: Proposals = {
    propose: (field, request, outcome) => {
      this.proposed.push(inWords(field, request));
      if (this.refusal === undefined) outcome.applied({ kind: 'done', revision: 1 });
      else outcome.failed(this.refusal);
    },
  };

  private note(message: string, fields: LogFields = {}): void {
    this.lines.push(message);
    this.fields.push(fields);
  }
}

function inWords(field: number, request: Uint8Array): string {
  if (field === RequestField.compaction) {
    return `compact ${etcdserverpb.CompactionRequest.decode(request).revision}`;
  }
  const { action, alarm, memberId } = etcdserverpb.AlarmRequest.decode(request);
  const { AlarmAction, AlarmType } = etcdserverpb;
  const what = action === AlarmAction.ACTIVATE ? 'raise' : 'lower';
  return `${what} ${alarm === AlarmType.CORRUPT ? 'CORRUPT' : 'NOSPACE'} of ${memberId}`;
}
