import { CodedError } from '@quorate/base';

/** A configuration of TLS that cannot be used; the message is etcd's. */
export type TlsConfigError = CodedError<'tls/config'>;

export function tlsConfigError(message: string): TlsConfigError {
  return new CodedError('tls/config', message);
}

/** What Node and OpenSSL call by a code, in the words that operators of etcd look for. */
const texts: Readonly<Record<string, string>> = {
  ERR_OSSL_X509_KEY_VALUES_MISMATCH: 'tls: private key does not match public key',
  ERR_OSSL_PEM_NO_START_LINE: 'tls: failed to find any PEM data in certificate input',
  ERR_OSSL_UNSUPPORTED: 'tls: failed to parse private key',
  ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE: "tls: client didn't provide a certificate",
  ERR_SSL_UNSUPPORTED_PROTOCOL: 'tls: client offered only unsupported versions',
  ERR_SSL_NO_SHARED_CIPHER: 'tls: no cipher suite supported by both client and server',
  ERR_SSL_HTTP_REQUEST: 'tls: first record does not look like a TLS handshake',
  ERR_SSL_WRONG_VERSION_NUMBER: 'tls: first record does not look like a TLS handshake',
  ERR_SSL_SSLV3_ALERT_BAD_CERTIFICATE: 'remote error: tls: bad certificate',
  ERR_SSL_TLSV1_ALERT_UNKNOWN_CA: 'remote error: tls: unknown certificate authority',
  ERR_TLS_HANDSHAKE_TIMEOUT: 'i/o timeout',
  ECONNRESET: 'EOF',
  CERT_HAS_EXPIRED: 'tls: failed to verify certificate: x509: certificate has expired or is not yet valid',
  CERT_NOT_YET_VALID: 'tls: failed to verify certificate: x509: certificate has expired or is not yet valid',
  INVALID_PURPOSE: 'tls: failed to verify certificate: x509: certificate specifies an incompatible key usage',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'tls: failed to verify certificate: x509: certificate signed by unknown authority',
  SELF_SIGNED_CERT_IN_CHAIN: 'tls: failed to verify certificate: x509: certificate signed by unknown authority',
  UNABLE_TO_GET_ISSUER_CERT: 'tls: failed to verify certificate: x509: certificate signed by unknown authority',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'tls: failed to verify certificate: x509: certificate signed by unknown authority',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'tls: failed to verify certificate: x509: certificate signed by unknown authority',
};

/** An error of a file, of OpenSSL or of a handshake as etcd would word it. */
export function problemText(error: unknown): string {
  const { code = '', path, message } = error as NodeJS.ErrnoException;
  if (code === 'ENOENT' && path !== undefined) return `open ${path}: no such file or directory`;
  if (code === 'EACCES' && path !== undefined) return `open ${path}: permission denied`;
  return texts[code] ?? message;
}
