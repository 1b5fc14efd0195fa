import { latin1ToBytes, utf8FromBytes, utf8ToBytes } from '@quorate/base';

/** Percent-encodes a status message for `grpc-message`: all but printable ASCII, and the percent sign. */
export function encodeGrpcMessage(message: string): string {
  if (/^[ -$&-~]*$/.test(message)) return message;
  let text = '';
  for (const byte of utf8ToBytes(message)) {
    if (byte >= 0x20 && byte <= 0x7e && byte !== 0x25) text += String.fromCharCode(byte);
    else text += `%${byte < 16 ? '0' : ''}${byte.toString(16).toUpperCase()}`;
  }
  return text;
}

/** The reverse; what is not a valid escape stays as it is. */
export function decodeGrpcMessage(text: string): string {
  if (!text.includes('%')) return text;
  const raw = text.replace(/%([0-9a-fA-F]{2})/g, (_, digits: string) =>
    String.fromCharCode(Number.parseInt(digits, 16)),
  );
  return utf8FromBytes(latin1ToBytes(raw));
}
