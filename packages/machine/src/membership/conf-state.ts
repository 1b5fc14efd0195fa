import { CodedError, utf8FromBytes, utf8ToBytes } from '@quorate/base';
import type { ConfState } from '@quorate/storage';
import { type JsonObject, type JsonValue, jsonField, parseJson } from './json.ts';

/*
 * Raft's configuration as bucket `meta` has it under `confState`; empty lists are left out, and 3.7 leaves out auto_leave when it is false:
 *
 *   {"voters":[14138984027333314880],"learners":[1],"voters_outgoing":[],"learners_next":[],"auto_leave":false}
 */

export function encodeConfStateJson(state: ConfState): Uint8Array {
  const lists: [string, readonly bigint[]][] = [
    ['voters', state.voters],
    ['learners', state.learners],
    ['voters_outgoing', state.votersOutgoing],
    ['learners_next', state.learnersNext],
  ];
  const parts = lists.filter(([, ids]) => ids.length > 0).map(([name, ids]) => `"${name}":[${ids.join(',')}]`);
  parts.push(`"auto_leave":${state.autoLeave}`);
  return utf8ToBytes(`{${parts.join(',')}}`);
}

export type ConfStateJsonError = CodedError<'membership/bad-conf-state'>;

/** @throws {ConfStateJsonError} */
export function decodeConfStateJson(bytes: Uint8Array): ConfState {
  const text = utf8FromBytes(bytes);
  try {
    const value = parseJson(text);
    if (value instanceof Map) {
      return {
        voters: idsOf(value, 'voters'),
        learners: idsOf(value, 'learners'),
        votersOutgoing: idsOf(value, 'voters_outgoing'),
        learnersNext: idsOf(value, 'learners_next'),
        autoLeave: jsonField(value, 'auto_leave') === true,
      };
    }
  } catch (cause) {
    throw new CodedError('membership/bad-conf-state', `stored configuration is malformed: ${text}`, { cause });
  }
  throw new CodedError('membership/bad-conf-state', `stored configuration is malformed: ${text}`);
}

function idsOf(object: JsonObject, name: string): bigint[] {
  const ids: JsonValue = jsonField(object, name) ?? [];
  if (!Array.isArray(ids)) throw new TypeError(`${name} is no array`);
  return ids.map((id) => {
    if (typeof id !== 'bigint') throw new TypeError(`${name} holds something else than ids`);
    return id;
  });
}
