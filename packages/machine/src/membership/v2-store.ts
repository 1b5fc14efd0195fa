import { CodedError, utf8FromBytes, utf8ToBytes } from '@quorate/base';
import type { MembershipState } from './cluster.ts';
import { type JsonObject, type JsonValue, jsonString, parseJson } from './json.ts';
import { compareIds, type Member, memberIdFromText, memberIdText } from './member.ts';
import { attributesJson, parseAttributes, parseRaftAttributes, raftAttributesJson } from './member-json.ts';

/*
 * The data of a raft snapshot, in the file and on its way to a peer, is a JSON tree of the store of etcd 2. Members of 3.4 and 3.5
 * take the membership from it; later ones only want it to be valid:
 *
 *   {"Root":NODE,"CurrentIndex":n,"CurrentVersion":2}
 *   NODE = {"Path":"/0/members","CreatedIndex":1,"ModifiedIndex":1,"ExpireTime":"0001-01-01T00:00:00Z","Value":"","Children":{...}|null}
 *
 *   /0/members/<id>/raftAttributes   {"peerURLs":[...],"isLearner":true}
 *   /0/members/<id>/attributes       {"name":"a","clientURLs":[...]}      once the member has told them
 *   /0/removed_members/<id>          empty
 *   /0/version                       3.4.0                                once decided
 *   /1                               empty directory
 */

/** A directory, or the text of a leaf. */
type Tree = string | ReadonlyMap<string, Tree>;

/** The order of Go's encoder: names in byte order (they are ASCII). */
function nodeJson(path: string, tree: Tree): string {
  const head = `{"Path":${jsonString(path)},"CreatedIndex":1,"ModifiedIndex":1,"ExpireTime":"0001-01-01T00:00:00Z"`;
  if (typeof tree === 'string') return `${head},"Value":${jsonString(tree)},"Children":null}`;
  const children = [...tree.entries()]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, child]) => `${jsonString(name)}:${nodeJson(path === '/' ? `/${name}` : `${path}/${name}`, child)}`);
  return `${head},"Value":"","Children":{${children.join(',')}}}`;
}

/** The data of a snapshot of this membership. */
export function encodeV2Store(state: MembershipState): Uint8Array {
  const members = new Map<string, Tree>();
  for (const member of state.members) {
    const leaves = new Map<string, Tree>([['raftAttributes', raftAttributesJson(member)]]);
    if (member.name !== '' || member.clientUrls.length > 0)
      leaves.set('attributes', attributesJson(member.name, member.clientUrls));
    members.set(memberIdText(member.id), leaves);
  }
  const cluster = new Map<string, Tree>([['members', members]]);
  cluster.set('removed_members', new Map(state.removedIds.map((id) => [memberIdText(id), ''])));
  if (state.version !== undefined) cluster.set('version', state.version);
  const root = new Map<string, Tree>([
    ['0', cluster],
    ['1', new Map()],
  ]);
  return utf8ToBytes(`{"Root":${nodeJson('/', root)},"CurrentIndex":2,"CurrentVersion":2}`);
}

export type V2StoreError = CodedError<'membership/bad-v2-store'>;

function bad(what: string, cause?: unknown): V2StoreError {
  return new CodedError('membership/bad-v2-store', `failed to recover v2 store: ${what}`, { cause });
}

/**
 * The membership in the data of a snapshot.
 * @throws {V2StoreError} when it is malformed or holds anything but the membership (content of the v2 API)
 */
export function decodeV2Store(data: Uint8Array): MembershipState {
  const root = childrenOf(objectOf(rootOf(data).get('Root'), 'Root'), '/');
  const cluster = directory(root, '0');
  for (const name of root.keys()) {
    if (name !== '0' && hasContent(root.get(name))) throw bad(`illegal v2store content under /${name}`);
  }
  const members: Member[] = [];
  for (const [name, node] of directory(cluster, 'members')) members.push(memberOf(name, node));
  const removedIds = [...directory(cluster, 'removed_members').keys()].map(idOf);
  const version = cluster.get('version');
  return {
    members: members.sort((a, b) => compareIds(a.id, b.id)),
    removedIds: removedIds.sort(compareIds),
    version: version === undefined ? undefined : textOf(version),
  };
}

function rootOf(data: Uint8Array): JsonObject {
  let value: JsonValue;
  try {
    value = parseJson(utf8FromBytes(data));
  } catch (cause) {
    throw bad('not JSON', cause);
  }
  return objectOf(value, 'store');
}

function memberOf(idText: string, node: JsonValue): Member {
  const leaves = childrenOf(objectOf(node, idText), idText);
  let raft: { readonly peerUrls: string[]; readonly isLearner: boolean } | undefined;
  let attributes: { readonly name: string; readonly clientUrls: string[] } = { name: '', clientUrls: [] };
  for (const [name, leaf] of leaves) {
    try {
      if (name === 'raftAttributes') raft = parseRaftAttributes(textOf(leaf));
      else if (name === 'attributes') attributes = parseAttributes(textOf(leaf));
      else throw bad(`unknown child ${name} of member ${idText}`);
    } catch (cause) {
      throw bad(`member ${idText}`, cause);
    }
  }
  if (raft === undefined) throw bad(`member ${idText} has no raftAttributes`);
  return { id: idOf(idText), ...raft, ...attributes };
}

function idOf(text: string): bigint {
  const id = memberIdFromText(text);
  if (id === undefined) throw bad(`${text} is no member id`);
  return id;
}

function objectOf(value: JsonValue | undefined, what: string): JsonObject {
  if (!(value instanceof Map)) throw bad(`${what} is no object`);
  return value;
}

function childrenOf(node: JsonObject, what: string): JsonObject {
  const children = node.get('Children');
  return children === null || children === undefined ? new Map() : objectOf(children, `Children of ${what}`);
}

/** The children of a directory; none when it is missing. */
function directory(parent: JsonObject, name: string): JsonObject {
  const node = parent.get(name);
  return node === undefined ? new Map() : childrenOf(objectOf(node, name), name);
}

function textOf(node: JsonValue): string {
  const value = objectOf(node, 'leaf').get('Value');
  if (typeof value !== 'string') throw bad('a leaf has no value');
  return value;
}

/** Whether there is any leaf below; empty directories are left behind by old versions. */
function hasContent(node: JsonValue | undefined): boolean {
  const object = objectOf(node, 'node');
  if (object.get('Children') === null) return true;
  for (const child of childrenOf(object, 'node').values()) if (hasContent(child)) return true;
  return false;
}
