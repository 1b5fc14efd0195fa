import { generateKeyPair } from 'node:crypto';
import { constants } from 'node:fs';
import { access, mkdir, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import type { Logger } from '@quorate/base';
import { writeCertificate } from './certificate-writer.ts';
import { tlsConfigError } from './problems.ts';

export interface SelfSignedFiles {
  readonly certFile: string;
  readonly keyFile: string;
}

export interface SelfSignedOptions {
  readonly folder: string;
  /** Host names and addresses it shall be valid for. */
  readonly hosts: readonly string[];
  readonly validityYears: number;
}

const yearMs = 365 * 86_400_000;
const folderMode = 0o700;
const keyMode = 0o600;

/**
 * Makes a key and a certificate that it signs itself, as etcd does, and keeps them in files; those of an earlier start are taken as they are.
 * @throws CodedError tls/config; the file system's errors
 */
export async function selfSignedFiles(logger: Logger, options: SelfSignedOptions): Promise<SelfSignedFiles> {
  const { folder, hosts, validityYears } = options;
  if (validityYears === 0) {
    const error = tlsConfigError('selfSignedCertValidity is invalid,it should be greater than 0');
    logger.warn('cannot generate cert', { error: error.message });
    throw error;
  }
  await mkdir(folder, { recursive: true, mode: folderMode });
  const files = { certFile: resolve(join(folder, 'cert.pem')), keyFile: resolve(join(folder, 'key.pem')) };
  if ((await exists(files.certFile)) && (await exists(files.keyFile))) return files;
  const notBefore = new Date();
  const notAfter = new Date(notBefore.getTime() + validityYears * yearMs);
  logger.warn('automatically generate certificates', {
    'certificate-validity-bound-not-after': notAfter.toISOString(),
  });
  const { publicKey, privateKey } = await promisify(generateKeyPair)('ec', { namedCurve: 'P-521' });
  const subject = { organization: 'etcd' };
  const certificate = writeCertificate(
    { subject, publicKey, notBefore, notAfter, hosts, isAuthority: true, usages: ['server'] },
    { name: subject, privateKey },
  );
  await writeFile(files.certFile, certificate);
  logger.info('created cert file', { path: files.certFile });
  await writeFile(files.keyFile, privateKey.export({ type: 'sec1', format: 'pem' }), { mode: keyMode });
  logger.info('created key file', { path: files.keyFile });
  return files;
}

async function exists(path: string): Promise<boolean> {
  return access(path, constants.F_OK).then(
    () => true,
    () => false,
  );
}
