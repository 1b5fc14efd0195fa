import { type KeyObject, randomBytes, sign } from 'node:crypto';
import { isIP } from 'node:net';
import { bitString, der, integer, objectId, sequence, tags, time } from './der.ts';

/** Names as certificates write them, in this order. */
export interface DistinguishedName {
  readonly organization?: string;
  readonly commonName?: string;
}

export interface CertificateFields {
  readonly subject: DistinguishedName;
  readonly publicKey: KeyObject;
  readonly notBefore: Date;
  readonly notAfter: Date;
  /** Host names and IP addresses it is valid for. */
  readonly hosts: readonly string[];
  readonly isAuthority: boolean;
  readonly usages: readonly ('server' | 'client')[];
  /** Big-endian; a random one of 128 bits when left out. */
  readonly serialNumber?: Uint8Array;
}

/** Who signs: the key of an authority, EC on P-256 or P-521, and its name. */
export interface Issuer {
  readonly name: DistinguishedName;
  readonly privateKey: KeyObject;
}

const ids = {
  organization: '2.5.4.10',
  commonName: '2.5.4.3',
  keyUsage: '2.5.29.15',
  subjectAlternativeName: '2.5.29.17',
  basicConstraints: '2.5.29.19',
  extendedKeyUsage: '2.5.29.37',
  server: '1.3.6.1.5.5.7.3.1',
  client: '1.3.6.1.5.5.7.3.2',
  ecdsaWithSha256: '1.2.840.10045.4.3.2',
  ecdsaWithSha512: '1.2.840.10045.4.3.4',
} as const;

/** digitalSignature, keyEncipherment; an authority also signs certificates and revocation lists. */
const leafKeyUsage = { byte: 0xa0, unusedBits: 5 };
const authorityKeyUsage = { byte: 0xa6, unusedBits: 1 };

/** Makes an X.509 certificate (RFC 5280, section 4.1). @returns PEM */
export function writeCertificate(fields: CertificateFields, issuer: Issuer): string {
  const body = sequence(
    der(0xa0, integer(Buffer.of(2))),
    integer(fields.serialNumber ?? randomBytes(16)),
    algorithm(issuer),
    nameOf(issuer.name),
    sequence(time(fields.notBefore), time(fields.notAfter)),
    nameOf(fields.subject),
    fields.publicKey.export({ type: 'spki', format: 'der' }),
    der(0xa3, sequence(...extensions(fields))),
  );
  return pem('CERTIFICATE', signed(body, issuer));
}

/** Makes a certificate revocation list (RFC 5280, section 5.1). @returns DER */
export function writeRevocationList(serialNumbers: readonly Uint8Array[], issuer: Issuer, thisUpdate: Date): Buffer {
  const entries = serialNumbers.map((serial) => sequence(integer(serial), time(thisUpdate)));
  const body = sequence(
    integer(Buffer.of(1)),
    algorithm(issuer),
    nameOf(issuer.name),
    time(thisUpdate),
    ...(entries.length === 0 ? [] : [sequence(...entries)]),
  );
  return signed(body, issuer);
}

function signed(body: Buffer, issuer: Issuer): Buffer {
  return sequence(body, algorithm(issuer), bitString(sign(digestOf(issuer), body, issuer.privateKey)));
}

function digestOf({ privateKey }: Issuer): 'sha256' | 'sha512' {
  return privateKey.asymmetricKeyDetails?.namedCurve === 'secp521r1' ? 'sha512' : 'sha256';
}

function algorithm(issuer: Issuer): Buffer {
  return sequence(objectId(digestOf(issuer) === 'sha512' ? ids.ecdsaWithSha512 : ids.ecdsaWithSha256));
}

function nameOf({ organization, commonName }: DistinguishedName): Buffer {
  const attribute = (id: string, value: string | undefined) =>
    value === undefined ? [] : [der(tags.set, sequence(objectId(id), der(tags.utf8String, Buffer.from(value))))];
  return sequence(...attribute(ids.organization, organization), ...attribute(ids.commonName, commonName));
}

function extensions({ hosts, isAuthority, usages }: CertificateFields): Buffer[] {
  const usage = isAuthority ? authorityKeyUsage : leafKeyUsage;
  const isTrue = der(tags.boolean, Buffer.of(0xff));
  const made = [
    extension(ids.keyUsage, true, bitString(Buffer.of(usage.byte), usage.unusedBits)),
    extension(ids.basicConstraints, true, sequence(...(isAuthority ? [isTrue] : []))),
  ];
  if (usages.length > 0) {
    made.push(extension(ids.extendedKeyUsage, false, sequence(...usages.map((name) => objectId(ids[name])))));
  }
  if (hosts.length > 0)
    made.push(extension(ids.subjectAlternativeName, false, sequence(...hosts.map(alternativeName))));
  return made;
}

function extension(id: string, isCritical: boolean, value: Uint8Array): Buffer {
  const critical = isCritical ? [der(tags.boolean, Buffer.of(0xff))] : [];
  return sequence(objectId(id), ...critical, der(tags.octetString, value));
}

function alternativeName(host: string): Buffer {
  return isIP(host) === 0 ? der(0x82, Buffer.from(host)) : der(0x87, addressBytes(host));
}

function addressBytes(address: string): Buffer {
  if (isIP(address) === 4) return Buffer.from(address.split('.').map(Number));
  // The URL parser writes IPv6 in one form, with at most one gap.
  const plain = new URL(`http://[${address}]`).hostname.slice(1, -1);
  const [head = '', tail] = plain.split('::');
  const groupsOf = (text: string | undefined) => (text === undefined || text === '' ? [] : text.split(':'));
  const [before, behind] = [groupsOf(head), groupsOf(tail)];
  const groups = [...before, ...Array<string>(8 - before.length - behind.length).fill('0'), ...behind];
  return Buffer.from(groups.map((group) => group.padStart(4, '0')).join(''), 'hex');
}

function pem(label: string, bytes: Buffer): string {
  const lines = bytes.toString('base64').match(/.{1,64}/g) ?? [];
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`;
}
