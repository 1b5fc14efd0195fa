import { type AnyMessageCodec, decodeUtf8, fromJsonText, JsonError } from '@quorate/api';

/** The wire form of the message that a body's first JSON value is; nothing at all is an empty message. @throws JsonError */
export function requestFromJson(type: AnyMessageCodec, json: Uint8Array): Uint8Array {
  const text = decodeUtf8(json, 0, json.length);
  if (text === undefined) throw new JsonError('invalid UTF-8 in the JSON input');
  return type.encode(fromJsonText(type, text.trim() === '' ? '{}' : text));
}
