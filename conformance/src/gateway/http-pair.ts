import type { ServerPair, SideName } from '../grpc/pair.ts';
import { type Ask, ask, type HttpAnswer } from './http-client.ts';
import { type ShowOptions, showAnswer } from './show-answer.ts';
import { changedSince34, inTodaysForm, withoutNewer } from './since-34.ts';

export interface CompareOptions extends ShowOptions {
  /** The status that the reference has to answer: a step must not pass because both fail alike. */
  readonly status: number;
  /** Answers on another port than the clients'. */
  readonly endpointOf?: (side: SideName) => string;
}

/** The same requests over HTTP to both servers of a pair. */
export class HttpPair {
  readonly pair: ServerPair;

  constructor(pair: ServerPair) {
    this.pair = pair;
  }

  /** Sends a request, which may differ by side (ids), and compares the answers. */
  async compare(
    name: string,
    request: Ask | ((side: SideName) => Ask),
    options: CompareOptions,
  ): Promise<Record<SideName, HttpAnswer>> {
    const { pair } = this;
    const asked = (side: SideName) => (typeof request === 'function' ? request(side) : request);
    const answers = await pair.both((_, side) =>
      ask(options.endpointOf?.(side) ?? pair.server(side).endpoint, asked(side)),
    );
    const isOld = pair.server('reference').kind === 'etcd34';
    if (isOld && changedSince34(name) !== undefined) return answers;
    const { path } = asked('reference');
    const reference = isOld ? withoutNewer(inTodaysForm(answers.reference, path), path) : answers.reference;
    const underTest = isOld ? withoutNewer(answers.underTest, path) : answers.underTest;
    if (reference.status !== options.status) {
      const shown = showAnswer(reference, options);
      pair.require(name, false, `the reference was expected to answer ${options.status}:\n${shown}`);
    } else {
      pair.check(name, showAnswer(reference, options), showAnswer(underTest, options));
    }
    return answers;
  }
}
