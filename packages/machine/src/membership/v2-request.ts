import { etcdserverpb } from '@quorate/api';
import { memberIdText } from './member.ts';
import { attributesJson } from './member-json.ts';

const versionPath = '/0/version';

/** The data of an entry of the old form, for clusters with members older than 3.5. */
export function encodeV2Attributes(
  requestId: bigint,
  memberId: bigint,
  name: string,
  clientUrls: readonly string[],
): Uint8Array {
  const path = `/0/members/${memberIdText(memberId)}/attributes`;
  return encodeV2Put(requestId, path, attributesJson(name, clientUrls));
}

/** @param version as `3.4.0`. */
export function encodeV2Version(requestId: bigint, version: string): Uint8Array {
  return encodeV2Put(requestId, versionPath, version);
}

function encodeV2Put(requestId: bigint, path: string, val: string): Uint8Array {
  return etcdserverpb.Request.encode(etcdserverpb.Request.create({ id: requestId, method: 'PUT', path, val }));
}
