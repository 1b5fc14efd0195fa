import type { Clock, Logger, Metrics } from '@quorate/base';
import type { MemberConfig } from '../config/config.ts';
import { makePeerClient } from '../peer/client/http-peer-client.ts';
import { NodePeerDialer } from '../peer/node/node-peer-dialer.ts';
import { listenPeers } from '../peer/node/peer-listener.ts';
import type { PeerClient } from '../peer/peer-client.ts';
import type { PeerSource } from '../peer/peer-source.ts';
import { makePeerTransport } from '../peer/transport/peer-transport.ts';
import { noPeerClient, noPeers, type PeerNetwork } from '../replica/peer-network.ts';
import { openPeerTls } from '../tls/open-tls.ts';
import { etcdVersion } from '../version.ts';

/** The sockets between members. */
export interface PeerSide {
  readonly client: PeerClient;
  /** Makes the way to the other members, for the member behind `source`. */
  connect(source: PeerSource): PeerNetwork;
  /** Other members are answered from now on; until then their requests wait. */
  serve(): void;
  close(): Promise<void>;
}

/** Until a connection stands, besides an election timeout (etcd's figure). */
const dialSlackMs = 1_000;

const withoutPeers: PeerSide = {
  client: noPeerClient,
  connect: () => noPeers,
  serve() {},
  close: () => Promise.resolve(),
};

/** Binds the peer URLs; without any the member stays alone. @throws CodedError peer/listen, tls/config */
export async function openPeerSide(
  deps: { readonly clock: Clock; readonly logger: Logger; readonly metrics: Metrics },
  config: MemberConfig,
): Promise<PeerSide> {
  const { clock, logger, metrics } = deps;
  if (config.listenPeerUrls.length === 0) return withoutPeers;
  const urls = config.listenPeerUrls.map(({ href }) => href);
  logger.info('configuring peer listeners', { 'listen-peer-urls': urls });
  const tls = await openPeerTls(logger, config);
  const secure = tls === undefined ? {} : { tls };
  const listener = await listenPeers(urls, { logger, ...secure });
  const dialer = new NodePeerDialer({ dialTimeoutMs: dialSlackMs + config.electionMs, ...secure });
  let serve = () => {};
  return {
    client: makePeerClient({ clock, dialer }),
    connect: (source) => {
      const peerUrls = config.advertisePeerUrls.map(({ href }) => href);
      const limits = { stallMs: config.raftReadTimeoutMs, writeStallMs: config.raftWriteTimeoutMs };
      const options = { serverVersion: etcdVersion, peerUrls, limits };
      const transport = makePeerTransport({ clock, logger, metrics, dialer }, options, source, source);
      serve = () => listener.serve(transport.handler);
      return transport;
    },
    serve: () => {
      serve();
      sayOfEach(logger, listener.urls, 'serving peer traffic');
    },
    close: async () => {
      sayOfEach(logger, listener.urls, 'stopping serving peer traffic');
      await listener.close();
      dialer.close();
      sayOfEach(logger, listener.urls, 'stopped serving peer traffic');
    },
  };
}

function sayOfEach(logger: Logger, urls: readonly string[], message: string): void {
  for (const url of urls) logger.info(message, { address: url.replace(/^[a-z]+:\/\//, '') });
}
