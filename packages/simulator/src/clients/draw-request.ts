import { etcdserverpb } from '@quorate/api';
import { nextBelow, type Random, utf8ToBytes } from '@quorate/base';
import type { KeyValueRequest } from '../history/history.ts';
import type { WriteTaste } from '../scenario.ts';
import { chance, pick } from '../world/random-sources.ts';
import { allKeys, keyPrefix, keyPrefixEnd } from './key-space.ts';

/** What a client knows that draws a request. */
export interface Knowledge {
  /** The newest revision it has seen. */
  readonly revision: number;
  /** The newest modification of a key that it has seen, if any. */
  modRevision(key: string): number | undefined;
  readonly taste: WriteTaste;
  /** A value that nobody wrote before. */
  uniqueValue(): string;
}

/** Of values: most are small, a few fill several pages. */
const bigValueBytes = 6_000;
const bigValueRate: Readonly<Record<WriteTaste, number>> = { usual: 0.02, big: 0.4, wide: 0.02 };
/** Of requests, for clients that like to write several keys at once. */
const wideRate = 0.3;

const { CompareResult, CompareTarget, Compare, DeleteRangeRequest, PutRequest, RangeRequest, RequestOp, TxnRequest } =
  etcdserverpb;

/** A request such as clients make: puts, reads of all kinds, deletes, transactions that compare and swap, now and then a compaction. */
export function drawRequest(random: Random, known: Knowledge): KeyValueRequest {
  if (known.taste === 'wide' && chance(random, wideRate)) return { method: 'txn', message: drawWide(random, known) };
  const dice = nextBelow(random, 100);
  if (dice < 32) return { method: 'put', message: drawPut(random, known) };
  if (dice < 60) return { method: 'range', message: drawRange(random, known, true) };
  if (dice < 68) return { method: 'delete', message: drawDelete(random) };
  if (dice < 98) return { method: 'txn', message: drawTransaction(random, known) };
  return { method: 'compact', message: drawCompaction(random, known) };
}

/** Of a client that only reads, and so goes on at a member that is cut off. */
export function drawRead(random: Random, known: Knowledge): KeyValueRequest {
  return { method: 'range', message: drawRange(random, known, true) };
}

function drawPut(random: Random, known: Knowledge): etcdserverpb.PutRequest {
  const value = known.uniqueValue();
  const padded = chance(random, bigValueRate[known.taste]) ? value.padEnd(bigValueBytes, '.') : value;
  return PutRequest.create({
    key: utf8ToBytes(pick(random, allKeys)),
    value: utf8ToBytes(padded),
    prevKv: chance(random, 0.3),
  });
}

function drawRange(random: Random, known: Knowledge, mayBeOld: boolean): etcdserverpb.RangeRequest {
  const isPrefix = chance(random, 0.3);
  const isOld = mayBeOld && chance(random, 0.15);
  return RangeRequest.create({
    key: isPrefix ? keyPrefix : utf8ToBytes(pick(random, allKeys)),
    rangeEnd: isPrefix ? keyPrefixEnd : new Uint8Array(0),
    limit: chance(random, 0.1) ? 1 + nextBelow(random, 4) : 0,
    revision: isOld ? Math.max(0, known.revision - nextBelow(random, 30)) : 0,
    serializable: chance(random, 0.3),
    keysOnly: chance(random, 0.1),
    countOnly: chance(random, 0.05),
  });
}

function drawDelete(random: Random): etcdserverpb.DeleteRangeRequest {
  const isPrefix = chance(random, 0.1);
  return DeleteRangeRequest.create({
    key: isPrefix ? keyPrefix : utf8ToBytes(pick(random, allKeys)),
    rangeEnd: isPrefix ? keyPrefixEnd : new Uint8Array(0),
    prevKv: chance(random, 0.3),
  });
}

function drawTransaction(random: Random, known: Knowledge): etcdserverpb.TxnRequest {
  const key = pick(random, allKeys);
  const modRevision = known.modRevision(key) ?? 0;
  const swap = RequestOp.create({
    requestPut: PutRequest.create({ key: utf8ToBytes(key), value: utf8ToBytes(known.uniqueValue()) }),
  });
  const read = RequestOp.create({ requestRange: RangeRequest.create({ key: utf8ToBytes(key) }) });
  const compare = [
    Compare.create({
      result: CompareResult.EQUAL,
      target: CompareTarget.MOD,
      key: utf8ToBytes(key),
      modRevision,
    }),
  ];
  // Most compare and swap; the others do several things, some in a transaction inside.
  if (chance(random, 0.6)) return TxnRequest.create({ compare, success: [swap], failure: [read] });
  const others = allKeys.filter((other) => other !== key);
  const inner = TxnRequest.create({ compare, success: [drawOperation(random, known, others)], failure: [read] });
  return TxnRequest.create({
    compare: chance(random, 0.5) ? compare : [],
    success: [swap, ...(chance(random, 0.5) ? [RequestOp.create({ requestTxn: inner })] : [])],
    failure: [drawOperation(random, known, others), read],
  });
}

/** Puts of several keys. */
function drawWide(random: Random, known: Knowledge): etcdserverpb.TxnRequest {
  const first = nextBelow(random, allKeys.length - 1);
  const keys = allKeys.slice(first, first + 2 + nextBelow(random, 3));
  const put = (key: string) =>
    RequestOp.create({
      requestPut: PutRequest.create({ key: utf8ToBytes(key), value: utf8ToBytes(known.uniqueValue()) }),
    });
  return TxnRequest.create({ success: keys.map(put) });
}

function drawOperation(random: Random, known: Knowledge, keys: readonly string[]): etcdserverpb.RequestOp {
  const key = utf8ToBytes(pick(random, keys));
  switch (nextBelow(random, 3)) {
    case 0:
      return RequestOp.create({ requestPut: PutRequest.create({ key, value: utf8ToBytes(known.uniqueValue()) }) });
    case 1:
      return RequestOp.create({ requestDeleteRange: DeleteRangeRequest.create({ key, prevKv: true }) });
    default:
      return RequestOp.create({ requestRange: drawInnerRange(random, known) });
  }
}

/** Some at a revision that is compacted or not there yet, which fails the whole transaction. */
function drawInnerRange(random: Random, known: Knowledge): etcdserverpb.RangeRequest {
  const range = drawRange(random, known, true);
  return chance(random, 0.1) ? { ...range, revision: known.revision + nextBelow(random, 5) } : range;
}

function drawCompaction(random: Random, known: Knowledge): etcdserverpb.CompactionRequest {
  return etcdserverpb.CompactionRequest.create({
    revision: Math.max(1, chance(random, 0.3) ? known.revision : known.revision - nextBelow(random, 50)),
    physical: chance(random, 0.2),
  });
}
