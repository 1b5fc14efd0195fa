import { createHash } from 'node:crypto';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { getHeapStatistics } from 'node:v8';
import { nextBelow, type Random, SeededRandom } from '@quorate/base';
import { Coverage } from './coverage.ts';
import { minimize } from './minimize.ts';
import { mutateBytes } from './mutate.ts';
import { regressionsOf, saveRegression } from './regressions.ts';
import { BrokenRule, type Target } from './target.ts';
import { Watchdog } from './watchdog.ts';

export interface FuzzOptions {
  readonly seed: number;
  /** Whichever of the two comes first. */
  readonly runs: number;
  readonly durationMs: number;
  /** Whether coverage chooses what further inputs are made from. Without it nothing but the seeds is, at several times the speed. */
  readonly guided: boolean;
  /** Whether inputs that break something are made small and written to the folder of regressions. */
  readonly saves: boolean;
  readonly onFinding?: (finding: Finding) => void;
}

export interface Finding {
  readonly target: string;
  readonly message: string;
  readonly stack: string;
  readonly input: Uint8Array;
  readonly path: string | undefined;
}

export interface Totals {
  readonly target: string;
  inputs: number;
  durationMs: number;
  /** Inputs that reached something no other had. */
  corpus: number;
  readonly outcomes: Map<string, number>;
  readonly findings: Finding[];
  /** Of all inputs: equal for equal seeds. */
  digest: string;
}

/** Between two looks at the coverage, each of which costs as much as many inputs. */
const batchInputs = 64;
const hangMs = 10_000;
const defaultMemoryBytesMax = 64 * 1024 * 1024;

/** Runs inputs, those that reach something new become the stuff of further ones. */
export class Fuzzer {
  private readonly target: Target;
  private readonly options: FuzzOptions;
  private readonly random: Random;
  private readonly coverage: Coverage | undefined;
  private readonly watchdog: Watchdog;
  private readonly corpus: Uint8Array[] = [];
  private readonly known = new Set<string>();
  private readonly digest = createHash('sha256');
  private readonly totals: Totals;

  constructor(target: Target, options: FuzzOptions) {
    this.target = target;
    this.options = options;
    this.random = new SeededRandom(options.seed);
    this.coverage = options.guided ? new Coverage(target.watches) : undefined;
    this.watchdog = new Watchdog(target.name, target.inputBytesMax, hangMs);
    const { name } = target;
    this.totals = { target: name, inputs: 0, durationMs: 0, corpus: 0, outcomes: new Map(), findings: [], digest: '' };
  }

  async run(): Promise<Totals> {
    const { totals, options } = this;
    await this.watchdog.started();
    const startMs = performance.now();
    try {
      const seeds = [...(await this.target.seeds(this.random)), ...regressionsOf(this.target.name).values()];
      for (const seed of seeds) await this.play(seed);
      this.coverage?.isNew(true);
      this.corpus.push(...seeds);
      while (totals.inputs < options.runs && performance.now() - startMs < options.durationMs) await this.playBatch();
    } finally {
      this.coverage?.close();
      await this.watchdog.close();
    }
    totals.corpus = this.corpus.length;
    totals.durationMs = performance.now() - startMs;
    totals.digest = this.digest.digest('hex').slice(0, 16);
    return totals;
  }

  private async playBatch(): Promise<void> {
    const count = Math.min(batchInputs, this.options.runs - this.totals.inputs);
    const inputs = Array.from({ length: count }, () => this.next());
    for (const input of inputs) await this.play(input);
    if (this.coverage?.isNew(false)) await this.sift(inputs, this.coverage);
    await nextTurn();
  }

  /** Finds those that reached something new, by halves. */
  private async sift(inputs: readonly Uint8Array[], coverage: Coverage): Promise<void> {
    const middle = Math.ceil(inputs.length / 2);
    for (const half of [inputs.slice(0, middle), inputs.slice(middle)]) {
      for (const input of half) await this.attempt(input);
      if (half.length === 0 || !coverage.isNew(half.length === 1)) continue;
      if (half.length > 1) await this.sift(half, coverage);
      else this.corpus.push(half[0] as Uint8Array);
    }
  }

  private next(): Uint8Array {
    const { random, target } = this;
    let input = this.pick();
    const kind = target.mutate === undefined ? 0 : nextBelow(random, 4);
    if (kind > 0) input = target.mutate?.(input, random) ?? input;
    if (kind < 2) {
      const { inputBytesMax, words = [] } = target;
      input = mutateBytes(input, { random, inputBytesMax, words, other: () => this.pick() });
    }
    return input.length > target.inputBytesMax ? input.subarray(0, target.inputBytesMax) : input;
  }

  /** Half of the time one of the newest, which are the least explored. */
  private pick(): Uint8Array {
    const { corpus, random } = this;
    const from = nextBelow(random, 2) === 0 ? corpus.length - Math.ceil(corpus.length / 4) : 0;
    return corpus[from + nextBelow(random, corpus.length - from)] ?? new Uint8Array(0);
  }

  private async play(input: Uint8Array): Promise<void> {
    const { totals } = this;
    totals.inputs++;
    this.digest.update(`${input.length} `).update(input);
    const outcome = await this.attempt(input);
    if (typeof outcome === 'string') totals.outcomes.set(outcome, (totals.outcomes.get(outcome) ?? 0) + 1);
    else await this.report(input, outcome);
  }

  private async attempt(input: Uint8Array): Promise<string | Error> {
    return attempt(this.target, input, this.watchdog);
  }

  private async report(input: Uint8Array, error: Error): Promise<void> {
    const signature = signatureOf(error);
    if (this.known.has(signature)) return;
    this.known.add(signature);
    const fails = async (candidate: Uint8Array): Promise<boolean> => {
      const outcome = await this.attempt(candidate);
      return outcome instanceof Error && signatureOf(outcome) === signature;
    };
    const small = this.options.saves ? await minimize(input, fails) : input;
    this.coverage?.skip();
    const path = this.options.saves ? saveRegression(this.target.name, small) : undefined;
    const { message } = error;
    const finding = { target: this.target.name, message, stack: error.stack ?? message, input: small, path };
    this.totals.findings.push(finding);
    this.options.onFinding?.(finding);
  }
}

/** How one input goes: its outcome, or what was broken. */
export async function attempt(target: Target, input: Uint8Array, watchdog?: Watchdog): Promise<string | Error> {
  watchdog?.begin(input);
  const before = memoryBytes();
  try {
    const outcome = await target.run(input);
    const taken = memoryBytes() - before;
    const most = target.memoryBytesMax ?? defaultMemoryBytesMax;
    return taken > most ? new BrokenRule(`more memory than ${most} bytes`) : outcome;
  } catch (error) {
    return error instanceof Error ? error : new Error(`thrown: ${String(error)}`);
  } finally {
    watchdog?.end();
  }
}

function memoryBytes(): number {
  const { external_memory: external, used_heap_size: heap } = getHeapStatistics();
  return external + heap;
}

/** The same for the same mistake: what was thrown without its numbers, and where. */
function signatureOf(error: Error): string {
  const frame = /packages\/[^)\s]*?:\d+/.exec(error.stack ?? '')?.[0] ?? '';
  return `${error.name} ${error.message.replace(/0x[0-9a-f]+|\d+/g, '#').slice(0, 60)} ${frame}`;
}
