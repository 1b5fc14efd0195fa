import { etcdserverpb, services } from '@quorate/api';
import { GrpcStatus, type UnaryCallback } from '@quorate/transport';
import type { Cancellable, Upstream, UpstreamOptions, UpstreamStream } from './upstream.ts';

const { RangeResponseRaw, TxnResponseRaw, ResponseHeader } = etcdserverpb;
const { Range, Txn } = services.KV.methods;

/** How often each server is asked again, on the average, before a read gives up (etcd's figure). */
const roundsMax = 5;
const noGreaterRevision = 'etcdclient: no cluster members have a revision higher than the previously received revision';

/**
 * Servers whose ranges and transactions never go back: an answer of an older revision than one given before is asked for again, of the
 * next server. Only what changes nothing can be that old: a transaction that writes has been through the log.
 */
export class OrderedUpstream implements Upstream {
  private readonly upstream: Upstream;
  private readonly servers: () => number;
  /** The greatest that an answer was of. */
  private revision = 0;

  /** @param servers how many there are behind `upstream`, which asks them in turn */
  constructor(upstream: Upstream, servers: () => number) {
    this.upstream = upstream;
    this.servers = servers;
  }

  unary(path: string, request: Uint8Array, options: UpstreamOptions, callback: UnaryCallback): Cancellable {
    if (path !== Range.path && path !== Txn.path) return this.upstream.unary(path, request, options, callback);
    // What others are given meanwhile does not count: they asked at the same time.
    const least = this.revision;
    let left = roundsMax * this.servers();
    let current: Cancellable | undefined;
    const attempt = () => {
      current = this.upstream.unary(path, request, options, (code, message, answer) => {
        if (answer !== null) {
          const revision = revisionOf(path, answer);
          if (revision < least) {
            if (left-- > 0) attempt();
            else callback(GrpcStatus.unknown, noGreaterRevision, null);
            return;
          }
          this.revision = Math.max(this.revision, revision);
        }
        callback(code, message, answer);
      });
    };
    attempt();
    return { cancel: () => current?.cancel() };
  }

  stream(path: string, options: UpstreamOptions): UpstreamStream {
    return this.upstream.stream(path, options);
  }
}

function revisionOf(path: string, answer: Uint8Array): number {
  const { header } = path === Range.path ? RangeResponseRaw.decode(answer) : TxnResponseRaw.decode(answer);
  return header === undefined ? 0 : ResponseHeader.decode(header).revision;
}
