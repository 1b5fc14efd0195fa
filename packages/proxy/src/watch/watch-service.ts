import { decodeRequest, etcdserverpb, services } from '@quorate/api';
import { copyBytes } from '@quorate/base';
import type { GrpcServer, RequestMetadata, StreamCall } from '@quorate/transport';
import type { KeyValueContext } from '../kv-service.ts';
import type { WatchQuestion } from './shared-watch.ts';
import type { WatchPool } from './watch-pool.ts';
import { WatchSession, type WatchSessionDeps } from './watch-session.ts';

const { RangeRequest, RangeResponse } = etcdserverpb;
const rangePath = services.KV.methods.Range.path;
const lookTimeoutMs = 5000;

/** What of the caller's metadata decides what it may watch and how; the rest would keep equal watches apart. */
const decisive = new Set(['token', 'authorization', 'hasleader']);

/** Serves etcdserverpb.Watch: equal watches of any number of clients are one at the servers. */
export function registerWatch(server: GrpcServer, context: KeyValueContext, pool: WatchPool): void {
  const deps: WatchSessionDeps = { pool, currentHeader: (question, onHeader) => look(context, question, onHeader) };
  server.registerStream(services.Watch.methods.Watch.path, (call) => {
    const session = new WatchSession(deps, call, decisiveMetadata(call));
    call.onMessage((bytes) => {
      const request = decodeRequest(call, etcdserverpb.WatchRequest, copyBytes(bytes));
      if (request === undefined) session.close();
      else session.handle(request);
    });
    // As a member: events go on until the call is cancelled.
    call.onEnd(() => {});
    call.onCancel(() => session.close());
    call.sendHeaders();
  });
}

function decisiveMetadata(call: StreamCall): RequestMetadata {
  return call.metadata.entries().filter(([name]) => decisive.has(name));
}

/** A read that costs little and tells what revision a server is at. */
function look(
  context: KeyValueContext,
  question: WatchQuestion,
  onHeader: (header: etcdserverpb.ResponseHeader | undefined) => void,
): void {
  const { key } = context.namespace.innerRange(question);
  const request = RangeRequest.encode(RangeRequest.create({ key, serializable: true, countOnly: true }));
  const options = { metadata: question.metadata, timeoutMs: lookTimeoutMs };
  context.upstream.unary(rangePath, request, options, (_code, _message, answer) => {
    onHeader(answer === null ? undefined : RangeResponse.decode(answer).header);
  });
}
