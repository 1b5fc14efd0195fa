import { etcdserverpb, mvccpb, services } from '@quorate/api';
import { compareBytes, copyBytes, SeededRandom, silentLogger } from '@quorate/base';
import { NodeClock } from '@quorate/base/node';
import { createGrpcServer, type GrpcServer, type StreamCall } from '@quorate/transport';
import type { Upstream } from '../upstream.ts';

const { RangeRequest, RangeResponse, PutRequest, PutResponse, ResponseHeader, WatchRequest, WatchResponse } =
  etcdserverpb;

interface FakeWatcher {
  readonly call: StreamCall;
  readonly key: Uint8Array;
  readonly rangeEnd: Uint8Array;
}

function covers(range: { key: Uint8Array; rangeEnd: Uint8Array }, key: Uint8Array): boolean {
  const { rangeEnd } = range;
  const order = compareBytes(range.key, key);
  if (rangeEnd.length === 0) return order === 0;
  return order <= 0 && ((rangeEnd.length === 1 && rangeEnd[0] === 0) || compareBytes(key, rangeEnd) < 0);
}

/** As much of a server as the proxy's tests need: puts, ranges, watches with history, and counts of what it was asked. */
export class FakeEtcd {
  readonly server: GrpcServer;
  readonly clock = new NodeClock();
  readonly random = new SeededRandom(1);
  readonly history: mvccpb.KeyValue[] = [];
  private readonly watchers = new Set<FakeWatcher>();
  revision = 1;
  ranges = 0;
  /** Answers of ranges wait until they are let go. */
  held: (() => void)[] | undefined;

  constructor() {
    this.server = createGrpcServer({ clock: this.clock, logger: silentLogger }, {});
    this.server.registerUnary(services.KV.methods.Put.path, (call, bytes) => {
      const { key, value } = PutRequest.decode(copyBytes(bytes));
      this.put(key, value);
      const response = PutResponse.encode(PutResponse.create({ header: this.header() }));
      call.replyChunks([response]);
    });
    this.server.registerUnary(services.KV.methods.Range.path, (call, bytes) => {
      this.ranges++;
      const request = RangeRequest.decode(copyBytes(bytes));
      const kvs = this.latest().filter((kv) => covers(request, kv.key));
      const response = RangeResponse.create({ header: this.header(), kvs, count: kvs.length });
      const reply = () => call.replyChunks([RangeResponse.encode(response)]);
      if (this.held === undefined) reply();
      else this.held.push(reply);
    });
    this.server.registerStream(services.Watch.methods.Watch.path, (call) => this.serveWatch(call));
  }

  /** Watch streams that are open. */
  get watches(): number {
    return this.watchers.size;
  }

  put(key: Uint8Array, value: Uint8Array): void {
    this.revision++;
    const kv = mvccpb.KeyValue.create({ key, value, modRevision: this.revision });
    this.history.push(kv);
    for (const watcher of this.watchers) this.sendEvents(watcher, [kv]);
  }

  /** Ends all watch streams, as a server does that goes away. */
  cutWatches(): void {
    for (const { call } of this.watchers) call.fail(14, 'etcdserver: server stopped');
    this.watchers.clear();
  }

  private latest(): mvccpb.KeyValue[] {
    const byKey = new Map<string, mvccpb.KeyValue>();
    for (const kv of this.history) byKey.set(kv.key.join(), kv);
    return [...byKey.values()];
  }

  private header(): etcdserverpb.ResponseHeader {
    return ResponseHeader.create({ clusterId: 1n, memberId: 2n, revision: this.revision, raftTerm: 2 });
  }

  private serveWatch(call: StreamCall): void {
    let watcher: FakeWatcher | undefined;
    call.onMessage((bytes) => {
      const { createRequest, progressRequest } = WatchRequest.decode(copyBytes(bytes));
      const header = this.header();
      if (progressRequest !== undefined)
        call.write(WatchResponse.encode(WatchResponse.create({ header, watchId: -1 })));
      if (createRequest === undefined) return;
      const { key, rangeEnd, startRevision } = createRequest;
      watcher = { call, key, rangeEnd };
      this.watchers.add(watcher);
      call.write(WatchResponse.encode(WatchResponse.create({ header, created: true })));
      if (startRevision > 0)
        this.sendEvents(
          watcher,
          this.history.filter((kv) => kv.modRevision >= startRevision),
        );
    });
    call.onCancel(() => {
      if (watcher !== undefined) this.watchers.delete(watcher);
    });
  }

  private sendEvents(watcher: FakeWatcher, kvs: readonly mvccpb.KeyValue[]): void {
    const events = kvs.filter((kv) => covers(watcher, kv.key)).map((kv) => mvccpb.Event.create({ kv }));
    if (events.length === 0) return;
    watcher.call.write(WatchResponse.encode(WatchResponse.create({ header: this.header(), events })));
  }
}

/** The fake as what is behind a proxy. */
export function upstreamOf({ server }: FakeEtcd): Upstream {
  return {
    unary: (path, request, options, callback) => {
      server.local.unary(path, request, options).then(
        (answer) => callback(0, '', answer),
        (error: { code: number; message: string }) => callback(error.code, error.message, null),
      );
      return { cancel: () => {} };
    },
    stream: (path, options) => server.local.stream(path, options),
  };
}
