import { CodedError, utf8FromBytes, utf8ToBytes } from '@quorate/base';
import { type JsonObject, type JsonValue, jsonField, jsonString, jsonStrings, parseJson } from './json.ts';
import type { Member } from './member.ts';

/*
 * A member as it stands in bucket `members`, in the context of a ConfChange and in the answer to GET /members. The order is fixed;
 * isLearner, name and clientURLs are left out when false or empty; no peer URLs at all (a promotion) are null:
 *
 *   {"id":14138984027333314880,"peerURLs":["http://10.0.0.1:2380"],"isLearner":true,"name":"a","clientURLs":["http://10.0.0.1:2379"]}
 *
 * A promotion has `,"isPromote":true` at the end.
 */

export function memberJson(member: Member, isPromotion = false): string {
  const peerUrls = isPromotion && member.peerUrls.length === 0 ? 'null' : jsonStrings(member.peerUrls);
  let text = `{"id":${member.id},"peerURLs":${peerUrls}`;
  if (member.isLearner) text += ',"isLearner":true';
  if (member.name !== '') text += `,"name":${jsonString(member.name)}`;
  if (member.clientUrls.length > 0) text += `,"clientURLs":${jsonStrings(member.clientUrls)}`;
  return `${text}${isPromotion ? ',"isPromote":true' : ''}}`;
}

/** The bytes of {@link memberJson}: a value of bucket `members`, the context of an add or update. */
export function encodeMember(member: Member): Uint8Array {
  return utf8ToBytes(memberJson(member));
}

/** The context of a ConfChange that makes a learner a voter. */
export function encodePromotion(id: bigint): Uint8Array {
  return utf8ToBytes(memberJson({ id, name: '', peerUrls: [], clientUrls: [], isLearner: false }, true));
}

/** The answer to GET /members on the peer port, without its closing line feed. */
export function membersJson(members: readonly Member[]): string {
  return `[${members.map((member) => memberJson(member)).join(',')}]`;
}

export interface MemberContext {
  readonly member: Member;
  readonly isPromotion: boolean;
}

export type MemberJsonError = CodedError<'membership/bad-json'>;

/** @throws {MemberJsonError} */
export function decodeMember(bytes: Uint8Array): Member {
  return decodeMemberContext(bytes).member;
}

/** @throws {MemberJsonError} */
export function decodeMemberContext(bytes: Uint8Array): MemberContext {
  const object = parsed(bytes);
  return { member: memberOf(object), isPromotion: jsonField(object, 'isPromote') === true };
}

/** Reads the answer to GET /members. @throws {MemberJsonError} */
export function decodeMembers(bytes: Uint8Array): Member[] {
  const array = parsedValue(bytes);
  if (!Array.isArray(array)) throw bad('not an array');
  return array.map((value) => {
    if (!(value instanceof Map)) throw bad('a member is no object');
    return memberOf(value);
  });
}

/** The value of `/0/members/<id>/attributes` in the v2 store: `{"name":"a","clientURLs":[...]}`. */
export function attributesJson(name: string, clientUrls: readonly string[]): string {
  const parts: string[] = [];
  if (name !== '') parts.push(`"name":${jsonString(name)}`);
  if (clientUrls.length > 0) parts.push(`"clientURLs":${jsonStrings(clientUrls)}`);
  return `{${parts.join(',')}}`;
}

/** @throws {MemberJsonError} */
export function parseAttributes(text: string): { readonly name: string; readonly clientUrls: string[] } {
  const object = parsed(utf8ToBytes(text));
  return { name: textField(object, 'name'), clientUrls: textsField(object, 'clientURLs') };
}

/** The value of `/0/members/<id>/raftAttributes` in the v2 store. */
export function raftAttributesJson(member: Member): string {
  return `{"peerURLs":${jsonStrings(member.peerUrls)}${member.isLearner ? ',"isLearner":true' : ''}}`;
}

/** @throws {MemberJsonError} */
export function parseRaftAttributes(text: string): { readonly peerUrls: string[]; readonly isLearner: boolean } {
  const object = parsed(utf8ToBytes(text));
  return { peerUrls: textsField(object, 'peerURLs'), isLearner: jsonField(object, 'isLearner') === true };
}

function memberOf(object: JsonObject): Member {
  const id = jsonField(object, 'id') ?? 0n;
  if (typeof id !== 'bigint' || id < 0n || id > 0xffff_ffff_ffff_ffffn) throw bad('bad id');
  return {
    id,
    name: textField(object, 'name'),
    peerUrls: textsField(object, 'peerURLs'),
    clientUrls: textsField(object, 'clientURLs'),
    isLearner: jsonField(object, 'isLearner') === true,
  };
}

function textField(object: JsonObject, name: string): string {
  const value = jsonField(object, name) ?? '';
  if (typeof value !== 'string') throw bad(`${name} is no string`);
  return value;
}

function textsField(object: JsonObject, name: string): string[] {
  const value = jsonField(object, name) ?? [];
  if (!Array.isArray(value)) throw bad(`${name} is no array`);
  return value.map((item) => {
    if (typeof item !== 'string') throw bad(`${name} holds something else than strings`);
    return item;
  });
}

function parsed(bytes: Uint8Array): JsonObject {
  const value = parsedValue(bytes);
  if (!(value instanceof Map)) throw bad('not an object');
  return value;
}

function parsedValue(bytes: Uint8Array): JsonValue {
  try {
    return parseJson(utf8FromBytes(bytes));
  } catch (cause) {
    throw bad('not JSON', cause);
  }
}

function bad(what: string, cause?: unknown): MemberJsonError {
  return new CodedError('membership/bad-json', `bad member JSON: ${what}`, { cause });
}
