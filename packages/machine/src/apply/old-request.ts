import { cursor, etcdserverpb, readLength, readTag, skipField } from '@quorate/api';
import { CodedError, latin1FromBytes } from '@quorate/base';
import type { MembershipMachine } from './types.ts';

const methods: ReadonlySet<string> = new Set(['PUT', 'POST', 'SYNC', 'DELETE', 'QGET', 'GET', 'HEAD']);
const attributesPath = /^\/0\/members\/([0-9a-f]{1,16})\/attributes$/;
const versionPath = '/0/version';

/**
 * The request of the version 2 store in an entry, if it is one: logs of 3.4 and 3.5 have member attributes and the cluster version in
 * that form. Field 2 is then the method; in an InternalRaftRequest of those releases it is a whole Request.
 */
export function readOldRequest(data: Uint8Array): etcdserverpb.Request | undefined {
  for (let position = 0; position < data.length; ) {
    const tag = readTag(data, position, data.length);
    if (tag !== 0x12) {
      position = skipField(data, cursor.position, data.length, tag);
      continue;
    }
    const length = readLength(data, cursor.position, data.length);
    const start = cursor.position;
    if (methods.has(latin1FromBytes(data, start, start + Math.min(length, 8))))
      return etcdserverpb.Request.decode(data);
    return etcdserverpb.Request.decode(data, start, start + length);
  }
  return undefined;
}

/**
 * Passes an old request on to membership. Others than those two never come from a server that speaks version 3.
 * @returns false for such another one.
 */
export function applyOldRequest(request: etcdserverpb.Request, membership: MembershipMachine): boolean {
  if (request.method !== 'PUT') return false;
  if (request.path === versionPath) {
    membership.setClusterVersion(request.val);
    return true;
  }
  const member = attributesPath.exec(request.path)?.[1];
  if (member === undefined) return false;
  const { name, clientUrls } = parseAttributes(request.val);
  membership.setAttributes(BigInt(`0x${member}`), name, clientUrls);
  return true;
}

/** `{"name":"…","clientURLs":["…"]}`, both may be missing. */
function parseAttributes(text: string): { name: string; clientUrls: string[] } {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch (cause) {
    throw new CodedError('apply/bad-entry', `member attributes are not JSON: ${text}`, { cause });
  }
  const { name, clientURLs } = (parsed ?? {}) as { name?: unknown; clientURLs?: unknown };
  return {
    name: typeof name === 'string' ? name : '',
    clientUrls: Array.isArray(clientURLs) ? clientURLs.filter((url): url is string => typeof url === 'string') : [],
  };
}
