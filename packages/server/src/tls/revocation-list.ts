import { CodedError } from '@quorate/base';
import { type DerValue, readValue, tags } from './der.ts';

/**
 * The serial numbers in a certificate revocation list (RFC 5280, section 5.1), in upper-case hexadecimal without leading zeros.
 *
 *     CertificateList { TBSCertList { [version], signature, issuer, thisUpdate, [nextUpdate],
 *                                     [revokedCertificates { { serial, date, … } … }], … }, algorithm, signature }
 *
 * Only what stands here is read: as in etcd nobody checks who signed the list.
 * @throws CodedError tls/crl
 */
export function revokedSerials(bytes: Uint8Array): ReadonlySet<string> {
  const list = expect(readValue(bytes, 0, bytes.length), tags.sequence);
  const body = expect(readValue(bytes, list.start, list.end), tags.sequence);
  const serials = new Set<string>();
  let next = readValue(bytes, body.start, body.end);
  if (next?.tag === tags.integer) next = after(bytes, next, body.end);
  const signature = expect(next, tags.sequence);
  const issuer = expect(after(bytes, signature, body.end), tags.sequence);
  const thisUpdate = expectTime(after(bytes, issuer, body.end));
  next = after(bytes, thisUpdate, body.end);
  if (next !== undefined && isTime(next)) next = after(bytes, next, body.end);
  if (next?.tag !== tags.sequence) return serials;
  for (let offset = next.start; offset < next.end; ) {
    const entry = expect(readValue(bytes, offset, next.end), tags.sequence);
    const serial = expect(readValue(bytes, entry.start, entry.end), tags.integer);
    serials.add(serialText(Buffer.from(bytes.subarray(serial.start, serial.end)).toString('hex')));
    offset = entry.end;
  }
  return serials;
}

/** A serial number in hexadecimal in the one form that is compared. */
export function serialText(hex: string): string {
  return hex.replace(/^0+(?=.)/, '').toUpperCase();
}

function after(bytes: Uint8Array, value: DerValue, end: number): DerValue | undefined {
  return value.end >= end ? undefined : readValue(bytes, value.end, end);
}

function isTime({ tag }: DerValue): boolean {
  return tag === tags.utcTime || tag === tags.generalizedTime;
}

function expectTime(value: DerValue | undefined): DerValue {
  if (value === undefined || !isTime(value)) throw malformed();
  return value;
}

function expect(value: DerValue | undefined, tag: number): DerValue {
  if (value?.tag !== tag) throw malformed();
  return value;
}

function malformed(): CodedError<'tls/crl'> {
  return new CodedError('tls/crl', 'x509: malformed crl');
}
