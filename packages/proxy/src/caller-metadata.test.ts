import assert from 'node:assert/strict';
import { test } from 'node:test';
import { etcdserverpb, services } from '@quorate/api';
import { silentLogger } from '@quorate/base';
import { NodeClock } from '@quorate/base/node';
import { createGrpcServer, type Metadata } from '@quorate/transport';
import { CallerMetadata } from './caller-metadata.ts';

/** The headers of calls with this metadata, as a server has them. */
async function headersOf(...metadata: readonly (readonly [string, string])[][]): Promise<Metadata[]> {
  const server = createGrpcServer({ clock: new NodeClock(), logger: silentLogger }, {});
  const { path } = services.KV.methods.Range;
  const found: Metadata[] = [];
  server.registerUnary(path, (call) => {
    found.push(call.metadata);
    call.replyChunks([]);
  });
  const request = etcdserverpb.RangeRequest.encode(etcdserverpb.RangeRequest.create());
  for (const list of metadata) await server.local.unary(path, request, { metadata: list });
  return found;
}

test('what the transport sets itself is left out, and equal metadata is one list', async () => {
  const callers = new CallerMetadata();
  const own: [string, string] = ['user-agent', 'grpc-go'];
  const [one, other, alice] = (await headersOf(
    [own, ['hasleader', 'true']],
    [['hasleader', 'true']],
    [['token', 'alice']],
  )) as [Metadata, Metadata, Metadata];
  assert.deepEqual(callers.of(one), [['hasleader', 'true']]);
  assert.equal(callers.of(other), callers.of(one));
  assert.deepEqual(callers.of(alice), [['token', 'alice']]);
});
