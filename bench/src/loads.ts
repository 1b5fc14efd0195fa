import { etcdserverpb } from '@quorate/api';
import { SeededRandom, silentLogger, utf8FromBytes, utf8ToBytes } from '@quorate/base';
import { NodeClock, NodeRandom } from '@quorate/base/node';
import type { GrpcClient } from '@quorate/transport';
import { createGrpcClient } from '@quorate/transport/node';

const { PutRequest, RequestOp, TxnRequest, WatchRequest, WatchCreateRequest, WatchResponse } = etcdserverpb;
const paths = {
  put: '/etcdserverpb.KV/Put',
  txn: '/etcdserverpb.KV/Txn',
  watch: '/etcdserverpb.Watch/Watch',
  grant: '/etcdserverpb.Lease/LeaseGrant',
  keepAlive: '/etcdserverpb.Lease/LeaseKeepAlive',
};

export function connect(port: number): GrpcClient {
  const deps = { clock: new NodeClock(), logger: silentLogger, random: new NodeRandom() };
  return createGrpcClient(deps, { address: `127.0.0.1:${port}` });
}

/** Runs `count` calls with `inFlight` at a time. @throws Error when one fails */
function pump(
  count: number,
  inFlight: number,
  call: (i: number, done: (code: number, message: string) => void) => void,
): Promise<void> {
  return new Promise((resolve, reject) => {
    let started = 0;
    let finished = 0;
    const next = () => {
      if (started >= count) return;
      call(started++, (code, message) => {
        if (code !== 0) {
          reject(new Error(`call failed with ${code}: ${message}`));
          return;
        }
        finished++;
        if (finished === count) resolve();
        else next();
      });
    };
    for (let i = 0; i < Math.min(inFlight, count); i++) next();
  });
}

export interface Fill {
  readonly keys: number;
  readonly prefix: string;
  /** Writes this one key instead. */
  readonly exactKey?: Uint8Array;
  readonly value: Uint8Array;
}

const putsPerTxn = 100;

/** Writes `keys` different keys, a hundred in a transaction. */
export async function fill(port: number, options: Fill): Promise<void> {
  const client = connect(port);
  const put = (i: number) => {
    const key = options.exactKey ?? utf8ToBytes(`${options.prefix}${String(i).padStart(10, '0')}`);
    return RequestOp.create({ requestPut: PutRequest.create({ key, value: options.value }) });
  };
  await pump(Math.ceil(options.keys / putsPerTxn), 8, (txn, done) => {
    const count = Math.min(putsPerTxn, options.keys - txn * putsPerTxn);
    const success = Array.from({ length: count }, (_, i) => put(txn * putsPerTxn + i));
    client.unaryCallback(paths.txn, TxnRequest.encode(TxnRequest.create({ success })), {}, done);
  });
  client.close();
}

/** Puts to random ones of 100,000 keys over 10 connections, 500 in flight. @returns puts a second. */
export async function putVaried(port: number, count: number): Promise<number> {
  const clients = Array.from({ length: 10 }, () => connect(port));
  const random = new SeededRandom(42);
  const value = new Uint8Array(256).fill(0x78);
  const requests = Array.from({ length: 100_000 }, (_, i) =>
    PutRequest.encode(PutRequest.create({ key: utf8ToBytes(`varied/${String(i).padStart(8, '0')}`), value })),
  );
  const run = (calls: number) =>
    pump(calls, 500, (i, done) => {
      const request = requests[random.nextUint32() % requests.length] as Uint8Array;
      clients[i % clients.length]?.unaryCallback(paths.put, request, {}, done);
    });
  await run(count / 10);
  const startMs = performance.now();
  await run(count);
  const seconds = (performance.now() - startMs) / 1000;
  for (const client of clients) client.close();
  return count / seconds;
}

const connectionsOfWatchers = 10;

/**
 * One writer with 4 puts in flight, `watchers` streams that watch the key.
 * @returns events delivered a second, and milliseconds from the call of the put to the event, seen by every 50th watcher.
 */
export async function fanOut(
  port: number,
  watchers: number,
  writes: number,
  valueBytes = 256,
): Promise<{ perSecond: number; p99: number }> {
  const clients = Array.from({ length: connectionsOfWatchers }, () => connect(port));
  const key = utf8ToBytes('watched');
  const create = WatchRequest.encode(WatchRequest.create({ createRequest: WatchCreateRequest.create({ key }) }));
  const latencies: number[] = [];
  let created = 0;
  let delivered = 0;
  let allCreated: () => void = () => {};
  let allDelivered: () => void = () => {};
  const ready = new Promise<void>((resolve) => {
    allCreated = resolve;
  });
  const complete = new Promise<void>((resolve) => {
    allDelivered = resolve;
  });
  for (let i = 0; i < watchers; i++) {
    const stream = (clients[i % connectionsOfWatchers] as GrpcClient).stream(paths.watch);
    const samples = i % 50 === 0;
    let first = true;
    stream.onMessage((message) => {
      if (first) {
        first = false;
        if (++created === watchers) allCreated();
        return;
      }
      if (samples) {
        for (const event of WatchResponse.decode(message).events) {
          latencies.push(
            performance.now() - Number(utf8FromBytes((event.kv?.value ?? new Uint8Array(0)).slice(0, 20))),
          );
        }
      }
      if (++delivered === watchers * writes) allDelivered();
    });
    stream.onEnd(() => {});
    stream.write(create);
  }
  await ready;
  const writer = connect(port);
  const startMs = performance.now();
  await pump(writes, 4, (_, done) => {
    const value = utf8ToBytes(String(performance.now()).slice(0, 20).padEnd(valueBytes, ' '));
    writer.unaryCallback(paths.put, PutRequest.encode(PutRequest.create({ key, value })), {}, done);
  });
  await complete;
  const seconds = (performance.now() - startMs) / 1000;
  for (const client of [...clients, writer]) client.close();
  latencies.sort((a, b) => a - b);
  return {
    perSecond: (watchers * writes) / seconds,
    p99: latencies[Math.floor(latencies.length * 0.99)] ?? Number.NaN,
  };
}

/** 100 streams, each renewing its part of `leases` in turn, one renewal in flight. @returns renewals a second. */
export async function keepAlive(port: number, leases: number, renewals: number): Promise<number> {
  const streams = 100;
  const clients = Array.from({ length: 10 }, () => connect(port));
  const ids: bigint[] = [];
  await pump(leases, 50, (i, done) => {
    const id = BigInt(i + 1);
    ids.push(id);
    const request = etcdserverpb.LeaseGrantRequest.create({ id, ttl: 600 });
    (clients[0] as GrpcClient).unaryCallback(paths.grant, etcdserverpb.LeaseGrantRequest.encode(request), {}, done);
  });
  const startMs = performance.now();
  const each = Math.floor(renewals / streams);
  await Promise.all(
    Array.from({ length: streams }, (_, s) =>
      renewOnStream(
        clients[s % 10] as GrpcClient,
        ids.filter((_id, i) => i % streams === s),
        each,
      ),
    ),
  );
  const seconds = (performance.now() - startMs) / 1000;
  for (const client of clients) client.close();
  return (each * streams) / seconds;
}

function renewOnStream(client: GrpcClient, ids: readonly bigint[], count: number): Promise<void> {
  const requests = ids.map((id) =>
    etcdserverpb.LeaseKeepAliveRequest.encode(etcdserverpb.LeaseKeepAliveRequest.create({ id })),
  );
  return new Promise((resolve, reject) => {
    const stream = client.stream(paths.keepAlive);
    let done = 0;
    stream.onMessage(() => {
      done++;
      if (done === count) {
        resolve();
        stream.cancel();
      } else stream.write(requests[done % requests.length] as Uint8Array);
    });
    stream.onEnd((status) => {
      if (done < count) reject(new Error(`keepalive stream ended with ${status.code}: ${status.message}`));
    });
    stream.write(requests[0] as Uint8Array);
  });
}
