import { type ErrorSymbol, errors } from '@quorate/api';
import type {
  AppliedEntry,
  History,
  KeyValueRequest,
  KeyValueResponse,
  Operation,
  Outcome,
} from '../../history/history.ts';
import { isReadOnly, KeyValueModel } from '../../model/key-value-model.ts';
import type { ModelRequest } from '../../model/state.ts';
import { encodeEntry } from './random-history.ts';

interface Call {
  readonly client?: number;
  readonly member?: string;
  readonly invokedMs?: number;
  readonly returnedMs?: number;
}

/** Builds a small correct history call by call, each a moment after the one before it. */
export class Scene {
  readonly model = new KeyValueModel();
  readonly log: AppliedEntry[] = [];
  readonly operations: Operation[] = [];
  private nowMs = 0;

  /** Something in the log that no client asked for. */
  entry(request: ModelRequest): this {
    this.perform(request);
    return this;
  }

  /** A call that is answered as it should be. */
  call(request: KeyValueRequest, call: Call = {}): this {
    const { response, error } = this.perform(request);
    return this.record(request, response === undefined ? refusedWith(error) : { kind: 'ok', response }, call);
  }

  /** A call with another outcome than it would have; it is in the log if it is done. */
  lost(request: KeyValueRequest, isDone: boolean, outcome?: Outcome): this {
    if (isDone) this.perform(request);
    return this.record(request, outcome ?? { kind: 'unknown', code: 14, text: errors.ErrGRPCTimeout.message });
  }

  /** The history with the last answer changed. */
  withLast(change: (response: KeyValueResponse) => void): History {
    const last = this.operations.at(-1);
    if (last?.outcome.kind !== 'ok') throw new Error('the last call was not answered');
    const response = cloneResponse(last.outcome.response);
    change(response);
    return this.history([...this.operations.slice(0, -1), { ...last, outcome: { kind: 'ok', response } }]);
  }

  history(operations: readonly Operation[] = this.operations): History {
    return { operations, watches: [], log: this.log };
  }

  private perform(request: ModelRequest): ReturnType<KeyValueModel['apply']> {
    const isRead = request.method === 'range' || (request.method === 'txn' && isReadOnly(request.message));
    const applied = this.model.apply(request);
    const index = this.log.length + 1;
    if (!isRead) this.log.push({ index, term: 1, data: encodeEntry(request, index) });
    return applied;
  }

  private record(request: KeyValueRequest, outcome: Outcome, call: Call = {}): this {
    this.nowMs += 10;
    const isOver = outcome.kind !== 'unknown';
    const times = { invokedMs: this.nowMs, returnedMs: isOver ? this.nowMs + 5 : Infinity };
    this.operations.push({
      id: this.operations.length + 1,
      client: 1,
      member: 'm1',
      request,
      ...times,
      outcome,
      ...call,
    });
    return this;
  }
}

export function refusedWith(error: ErrorSymbol | undefined): Outcome {
  if (error === undefined) throw new Error('neither an answer nor an error');
  return { kind: 'refused', code: errors[error].code, text: errors[error].message };
}

function cloneResponse(response: KeyValueResponse): KeyValueResponse {
  return { method: response.method, message: clone(response.message) } as KeyValueResponse;
}

/** A copy all the way down, except for bytes, which nobody writes to. */
export function clone<T>(value: T): T {
  if (value instanceof Uint8Array || typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map(clone) as T;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, clone(inner)])) as T;
}
