import 'reflect-metadata';
import { webcrypto } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { join } from 'node:path';
import {
  BasicConstraintsExtension,
  cryptoProvider,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  PemConverter,
  SubjectAlternativeNameExtension,
  X509CertificateGenerator,
  X509CrlGenerator,
} from '@peculiar/x509';

const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
const dayMs = 86_400_000;
cryptoProvider.set(webcrypto as unknown as Crypto);

export interface LeafOptions {
  readonly commonName?: string;
  /** Names and addresses it is for; 127.0.0.1 and localhost when left out. */
  readonly hosts?: readonly string[];
  readonly usages?: readonly ('server' | 'client')[];
  readonly isExpired?: boolean;
  /** Hexadecimal. */
  readonly serialNumber?: string;
}

/** Paths of PEM files. */
export interface LeafFiles {
  readonly cert: string;
  readonly key: string;
}

/** An authority whose files lie in a folder. */
export class CertificateAuthority {
  /** Path of its certificate. */
  readonly file: string;
  private readonly folder: string;
  private readonly name: string;
  private readonly keys: CryptoKeyPair;

  private constructor(folder: string, name: string, keys: CryptoKeyPair) {
    this.folder = folder;
    this.name = name;
    this.keys = keys;
    this.file = join(folder, `${name}.pem`);
  }

  static async create(folder: string, name: string): Promise<CertificateAuthority> {
    const made = new CertificateAuthority(folder, name, await makeKeys());
    const certificate = await X509CertificateGenerator.createSelfSigned({
      name: `CN=${name}`,
      keys: made.keys,
      signingAlgorithm: algorithm,
      notBefore: new Date(Date.now() - dayMs),
      extensions: [
        new BasicConstraintsExtension(true, undefined, true),
        new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
      ],
    });
    writeFileSync(made.file, certificate.toString('pem'));
    return made;
  }

  /** Signs a certificate and puts it and its key into files of that name. */
  async issue(name: string, options: LeafOptions = {}): Promise<LeafFiles> {
    const { commonName = name, hosts = ['127.0.0.1', 'localhost'], usages = ['server', 'client'] } = options;
    const keys = await makeKeys();
    const ends = options.isExpired === true ? Date.now() - 1000 : Date.now() + 30 * dayMs;
    const certificate = await X509CertificateGenerator.create({
      subject: `CN=${commonName}`,
      issuer: `CN=${this.name}`,
      publicKey: keys.publicKey,
      signingKey: this.keys.privateKey,
      signingAlgorithm: algorithm,
      notBefore: new Date(Date.now() - dayMs),
      notAfter: new Date(ends),
      ...(options.serialNumber === undefined ? {} : { serialNumber: options.serialNumber }),
      extensions: [
        new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
        new ExtendedKeyUsageExtension(
          usages.map((usage) => (usage === 'server' ? ExtendedKeyUsage.serverAuth : ExtendedKeyUsage.clientAuth)),
        ),
        new SubjectAlternativeNameExtension(
          hosts.map((value) => ({ type: isIP(value) === 0 ? ('dns' as const) : ('ip' as const), value })),
        ),
      ],
    });
    const files = { cert: join(this.folder, `${name}.crt`), key: join(this.folder, `${name}.key`) };
    const pkcs8 = await webcrypto.subtle.exportKey('pkcs8', keys.privateKey);
    writeFileSync(files.key, `${PemConverter.encode(pkcs8, 'PRIVATE KEY')}\n`);
    writeFileSync(files.cert, certificate.toString('pem'));
    return files;
  }

  /** Writes a revocation list (DER). @returns its path */
  async revoke(name: string, serialNumbers: readonly string[]): Promise<string> {
    const list = await X509CrlGenerator.create({
      issuer: `CN=${this.name}`,
      signingAlgorithm: algorithm,
      signingKey: this.keys.privateKey,
      nextUpdate: new Date(Date.now() + 30 * dayMs),
      entries: serialNumbers.map((serialNumber) => ({ serialNumber })),
    });
    const path = join(this.folder, `${name}.crl`);
    writeFileSync(path, Buffer.from(list.rawData));
    return path;
  }
}

function makeKeys(): Promise<CryptoKeyPair> {
  return webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']) as Promise<CryptoKeyPair>;
}
