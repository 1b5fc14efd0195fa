import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type CertificateFields, type Issuer, writeCertificate, writeRevocationList } from '../certificate-writer.ts';

export interface PairOptions extends Partial<Omit<CertificateFields, 'subject' | 'publicKey'>> {
  readonly commonName?: string;
}

/** Files of a certificate and its key. */
export interface PairFiles {
  readonly certFile: string;
  readonly keyFile: string;
}

/** A folder for files, gone with `remove`. */
export class CertificateFolder {
  readonly path = mkdtempSync(join(tmpdir(), 'quorate-tls-'));
  private made = 0;

  /** Puts text or bytes into a file, a new one unless it has a name. @returns its path */
  write(content: string | Uint8Array, name = `${++this.made}.pem`): string {
    const path = join(this.path, name);
    writeFileSync(path, content);
    return path;
  }

  remove(): void {
    rmSync(this.path, { recursive: true, force: true });
  }
}

const dayMs = 86_400_000;

function makeKeys(): { readonly publicKey: KeyObject; readonly privateKey: KeyObject } {
  return generateKeyPairSync('ec', { namedCurve: 'P-256' });
}

/** An authority that signs certificates for tests. */
export class Authority {
  readonly certificate: string;
  private readonly issuer: Issuer;

  constructor(commonName = 'authority') {
    const { publicKey, privateKey } = makeKeys();
    this.issuer = { name: { commonName }, privateKey };
    this.certificate = writeCertificate(
      { ...validNow(), subject: this.issuer.name, publicKey, hosts: [], isAuthority: true, usages: [] },
      this.issuer,
    );
  }

  /** A certificate for 127.0.0.1 and both ways, unless it says otherwise, with its key, in PEM. */
  issue(options: PairOptions = {}): { readonly cert: string; readonly key: string } {
    const { commonName, ...rest } = options;
    const { publicKey, privateKey } = makeKeys();
    const fields: CertificateFields = {
      ...validNow(),
      subject: commonName === undefined ? {} : { commonName },
      publicKey,
      hosts: ['127.0.0.1'],
      isAuthority: false,
      usages: ['server', 'client'],
      ...rest,
    };
    return {
      cert: writeCertificate(fields, this.issuer),
      key: privateKey.export({ type: 'sec1', format: 'pem' }) as string,
    };
  }

  /** The same in files. */
  issueFiles(folder: CertificateFolder, options: PairOptions = {}): PairFiles {
    const { cert, key } = this.issue(options);
    return { certFile: folder.write(cert), keyFile: folder.write(key) };
  }

  revoke(...serialNumbers: readonly Uint8Array[]): Buffer {
    return writeRevocationList(serialNumbers, this.issuer, new Date());
  }
}

function validNow(): { readonly notBefore: Date; readonly notAfter: Date } {
  return { notBefore: new Date(Date.now() - dayMs), notAfter: new Date(Date.now() + 30 * dayMs) };
}
