import {
  createHmac,
  createPrivateKey,
  createPublicKey,
  constants as cryptoConstants,
  type KeyObject,
  sign,
  timingSafeEqual,
  verify,
} from 'node:crypto';
import { CodedError } from '@quorate/base';
import type { JwtKeys } from '../jwt-tokens.ts';

/** PEM files; empty where there is none. */
export interface JwtKeyFiles {
  readonly publicKey: Uint8Array;
  readonly privateKey: Uint8Array;
}

interface Method {
  readonly digest: string | undefined;
  /** `asymmetricKeyType`s of node:crypto that fit. */
  readonly keyTypes: readonly string[];
  readonly curve?: string;
  readonly padding?: number;
}

const methods: Readonly<Record<string, Method>> = {
  ...Object.fromEntries(
    ['256', '384', '512'].flatMap((size) => [
      [`RS${size}`, { digest: `sha${size}`, keyTypes: ['rsa'], padding: cryptoConstants.RSA_PKCS1_PADDING }],
      [`PS${size}`, { digest: `sha${size}`, keyTypes: ['rsa'], padding: cryptoConstants.RSA_PKCS1_PSS_PADDING }],
    ]),
  ),
  ES256: { digest: 'sha256', keyTypes: ['ec'], curve: 'prime256v1' },
  ES384: { digest: 'sha384', keyTypes: ['ec'], curve: 'secp384r1' },
  ES512: { digest: 'sha512', keyTypes: ['ec'], curve: 'secp521r1' },
  EdDSA: { digest: undefined, keyTypes: ['ed25519'] },
};
const hmacDigests: Readonly<Record<string, string>> = { HS256: 'sha256', HS384: 'sha384', HS512: 'sha512' };

export function isSignMethod(name: string): boolean {
  return Object.hasOwn(methods, name) || Object.hasOwn(hmacDigests, name);
}

/** @throws CodedError auth/token-keys with etcd's text */
export function readJwtKeys(algorithm: string, files: JwtKeyFiles): JwtKeys {
  const hmacDigest = Object.hasOwn(hmacDigests, algorithm) ? hmacDigests[algorithm] : undefined;
  return hmacDigest === undefined ? readKeyPair(algorithm, files) : readSecret(algorithm, hmacDigest, files.privateKey);
}

function readSecret(algorithm: string, digest: string, secret: Uint8Array): JwtKeys {
  if (secret.length === 0) throw new CodedError('auth/token-keys', 'auth: missing key data');
  const mac = (content: Uint8Array) => createHmac(digest, secret).update(content).digest();
  return {
    algorithm,
    sign: mac,
    verify: (content, signature) => {
      const expected = mac(content);
      return signature.length === expected.length && timingSafeEqual(signature, expected);
    },
  };
}

function readKeyPair(algorithm: string, files: JwtKeyFiles): JwtKeys {
  const method = methods[algorithm] as Method;
  const parse = (pem: Uint8Array, make: (text: string) => KeyObject) =>
    pem.length === 0 ? undefined : parseKey(method, Buffer.from(pem).toString(), make);
  const privateKey = parse(files.privateKey, createPrivateKey);
  const publicKey = parse(files.publicKey, createPublicKey);
  const verifyKey = privateKey === undefined ? publicKey : createPublicKey(privateKey);
  if (verifyKey === undefined) throw new CodedError('auth/token-keys', 'auth: missing key data');
  if (publicKey !== undefined && !publicKey.equals(verifyKey)) {
    throw new CodedError('auth/token-keys', "auth: public and private keys don't match");
  }
  const { digest, padding } = method;
  // Signatures of JWS are the bare two numbers (RFC 7518, section 3.4); the salt of PSS is as long as the digest (3.5), which is not insisted on.
  const options = (saltLength: number) => ({
    dsaEncoding: 'ieee-p1363' as const,
    ...(padding === undefined ? {} : { padding, saltLength }),
  });
  const { RSA_PSS_SALTLEN_DIGEST, RSA_PSS_SALTLEN_AUTO } = cryptoConstants;
  return {
    algorithm,
    sign:
      privateKey === undefined
        ? undefined
        : (content) => sign(digest, content, { key: privateKey, ...options(RSA_PSS_SALTLEN_DIGEST) }),
    verify: (content, signature) =>
      verify(digest, content, { key: verifyKey, ...options(RSA_PSS_SALTLEN_AUTO) }, signature),
  };
}

function parseKey(method: Method, pem: string, make: (text: string) => KeyObject): KeyObject {
  let key: KeyObject;
  try {
    key = make(pem);
  } catch (error) {
    throw new CodedError('auth/token-keys', `auth: ${error instanceof Error ? error.message : String(error)}`);
  }
  const { asymmetricKeyType: type = '', asymmetricKeyDetails: details } = key;
  if (!method.keyTypes.includes(type) || (method.curve !== undefined && details?.namedCurve !== method.curve)) {
    throw new CodedError('auth/token-keys', `auth: a key of type ${type} does not fit the sign-method`);
  }
  return key;
}
