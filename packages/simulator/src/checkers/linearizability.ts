/** A call as its caller saw it. */
export interface Call<Operation> {
  readonly operation: Operation;
  readonly invokedMs: number;
  /** Infinity without an answer: it may have been done at any time from its beginning on, or never. */
  readonly returnedMs: number;
  /** Of a call without an answer: it may have been done any number of times. */
  readonly isRepeatable?: boolean;
  /** Of calls without an answer those with smaller numbers are tried first; by default 0. */
  readonly rank?: number;
}

/** What the calls are said to have been made on. States never change. */
export interface SequentialModel<State, Operation> {
  readonly initial: State;
  /** The states that the operation, with the answer that it had, may leave behind; none when it cannot have been done there. */
  step(state: State, operation: Operation): readonly State[];
  /** The same for equal states. */
  hash(state: State): number;
  equals(a: State, b: State): boolean;
}

export type Verdict<Operation> =
  | { readonly kind: 'linearizable'; readonly steps: number }
  /** No order explains the first `answers` answers, with `last` the last of them; one fewer can be explained. */
  | { readonly kind: 'violation'; readonly steps: number; readonly answers: number; readonly last: Call<Operation> }
  /** No order was found in so many steps, but there may be one. */
  | { readonly kind: 'undecided'; readonly steps: number };

/**
 * Whether calls that overlap in time can be put in one order, each at a moment between its beginning and its answer, in which a
 * sequential object gives just these answers. The search is that of Wing and Gong with the memory of Lowe ("Testing for
 * linearizability", 2017), as in Porcupine: a list of beginnings and answers in the order of time, from which the calls done so far are taken
 * out; next may come any whose beginning stands before the first answer left; and no set of calls with the same state after it is
 * looked at twice.
 *
 * Calls without an answer are kept out of the list and tried last, since they may be left out: most histories are explained without
 * most of them.
 *
 * @param stepsMax how often the model is asked before the search is given up. Steps and not time, so that a run can be repeated.
 */
export function checkLinearizability<State, Operation>(
  model: SequentialModel<State, Operation>,
  calls: readonly Call<Operation>[],
  stepsMax: number,
): Verdict<Operation> {
  const whole = searchOrder(model, calls, stepsMax);
  let { steps } = whole;
  if (whole.kind !== 'none') return { kind: whole.kind, steps };
  // A history is linearizable if a longer one is, so the first answer that nothing explains is found by halving.
  const answered = calls
    .filter(({ returnedMs }) => returnedMs !== Infinity)
    .sort((a, b) => a.returnedMs - b.returnedMs);
  let good = 0;
  let bad = answered.length;
  while (bad - good > 1) {
    const middle = (good + bad) >> 1;
    const part = searchOrder(model, prefix(calls, answered, middle), stepsMax);
    steps += part.steps;
    if (part.kind === 'none') bad = middle;
    else good = middle;
  }
  return { kind: 'violation', steps, answers: bad, last: answered[bad - 1] as Call<Operation> };
}

/** Whether there is an order, without a word on why there is none. */
export function searchOrder<State, Operation>(
  model: SequentialModel<State, Operation>,
  calls: readonly Call<Operation>[],
  stepsMax: number,
): { readonly kind: 'linearizable' | 'none' | 'undecided'; readonly steps: number } {
  const search = new Search(model, calls, stepsMax);
  const result = search.run();
  const { steps } = search;
  return { kind: result === undefined ? 'undecided' : result ? 'linearizable' : 'none', steps };
}

/** The history up to an answer: calls that go on then have none yet, but whatever they do fits the one they will have. */
function prefix<Operation>(
  calls: readonly Call<Operation>[],
  answered: readonly Call<Operation>[],
  count: number,
): Call<Operation>[] {
  const kept = new Set(answered.slice(0, count));
  const endMs = answered[count - 1]?.returnedMs ?? 0;
  return calls
    .filter(({ invokedMs }) => invokedMs <= endMs)
    .map((call) => (kept.has(call) ? call : { ...call, returnedMs: Infinity }));
}

/** A call that was put next: one of the list (by its event), or one without an answer (as -1 - its place). */
type Candidate = number;
const none: Candidate = Number.MIN_SAFE_INTEGER;

interface Frame<State> {
  readonly candidate: Candidate;
  /** Where the candidate may lead to, and which of these was taken. */
  readonly states: readonly State[];
  readonly at: number;
  /** Before it. */
  readonly state: State;
}

class Search<State, Operation> {
  private readonly model: SequentialModel<State, Operation>;
  private readonly stepsMax: number;
  steps = 0;
  /** Calls with an answer, in the order of their beginnings. */
  private readonly calls: Call<Operation>[];
  /** The list: event 0 is before all, the last one behind all, each other a beginning or an answer of the call of that number. */
  private readonly callOf: Int32Array;
  private readonly isAnswer: Uint8Array;
  private readonly next: Int32Array;
  private readonly previous: Int32Array;
  private readonly answerOf: Int32Array;
  private readonly isTaken: Uint8Array;
  private takenCount = 0;
  /** Calls without an answer, in the order in which they are tried. */
  private readonly lost: Call<Operation>[];
  private readonly isLostTaken: Uint8Array;
  private lostKey = '';
  private state: State;
  private readonly frames: Frame<State>[] = [];
  private readonly seen = new Map<number, { readonly key: string; readonly state: State }[]>();

  constructor(model: SequentialModel<State, Operation>, calls: readonly Call<Operation>[], stepsMax: number) {
    this.model = model;
    this.stepsMax = stepsMax;
    this.state = model.initial;
    const sorted = [...calls].sort((a, b) => a.invokedMs - b.invokedMs);
    this.calls = sorted.filter(({ returnedMs }) => returnedMs !== Infinity);
    this.lost = sorted.filter(({ returnedMs }) => returnedMs === Infinity);
    this.lost.sort((a, b) => (a.rank ?? 0) - (b.rank ?? 0));
    this.isLostTaken = new Uint8Array(this.lost.length);
    this.isTaken = new Uint8Array(this.calls.length);
    this.answerOf = new Int32Array(this.calls.length);
    const count = 2 * this.calls.length + 2;
    this.callOf = new Int32Array(count);
    this.isAnswer = new Uint8Array(count);
    this.next = new Int32Array(count);
    this.previous = new Int32Array(count);
    this.link();
  }

  /** Beginnings before answers of the same time: such calls may overlap. */
  private link(): void {
    const events = this.calls.flatMap(({ invokedMs, returnedMs }, call) => [
      { call, isAnswer: 0, atMs: invokedMs },
      { call, isAnswer: 1, atMs: returnedMs },
    ]);
    events.sort((a, b) => a.atMs - b.atMs || a.isAnswer - b.isAnswer);
    events.forEach(({ call, isAnswer }, i) => {
      this.callOf[i + 1] = call;
      this.isAnswer[i + 1] = isAnswer;
      if (isAnswer === 1) this.answerOf[call] = i + 1;
    });
    for (let i = 0; i < this.next.length; i++) {
      this.next[i] = i + 1;
      this.previous[i] = i - 1;
    }
  }

  /** Undefined when the steps did not suffice. */
  run(): boolean | undefined {
    let candidate: Candidate = this.first();
    for (;;) {
      if (this.takenCount === this.calls.length) return true;
      if (candidate === none) {
        const frame = this.frames.pop();
        if (frame === undefined) return false;
        this.putBack(frame.candidate);
        this.state = frame.state;
        const isEntered = this.enter(frame.candidate, frame.states, frame.at + 1);
        candidate = isEntered ? this.first() : this.after(frame.candidate);
        continue;
      }
      if (this.steps === this.stepsMax) return undefined;
      this.steps += 1;
      const states = this.model.step(this.state, this.callAt(candidate).operation);
      candidate = this.enter(candidate, states, 0) ? this.first() : this.after(candidate);
    }
  }

  /** Puts the candidate next, with the first of the states that was not seen before with the same calls done. */
  private enter(candidate: Candidate, states: readonly State[], from: number): boolean {
    if (from >= states.length) return false;
    this.take(candidate);
    const key = this.keyOfTaken();
    for (let at = from; at < states.length; at++) {
      const state = states[at] as State;
      if (this.isSeen(key, state)) continue;
      this.frames.push({ candidate, states, at, state: this.state });
      this.state = state;
      return true;
    }
    this.putBack(candidate);
    return false;
  }

  private isSeen(key: string, state: State): boolean {
    const hash = this.model.hash(state);
    const entries = this.seen.get(hash);
    if (entries === undefined) {
      this.seen.set(hash, [{ key, state }]);
      return false;
    }
    if (entries.some((entry) => entry.key === key && this.model.equals(entry.state, state))) return true;
    entries.push({ key, state });
    return false;
  }

  /** The set of calls done, in few characters: all before the first that is left, and which of those behind it. */
  private keyOfTaken(): string {
    const first =
      this.takenCount === this.calls.length ? this.takenCount : (this.callOf[this.next[0] as number] as number);
    let key = `${first}`;
    let behind = this.takenCount - first;
    for (let call = first + 1; behind > 0; call++) {
      if (this.isTaken[call] === 0) continue;
      key += `,${call}`;
      behind -= 1;
    }
    return this.lostKey === '' ? key : `${key};${this.lostKey}`;
  }

  private first(): Candidate {
    const event = this.next[0] as number;
    return event === this.next.length - 1 ? none : event;
  }

  private after(candidate: Candidate): Candidate {
    if (candidate < 0) return this.lostFrom(-candidate);
    const event = this.next[candidate] as number;
    return this.isAnswer[event] === 0 ? event : this.lostFrom(0);
  }

  /** The next call without an answer that began before the first answer in the list. */
  private lostFrom(from: number): Candidate {
    if (from >= this.lost.length) return none;
    let event = this.next[0] as number;
    while (this.isAnswer[event] === 0) event = this.next[event] as number;
    const limitMs = this.calls[this.callOf[event] as number]?.returnedMs ?? 0;
    for (let i = from; i < this.lost.length; i++) {
      if (this.isLostTaken[i] === 0 && (this.lost[i] as Call<Operation>).invokedMs <= limitMs) return -1 - i;
    }
    return none;
  }

  private callAt(candidate: Candidate): Call<Operation> {
    const call = candidate < 0 ? this.lost[-1 - candidate] : this.calls[this.callOf[candidate] as number];
    return call as Call<Operation>;
  }

  private take(candidate: Candidate): void {
    if (candidate < 0) {
      this.setLostTaken(-1 - candidate, 1);
      return;
    }
    const call = this.callOf[candidate] as number;
    this.isTaken[call] = 1;
    this.takenCount += 1;
    for (const event of [candidate, this.answerOf[call] as number]) {
      this.next[this.previous[event] as number] = this.next[event] as number;
      this.previous[this.next[event] as number] = this.previous[event] as number;
    }
  }

  /** Undoes the last `take`: the events go back between the neighbours that they remember. */
  private putBack(candidate: Candidate): void {
    if (candidate < 0) {
      this.setLostTaken(-1 - candidate, 0);
      return;
    }
    const call = this.callOf[candidate] as number;
    this.isTaken[call] = 0;
    this.takenCount -= 1;
    for (const event of [this.answerOf[call] as number, candidate]) {
      this.next[this.previous[event] as number] = event;
      this.previous[this.next[event] as number] = event;
    }
  }

  private setLostTaken(place: number, value: 0 | 1): void {
    if (this.lost[place]?.isRepeatable) return;
    this.isLostTaken[place] = value;
    const taken: number[] = [];
    for (let i = 0; i < this.isLostTaken.length; i++) if (this.isLostTaken[i] === 1) taken.push(i);
    this.lostKey = taken.join();
  }
}
