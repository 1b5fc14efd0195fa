import { etcdserverpb } from '@quorate/api';
import { compareBytes, utf8ToBytes, writeUint32BE } from '@quorate/base';

/** A member of the cluster. Never changed in place. */
export interface Member {
  readonly id: bigint;
  /** Empty until the member has started once. */
  readonly name: string;
  readonly peerUrls: readonly string[];
  readonly clientUrls: readonly string[];
  readonly isLearner: boolean;
}

/** The member as an answer of the cluster service holds it. */
export function memberMessage(member: Member): etcdserverpb.Member {
  const { id, name, isLearner } = member;
  return etcdserverpb.Member.create({
    id,
    name,
    peerUrls: [...member.peerUrls],
    clientUrls: [...member.clientUrls],
    isLearner,
  });
}

export type Sha1 = (bytes: Uint8Array) => Uint8Array;

/** A member that has told its name. */
export function isStarted(member: Member): boolean {
  return member.name !== '';
}

/** As in bucket keys, paths and log lines: lower-case hexadecimal, not padded. */
export function memberIdText(id: bigint): string {
  return id.toString(16);
}

/** The id in such a text; undefined when it is none. */
export function memberIdFromText(text: string): bigint | undefined {
  return /^[0-9a-f]{1,16}$/i.test(text) ? BigInt(`0x${text}`) : undefined;
}

function firstUint64(digest: Uint8Array): bigint {
  let value = 0n;
  for (let i = 0; i < 8; i++) value = (value << 8n) | BigInt(digest[i] as number);
  return value;
}

/**
 * SHA-1 over the sorted peer URLs and the token, and for a member added at run time (its token is empty) the time in seconds.
 * @returns the first 8 bytes, big-endian.
 */
export function makeMemberId(sha1: Sha1, peerUrls: readonly string[], token: string, unixSeconds?: number): bigint {
  const time = unixSeconds === undefined ? '' : String(Math.trunc(unixSeconds));
  return firstUint64(sha1(utf8ToBytes(sortedUrls(peerUrls).join('') + token + time)));
}

/** SHA-1 over the big-endian ids in ascending order; the first 8 bytes, big-endian. */
export function makeClusterId(sha1: Sha1, memberIds: readonly bigint[]): bigint {
  const ids = [...memberIds].sort(compareIds);
  const bytes = new Uint8Array(8 * ids.length);
  ids.forEach((id, i) => {
    writeUint32BE(Number(id >> 32n), bytes, 8 * i);
    writeUint32BE(Number(id & 0xffff_ffffn), bytes, 8 * i + 4);
  });
  return firstUint64(sha1(bytes));
}

export function compareIds(a: bigint, b: bigint): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** In byte order, as Go sorts strings. */
export function sortedUrls(urls: readonly string[]): string[] {
  return [...urls].sort((a, b) => compareBytes(utf8ToBytes(a), utf8ToBytes(b)));
}
