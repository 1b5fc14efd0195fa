import { randomBytes, type X509Certificate } from 'node:crypto';
import { lookup, reverse } from 'node:dns/promises';
import type { Socket } from 'node:net';
import type { Server, TLSSocket } from 'node:tls';
import type { Logger } from '@quorate/base';
import {
  addressProblem,
  alternativeNames,
  isAllowed,
  notAllowedText,
  type Resolver,
  shownCertificates,
} from './client-certificate.ts';
import { HandshakeQueue } from './handshake-queue.ts';
import { problemText } from './problems.ts';
import { handshakeTimeoutMs, type TlsMaterial } from './tls-material.ts';

export interface GuardOptions {
  readonly logger: Logger;
  /** For whom the server is; named in the log. */
  readonly endpoint: 'client' | 'peer';
  readonly resolver?: Resolver;
}

const limits = { activeMax: 16, stallMs: 50, pendingMax: 1024, timeoutMs: handshakeTimeoutMs + 1_000 };
const pauseMs = 2;
const ticketKeyBytes = 48;

const systemResolver: Resolver = {
  forward: async (name) => (await lookup(name, { all: true })).map(({ address }) => address),
  reverse,
};

/**
 * Makes a TLS server serve what `material` says at each handshake, and judge the certificates of clients by all that it says. The server
 * must be made with the material's `serverOptions`, and not have had a connection yet.
 */
export function guardServer(server: Server, material: TlsMaterial, options: GuardOptions): void {
  const { logger, endpoint, resolver = systemResolver } = options;
  const rejected = (socket: Socket, error: unknown) => logRejection(logger, endpoint, socket, error);
  const startTls = takeListeners(server, 'connection');
  const serve = takeListeners(server, 'secureConnection');
  const queue = new HandshakeQueue(
    {
      prepare: () => material.refresh(),
      begin: (socket) => startTls(socket),
      overflow: (socket) => rejected(socket, new Error('too many TLS handshakes at a time')),
      pause: () => new Promise((resolve) => setTimeout(resolve, pauseMs)),
      nowMs: () => performance.now(),
    },
    limits,
  );
  server.on('connection', (socket) => queue.add(socket));
  server.on('secureConnection', (socket) => {
    queue.ended();
    const ignore = () => {};
    // Until somebody serves the socket nobody else would hear of its errors.
    socket.on('error', ignore);
    problemOfClient(material, socket, resolver).then((problem) => {
      if (problem !== undefined) {
        rejected(socket, new Error(problem));
        socket.destroy();
        return;
      }
      socket.off('error', ignore);
      // Gone while its address was looked up: an error it may have had is over.
      if (!socket.destroyed) serve(socket);
    });
  });
  server.on('tlsClientError', (error, socket) => {
    queue.ended();
    // Of a certificate that nobody trusts Node tells the reason only here.
    const { authorizationError } = socket;
    rejected(socket, authorizationError ? { code: authorizationError } : error);
    // Node leaves one open that took too long.
    socket.destroy();
  });
  const stop = material.onChange(() => renew(server, material));
  server.once('close', stop);
}

/** New handshakes use what was read last, and sessions of before count no more: their clients were judged by what was trusted then. */
function renew(server: Server, material: TlsMaterial): void {
  const context = material.serverContext;
  if (context === undefined) return;
  server.setSecureContext(context);
  server.setTicketKeys(randomBytes(ticketKeyBytes));
}

/** Takes away what Node does at an event, to have it done later. */
function takeListeners<S extends Socket>(server: Server, event: string): (socket: S) => void {
  const listeners = server.listeners(event);
  server.removeAllListeners(event);
  return (socket) => {
    for (const listener of listeners) listener.call(server, socket);
  };
}

/** Why a client is refused although its handshake went well. */
async function problemOfClient(
  material: TlsMaterial,
  socket: TLSSocket,
  resolver: Resolver,
): Promise<string | undefined> {
  if (!material.demandsCertificate) return undefined;
  const { settings } = material;
  const chain = shownCertificates(socket);
  const [certificate] = chain;
  if (certificate === undefined) return "tls: client didn't provide a certificate";
  // One that is taken up again by a ticket was judged when the ticket was given.
  if (Date.parse(certificate.validTo) < Date.now()) return problemText({ code: 'CERT_HAS_EXPIRED' });
  if (!isAllowed(settings, certificate)) return notAllowedText;
  const { remoteAddress } = socket;
  if (!settings.skipClientSanVerification && remoteAddress !== undefined) {
    const problem = await addressProblem(certificate, remoteAddress, resolver);
    if (problem !== undefined) return problem;
  }
  return material.revocationProblem(chain);
}

/** A client that hung up is no news. */
function logRejection(logger: Logger, endpoint: string, socket: Socket, error: unknown): void {
  const text = problemText(error);
  const message = `rejected connection on ${endpoint} endpoint`;
  const fields = {
    'remote-addr': `${socket.remoteAddress ?? ''}:${socket.remotePort ?? ''}`,
    'server-name': serverNameOf(socket),
    ...namesOf(socket),
    error: text,
  };
  if (text === 'EOF') logger.debug(message, fields);
  else logger.warn(message, fields);
}

function serverNameOf(socket: Socket): string {
  const { servername } = socket as Partial<Pick<TLSSocket & { servername: string | false }, 'servername'>>;
  return servername || '';
}

function namesOf(socket: Socket): {
  readonly 'ip-addresses'?: readonly string[];
  readonly 'dns-names'?: readonly string[];
} {
  let certificate: X509Certificate | undefined;
  if ('getPeerX509Certificate' in socket) certificate = (socket as TLSSocket).getPeerX509Certificate();
  if (certificate === undefined) return {};
  const { addresses, names } = alternativeNames(certificate);
  return { 'ip-addresses': addresses, 'dns-names': names };
}
