import { CodedError, utf8FromBytes } from '@quorate/base';
import type { PeerHash, PeerVersion } from '../peer-client.ts';
import { formatTime, parseTime } from './rfc3339.ts';

/*
 * The JSON that members show each other, in Go's form: order of the fields, and what is left out when zero. Lists of members are in
 * the machine (`membersJson`), since they are also written into the log.
 */

/** What a version is called as long as the cluster has not decided it. */
const undecided = 'not_decided';

export function versionJson(server: string, cluster: string | undefined, storage: string | undefined): string {
  return `{"etcdserver":"${server}","etcdcluster":"${cluster ?? undecided}","storage":"${storage ?? 'unknown'}"}`;
}

/** @throws CodedError peer/bad-answer */
export function parseVersionJson(body: Uint8Array): PeerVersion {
  const { etcdserver: server, etcdcluster: cluster } = parseObject(body);
  if (typeof server !== 'string') throw badAnswer('a version without etcdserver');
  const isDecided = typeof cluster === 'string' && cluster !== '' && cluster !== undecided;
  return { server, cluster: isDecided ? cluster : undefined };
}

/** The question for a hash; revision 0 is the current one. */
export function hashRequestJson(revision: number): string {
  return revision === 0 ? '{}' : `{"revision":${revision}}`;
}

/** The revision asked for; undefined when it is no such question. */
export function parseHashRequest(body: Uint8Array): number | undefined {
  try {
    return optionalCount(parseObject(body), 'revision');
  } catch {
    return undefined;
  }
}

export function hashJson(answer: PeerHash & { readonly currentRevision: number }): string {
  const { currentRevision, hash, compactRevision, hashRevision } = answer;
  const fields = [
    `"header":{${currentRevision === 0 ? '' : `"revision":${currentRevision}`}}`,
    ...Object.entries({ hash, compact_revision: compactRevision, hash_revision: hashRevision })
      .filter(([, value]) => value !== 0)
      .map(([name, value]) => `"${name}":${value}`),
  ];
  return `{${fields.join(',')}}`;
}

/** @throws CodedError peer/bad-answer */
export function parseHashJson(body: Uint8Array): PeerHash {
  const answer = parseObject(body);
  const header = answer.header ?? {};
  if (typeof header !== 'object') throw badAnswer('a hash with a header that is no object');
  return {
    revision: optionalCount(header as JsonObject, 'revision'),
    hash: optionalCount(answer, 'hash'),
    compactRevision: optionalCount(answer, 'compact_revision'),
    hashRevision: optionalCount(answer, 'hash_revision'),
  };
}

export function probeJson(wallMs: number): string {
  return `{"OK":true,"Now":"${formatTime(wallMs)}"}`;
}

export interface Probe {
  readonly isOk: boolean;
  /** Of the member's clock; undefined when it did not say. */
  readonly wallMs: number | undefined;
}

/** @throws CodedError peer/bad-answer */
export function parseProbeJson(body: Uint8Array): Probe {
  const { OK: isOk, Now: now } = parseObject(body);
  return { isOk: isOk === true, wallMs: typeof now === 'string' ? parseTime(now) : undefined };
}

export function badAnswer(what: string, cause?: unknown): CodedError<'peer/bad-answer'> {
  return new CodedError('peer/bad-answer', what, cause === undefined ? {} : { cause });
}

type JsonObject = Readonly<Record<string, unknown>>;

/** Ids lose their last digits here: only for what holds none that are looked at. */
function parseObject(body: Uint8Array): JsonObject {
  let value: unknown;
  try {
    value = JSON.parse(utf8FromBytes(body));
  } catch (cause) {
    throw badAnswer('not JSON', cause);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw badAnswer('not a JSON object');
  return value as JsonObject;
}

/** An integer that is left out when 0; -1 stands for "none". */
function optionalCount(object: JsonObject, name: string): number {
  const value = object[name] ?? 0;
  if (!Number.isSafeInteger(value) || (value as number) < -1) throw badAnswer(`${name} is no count`);
  return value as number;
}
