import { createHash } from 'node:crypto';
import { CodedError, type Logger, silentLogger } from '@quorate/base';
import { NodeClock } from '@quorate/base/node';
import type { Member } from '@quorate/machine';
import type { HostResolver } from '../../config/url-match.ts';
import type { PeerVersion } from '../../peer/peer-client.ts';
import { noPeerClient } from '../../replica/peer-network.ts';
import type { FirstStartDeps } from '../first-start.ts';

/** Knows no name. */
export const noNames: HostResolver = {
  resolve: (host) => Promise.reject(new CodedError('dns/not-found', `lookup ${host}: no such host`)),
};

/** What another member answers, by its URL. Fields that are missing make it unreachable for that question. */
export interface PeerAnswers {
  readonly members?: { readonly clusterId: bigint; readonly members: readonly Member[] };
  readonly version?: PeerVersion;
  readonly isDowngradeEnabled?: boolean;
}

/** Other members that only answer questions, and note what they were asked. */
export class FakePeers {
  readonly asked: string[] = [];
  readonly answers: Map<string, PeerAnswers>;

  constructor(answers: Readonly<Record<string, PeerAnswers>>) {
    this.answers = new Map(Object.entries(answers));
  }

  readonly client = {
    ...noPeerClient,
    members: (url: string, timeoutMs: number) => this.ask(url, 'members', timeoutMs),
    version: (url: string, timeoutMs: number) => this.ask(url, 'version', timeoutMs),
    isDowngradeEnabled: (url: string, timeoutMs: number) => this.ask(url, 'isDowngradeEnabled', timeoutMs),
  };

  private ask<Q extends keyof PeerAnswers>(
    url: string,
    question: Q,
    timeoutMs: number,
  ): Promise<NonNullable<PeerAnswers[Q]>> {
    this.asked.push(`${question} ${url} ${timeoutMs}`);
    const answer = this.answers.get(url)?.[question];
    return answer === undefined
      ? Promise.reject(new CodedError('peer/unreachable', `${url} does not answer`))
      : Promise.resolve(answer as NonNullable<PeerAnswers[Q]>);
  }
}

export function firstStartDeps(peers: FakePeers, logger: Logger = silentLogger): FirstStartDeps {
  return {
    clock: new NodeClock(),
    logger,
    sha1: (bytes) => createHash('sha1').update(bytes).digest(),
    peerClient: peers.client,
    resolver: noNames,
  };
}

/** A member as another one lists it. */
export function listed(id: bigint, peerUrl: string, rest: Partial<Member> = {}): Member {
  return { id, name: '', peerUrls: [peerUrl], clientUrls: [], isLearner: false, ...rest };
}
