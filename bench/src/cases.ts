import { etcdserverpb } from '@quorate/api';
import { utf8ToBytes } from '@quorate/base';
import { type LoadResult, type LoadShape, runH2load } from './h2load.ts';
import { fanOut, fill, keepAlive, putVaried } from './loads.ts';
import { measureLoopDelays } from './loop-delay.ts';
import type { Server, ServerCluster } from './servers.ts';

const { Compare, LeaseGrantRequest, PutRequest, RangeRequest, RequestOp, TxnRequest } = etcdserverpb;

/** One figure of one run. `better` says which way is up. */
export interface Figure {
  readonly name: string;
  readonly value: number;
  readonly unit: 'per second' | 'ms' | 'MiB';
}

interface CaseCommon {
  readonly name: string;
  readonly meaning: string;
  /** Reads what only our server shows. */
  readonly ownOnly?: true;
}

/** A case against a cluster of one, or against one of three members on this machine. */
export type Case = CaseCommon &
  (
    | { readonly run: (server: Server) => Promise<readonly Figure[]> }
    | { readonly runCluster: (cluster: ServerCluster) => Promise<readonly Figure[]> }
  );

const value256 = new Uint8Array(256).fill(0x78);
const key = utf8ToBytes('bench/key');
const putBody = PutRequest.encode(PutRequest.create({ key, value: value256 }));
const getBody = RangeRequest.encode(RangeRequest.create({ key }));
const serializableGetBody = RangeRequest.encode(RangeRequest.create({ key, serializable: true }));

function h2loadCase(
  name: string,
  meaning: string,
  path: string,
  body: Uint8Array,
  shape: LoadShape,
  prepare?: (server: Server) => Promise<void>,
): Case {
  return {
    name,
    meaning,
    run: async (server) => {
      await prepare?.(server);
      return loadFigures(name, [await warmedLoad(server, path, body, shape)]);
    },
  };
}

/** A first short run warms both: connections, just-in-time compilers, page caches. */
async function warmedLoad(server: Server, path: string, body: Uint8Array, shape: LoadShape): Promise<LoadResult> {
  const requests = Math.max(shape.connections * shape.streams, Math.floor(shape.requests / 5));
  await runH2load(server.url, path, body, { ...shape, requests });
  return runH2load(server.url, path, body, shape);
}

/** Of loads at the same time: rates add up, latencies are those of the worst. */
function loadFigures(name: string, results: readonly LoadResult[]): Figure[] {
  return [
    { name: `${name} rate`, value: results.reduce((sum, result) => sum + result.perSecond, 0), unit: 'per second' },
    { name: `${name} p50`, value: Math.max(...results.map((result) => result.p50)), unit: 'ms' },
    { name: `${name} p99`, value: Math.max(...results.map((result) => result.p99)), unit: 'ms' },
  ];
}

/** The same call at three members: all of it at the leader, or spread evenly over all. */
function clusterCase(
  name: string,
  meaning: string,
  path: string,
  body: Uint8Array,
  shape: LoadShape,
  isSpread: boolean,
): Case {
  return {
    name,
    meaning,
    runCluster: async ({ members }) => {
      const leader = members[0] as Server;
      await putKey(leader);
      const targets = isSpread ? members : [leader];
      const share: LoadShape = {
        ...shape,
        connections: Math.ceil(shape.connections / targets.length),
        requests: Math.ceil(shape.requests / targets.length),
      };
      return loadFigures(name, await Promise.all(targets.map((member) => warmedLoad(member, path, body, share))));
    },
  };
}

function watchCase(name: string, meaning: string, watchers: number, writes: number, valueBytes?: number): Case {
  return {
    name,
    meaning,
    run: async ({ port }) => {
      // Watches live long: a first run of the same length warms both, and this loader.
      await fanOut(port, watchers, writes, valueBytes);
      const { perSecond, p99 } = await fanOut(port, watchers, writes, valueBytes);
      return [
        { name: `${name} events`, value: perSecond, unit: 'per second' },
        { name: `${name} p99`, value: p99, unit: 'ms' },
      ];
    },
  };
}

const putPath = '/etcdserverpb.KV/Put';
const rangePath = '/etcdserverpb.KV/Range';

const putKey = (server: Server) => fill(server.port, { keys: 1, prefix: 'bench/', exactKey: key, value: value256 });
const putThousand = (server: Server) => fill(server.port, { keys: 1000, prefix: 'range/', value: value256 });

const rangeBody = RangeRequest.encode(
  RangeRequest.create({ key: utf8ToBytes('range/'), rangeEnd: utf8ToBytes('range0'), limit: 1000 }),
);

const txnBody = TxnRequest.encode(
  TxnRequest.create({
    compare: [Compare.create({ result: 1, target: 2, key, modRevision: 0 })],
    success: [RequestOp.create({ requestPut: PutRequest.create({ key, value: value256 }) })],
    failure: [RequestOp.create({ requestRange: RangeRequest.create({ key }) })],
  }),
);

const leaseBody = LeaseGrantRequest.encode(LeaseGrantRequest.create({ ttl: 600 }));

const hundred: LoadShape = { connections: 100, streams: 10, requests: 100_000 };

export const cases: readonly Case[] = [
  h2loadCase('put-1', 'one client, one put at a time', putPath, putBody, {
    connections: 1,
    streams: 1,
    requests: 10_000,
  }),
  h2loadCase('put-10', '10 puts in flight on one connection', putPath, putBody, {
    connections: 1,
    streams: 10,
    requests: 50_000,
  }),
  h2loadCase('put-10x50', '10 connections of 50 puts in flight', putPath, putBody, {
    connections: 10,
    streams: 50,
    requests: 300_000,
  }),
  h2loadCase('put-1000', '10 connections of 100 puts in flight', putPath, putBody, {
    connections: 10,
    streams: 100,
    requests: 300_000,
  }),
  {
    name: 'put-varied',
    meaning: '500 puts in flight on 10 connections, 100,000 different keys',
    run: async (server) => [
      { name: 'put-varied rate', value: await putVaried(server.port, 200_000), unit: 'per second' },
    ],
  },
  h2loadCase(
    'get-10x50',
    'linearizable gets, 10 connections of 50',
    rangePath,
    getBody,
    { connections: 10, streams: 50, requests: 200_000 },
    putKey,
  ),
  h2loadCase(
    'get-serializable-10x50',
    'serializable gets, 10 connections of 50',
    rangePath,
    serializableGetBody,
    { connections: 10, streams: 50, requests: 200_000 },
    putKey,
  ),
  h2loadCase(
    'get-1',
    'one client, one linearizable get at a time',
    rangePath,
    getBody,
    { connections: 1, streams: 1, requests: 10_000 },
    putKey,
  ),
  h2loadCase(
    'range-1000',
    'ranges of 1000 keys of 256 bytes',
    rangePath,
    rangeBody,
    { connections: 4, streams: 4, requests: 3_000 },
    putThousand,
  ),
  h2loadCase(
    'txn',
    'compare and put, 10 connections of 50',
    '/etcdserverpb.KV/Txn',
    txnBody,
    { connections: 10, streams: 50, requests: 100_000 },
    putKey,
  ),
  h2loadCase('lease-grant', 'lease grants, 10 connections of 10', '/etcdserverpb.Lease/LeaseGrant', leaseBody, {
    connections: 10,
    streams: 10,
    requests: 50_000,
  }),
  {
    name: 'keepalive',
    meaning: '100 streams renewing 1000 leases',
    run: async (server) => [
      { name: 'keepalive rate', value: await keepAlive(server.port, 1000, 100_000), unit: 'per second' },
    ],
  },
  watchCase('watch-100', 'events delivered, one writer and 100 watchers of its key', 100, 2_000),
  watchCase('watch-100-4k', 'the same with values of 4 KiB', 100, 2_000, 4096),
  watchCase('watch-1000', 'events delivered, one writer and 1000 watchers of its key', 1000, 300),
  clusterCase(
    'cluster-put-1',
    'three members: one put at a time, at the leader',
    putPath,
    putBody,
    { connections: 1, streams: 1, requests: 5_000 },
    false,
  ),
  clusterCase(
    'cluster-put-100x10',
    'three members: 100 connections of 10 puts at the leader',
    putPath,
    putBody,
    hundred,
    false,
  ),
  clusterCase(
    'cluster-put-spread',
    'three members: 99 connections of 10 puts over all',
    putPath,
    putBody,
    hundred,
    true,
  ),
  clusterCase(
    'cluster-get-100x10',
    'three members: linearizable gets at the leader',
    rangePath,
    getBody,
    hundred,
    false,
  ),
  clusterCase('cluster-get-spread', 'three members: linearizable gets over all', rangePath, getBody, hundred, true),
  {
    name: 'cluster-keepalive',
    meaning: 'three members: 100 streams renewing 1000 leases at the leader',
    runCluster: async ({ members }) => {
      const { port } = members[0] as Server;
      return [{ name: 'cluster-keepalive rate', value: await keepAlive(port, 1000, 100_000), unit: 'per second' }];
    },
  },
  {
    name: 'million',
    meaning: 'memory with 1,000,000 keys of 256 bytes, and the time to start with them',
    run: async (server) => {
      await fill(server.port, { keys: 1_000_000, prefix: 'million/', value: value256 });
      await settle();
      const resident = server.residentBytes() / 2 ** 20;
      const again = await server.restart();
      const figures: Figure[] = [
        { name: 'million resident', value: resident, unit: 'MiB' },
        { name: 'million start', value: again.startMs, unit: 'ms' },
        { name: 'million resident after start', value: again.residentBytes() / 2 ** 20, unit: 'MiB' },
      ];
      await again.stop();
      return figures;
    },
  },
  {
    name: 'loop',
    meaning:
      'how late a 10 ms timer comes during a range over 1M keys, a compaction of 1M revisions, a snapshot over 1 GiB, a hash of it',
    ownOnly: true,
    run: async (server) =>
      (await measureLoopDelays(server)).flatMap(({ name, p999, max, tookMs }): Figure[] => [
        { name: `${name} delay p99.9`, value: p999, unit: 'ms' },
        { name: `${name} delay max`, value: max, unit: 'ms' },
        { name: `${name} took`, value: tookMs, unit: 'ms' },
      ]),
  },
];

/** Commits and collections that trail the load; both servers get the same time. */
const settle = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 3_000));
