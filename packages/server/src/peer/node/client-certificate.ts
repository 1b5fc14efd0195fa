import type { TLSSocket } from 'node:tls';
import { checkClientAddress, type PeerTls, type Resolver } from './peer-tls.ts';

const failedText = 'client certificate authentication failed';

/** Why a client, whose certificate is signed by whom it should be, is refused all the same; undefined when it is not. */
export async function checkClientCertificate(
  tls: PeerTls,
  socket: TLSSocket,
  resolver: Resolver,
): Promise<string | undefined> {
  const certificate = socket.getPeerCertificate();
  // An empty object without one; whether one must be there was decided by the handshake.
  if (certificate === null || Object.keys(certificate).length === 0) return undefined;
  const { allowedCommonNames = [], allowedHostnames = [], skipClientSanVerification = false } = tls;
  if (allowedCommonNames.length > 0 && !allowedCommonNames.includes(String(certificate.subject?.CN ?? '')))
    return failedText;
  const x509 = socket.getPeerX509Certificate();
  if (allowedHostnames.length > 0 && !allowedHostnames.some((name) => x509?.checkHost(name) !== undefined))
    return failedText;
  const { remoteAddress } = socket;
  if (skipClientSanVerification || remoteAddress === undefined) return undefined;
  return checkClientAddress(certificate, remoteAddress, resolver);
}
