import type { Options } from '../options.ts';
import { unifiedDiff } from '../support/diff.ts';
import { isPlayed } from '../support/parts.ts';
import type { Report } from '../support/report.ts';
import { launch, launchFresh, type RunningServer } from '../support/server.ts';
import { errorText } from '../support/text.ts';
import { canonicalAnswer, canonicalMessage } from './canonical.ts';
import { type Answer, type CallOptions, Connection } from './connection.ts';
import { loadMethods, type Message } from './services.ts';
import { Tally } from './tally.ts';
import { normalizeTies } from './ties.ts';

/** After this many differences a part is given up: what follows would only repeat them. */
const DIFFERENCES_MAX = 40;

class TooManyDifferences extends Error {
  constructor() {
    super(`given up after ${DIFFERENCES_MAX} differences`);
  }
}

interface Side {
  server: RunningServer;
  connection: Connection;
}

export interface CompareOptions extends CallOptions {
  /** Names of fields whose values differ by right. */
  readonly masked?: readonly string[];
  /** Metadata by side, where it differs (tokens). */
  readonly metadataOf?: (side: SideName) => Readonly<Record<string, string>>;
  /** Says whether the request must succeed (true) or fail (false) on the reference; left out: either. */
  readonly expectOk?: boolean;
}

export type SideName = 'reference' | 'underTest';

/** Flags of both servers, or of each. */
export type ExtraArgs = readonly string[] | ((side: SideName) => readonly string[]);

function argsOf(extraArgs: ExtraArgs, side: SideName): readonly string[] {
  return typeof extraArgs === 'function' ? extraArgs(side) : extraArgs;
}

/** The reference and the server under test, asked the same. */
export class ServerPair {
  private readonly sides: Record<SideName, Side>;
  private readonly report: Report;
  private readonly extraArgs: ExtraArgs;
  private readonly part: string;
  private differences = 0;
  private readonly tally = new Tally();

  private constructor(
    part: string,
    report: Report,
    extraArgs: ExtraArgs,
    reference: RunningServer,
    underTest: RunningServer,
  ) {
    this.part = part;
    this.report = report;
    this.extraArgs = extraArgs;
    this.sides = {
      reference: { server: reference, connection: new Connection(reference.endpoint, loadMethods()) },
      underTest: { server: underTest, connection: new Connection(underTest.endpoint, loadMethods()) },
    };
  }

  static async start(
    part: string,
    options: Options,
    report: Report,
    directory: string,
    extraArgs: ExtraArgs = [],
  ): Promise<ServerPair> {
    const [reference, underTest] = await Promise.all([
      launchFresh(options.reference, directory, argsOf(extraArgs, 'reference')),
      launchFresh(options.serverUnderTest, directory, argsOf(extraArgs, 'underTest')),
    ]);
    return new ServerPair(part, report, extraArgs, reference, underTest);
  }

  connection(side: SideName): Connection {
    return this.sides[side].connection;
  }

  server(side: SideName): RunningServer {
    return this.sides[side].server;
  }

  async both<T>(work: (connection: Connection, side: SideName) => Promise<T>): Promise<Record<SideName, T>> {
    const [reference, underTest] = await Promise.all([
      work(this.sides.reference.connection, 'reference'),
      work(this.sides.underTest.connection, 'underTest'),
    ]);
    return { reference, underTest };
  }

  /** Records one comparison of two texts. */
  check(name: string, reference: string, underTest: string, context = ''): void {
    const diff = unifiedDiff(reference, underTest);
    if (diff === '') {
      this.report.pass(`${this.part}: ${name}`);
      return;
    }
    this.report.fail(`${this.part}: ${name}`, context === '' ? diff : `${context}\n${diff}`);
    this.differences++;
    const exit = this.sides.underTest.server.child.exit;
    if (exit !== undefined) throw new Error(`the server under test ended: ${exit}`);
    if (this.differences >= DIFFERENCES_MAX) throw new TooManyDifferences();
  }

  outcomes(): string {
    return `${this.part}: ${this.tally}`;
  }

  /** Records a condition that must hold for both servers. */
  require(name: string, holds: boolean, detail: string): void {
    if (holds) this.report.pass(`${this.part}: ${name}`);
    else this.check(name, '', detail);
  }

  /** Sends one request to both and compares the answers. Returns that of the reference. */
  async unary(name: string, method: string, request: Message, options: CompareOptions = {}): Promise<Answer> {
    const answers = await this.both((connection, side) =>
      connection.unary(method, request, callOptions(options, side)),
    );
    const masked = options.masked ?? [];
    if (options.expectOk !== undefined && options.expectOk !== answers.reference.ok) {
      const answer = canonicalAnswer(answers.reference);
      this.require(name, false, `the reference was expected to ${options.expectOk ? 'succeed' : 'fail'}: ${answer}`);
      return answers.reference;
    }
    this.checkAnswers(name, method, request, answers, masked);
    return answers.reference;
  }

  checkAnswers(
    name: string,
    method: string,
    request: Message,
    answers: Record<SideName, Answer>,
    masked: readonly string[],
  ): void {
    this.tally.add(method, answers.reference);
    const shown = (side: SideName): string => canonicalAnswer(normalizeTies(method, request, answers[side]), masked);
    this.check(name, shown('reference'), shown('underTest'), `${method} ${canonicalMessage(request)}`);
  }

  /** Stops both (by SIGTERM, or kill -9) and starts them again over the same data. */
  async restart(how: 'stop' | 'kill'): Promise<void> {
    await Promise.all(
      (Object.entries(this.sides) as [SideName, Side][]).map(async ([name, side]) => {
        side.connection.close();
        await (how === 'stop' ? side.server.stop() : side.server.kill());
        const { kind, dataDir, clientPort, peerPort } = side.server;
        side.server = await launch({ kind, dataDir, clientPort, peerPort, extraArgs: argsOf(this.extraArgs, name) });
        side.connection = new Connection(side.server.endpoint, loadMethods());
      }),
    );
  }

  async close(): Promise<void> {
    await Promise.all(
      Object.values(this.sides).map(async (side) => {
        side.connection.close();
        await side.server.stop();
      }),
    );
  }
}

function callOptions(options: CompareOptions, side: SideName): CallOptions {
  return options.metadataOf === undefined ? options : { ...options, metadata: options.metadataOf(side) };
}

/** Runs one part over a fresh pair of servers; whatever goes wrong becomes a failure with the part's name. */
export async function runPart(
  part: string,
  options: Options,
  report: Report,
  directory: string,
  extraArgs: ExtraArgs,
  body: (pair: ServerPair) => Promise<void>,
): Promise<void> {
  if (!isPlayed(part, options, report)) return;
  let pair: ServerPair | undefined;
  try {
    pair = await ServerPair.start(part, options, report, directory, extraArgs);
    await body(pair);
    if (options.verbose) report.note(pair.outcomes());
  } catch (error) {
    const server = pair?.server('underTest');
    const log = server?.child.exit === undefined ? '' : `\nserver under test ended:\n${server?.logTail() ?? ''}`;
    report.fail(part, `${errorText(error)}${log}`);
  } finally {
    await pair?.close();
  }
}
