import type { Logger } from '@quorate/base';
import { etcdVersion } from '../version.ts';
import { Cors, HostCheck, refusedHostText } from './access.ts';
import { cleanPath } from './clean-path.ts';
import type { DebugPages } from './debug-pages.ts';
import type { Health } from './health.ts';
import {
  type HeaderList,
  type HttpAnswer,
  type HttpRequest,
  refuseMethod,
  sendError,
  splitTarget,
} from './http-types.ts';
import type { JsonGateway } from './json/json-gateway.ts';
import type { MetricsPage } from './metrics-page.ts';

export interface VersionSource {
  /** `3.7.0`, or undefined while no version is agreed on. */
  clusterVersion(): string | undefined;
  storageVersion(): string | undefined;
}

export interface FrontDoorDeps {
  readonly health: Health;
  readonly metricsPage: MetricsPage;
  readonly versions: VersionSource;
  readonly debug: DebugPages;
  /** Undefined when `/v3/` is not served. */
  readonly gateway: JsonGateway | undefined;
  /** Whether clients name themselves by certificates, which the gateway cannot carry over to its calls. */
  readonly namesByCertificate: () => boolean;
  readonly logger: Logger;
}

export interface FrontDoorOptions {
  /** Origins whose scripts may read answers. */
  readonly corsOrigins: readonly string[];
  /** Names that plain requests may call this server by. */
  readonly hosts: readonly string[];
}

const commonNameText =
  'CommonName of client sending a request against gateway will be ignored and not used as expected';

/** All that is spoken over HTTP on the client port beside gRPC: the checks that come first, then who answers. */
export class FrontDoor {
  private readonly deps: FrontDoorDeps;
  private readonly cors: Cors;
  private readonly hostCheck: HostCheck;

  constructor(deps: FrontDoorDeps, options: FrontDoorOptions) {
    this.deps = deps;
    this.cors = new Cors(options.corsOrigins);
    this.hostCheck = new HostCheck(options.hosts);
  }

  readonly serve = (asked: HttpRequest, bare: HttpAnswer): void => {
    const isOldPath = asked.target.startsWith('/v3beta/');
    const request = isOldPath ? { ...asked, target: asked.target.replace('/v3beta/', '/v3/') } : asked;
    const host = this.hostCheck.refusedHost(request);
    if (host !== undefined) {
      this.deps.logger.warn('rejecting HTTP request to prevent DNS rebinding attacks', { host });
      sendError(bare, 421, refusedHostText(host));
      return;
    }
    if (request.commonName !== '' && this.isForGateway(request) && this.deps.namesByCertificate()) {
      sendError(bare, 400, commonNameText);
      return;
    }
    const answer = withHeaders(bare, this.cors.headersFor(request));
    if (request.method === 'OPTIONS') answer.send(200, [], '');
    else this.route(request, answer);
  };

  private isForGateway(request: HttpRequest): boolean {
    return this.deps.gateway !== undefined && request.target.startsWith('/v3/');
  }

  private route(request: HttpRequest, answer: HttpAnswer): void {
    const { health, debug, gateway } = this.deps;
    const { path, query } = splitTarget(request.target);
    const clean = this.withSlash(cleanPath(path));
    if (clean !== path) redirect(request, answer, query === '' ? clean : `${clean}?${query}`);
    else if (gateway !== undefined && path.startsWith('/v3/')) gateway.serve(request, answer);
    else if (path === '/metrics') this.deps.metricsPage.serve(request, answer);
    else if (path === '/version') this.serveVersion(request, answer);
    else if (!health.serve(request, answer) && !debug.serve(request, answer)) sendError(answer, 404, notFoundText);
  }

  /** A folder that is asked for without its slash. */
  private withSlash(path: string): string {
    const isFolder = (path === '/v3' && this.deps.gateway !== undefined) || this.deps.debug.isFolder(path);
    return isFolder ? `${path}/` : path;
  }

  private serveVersion(request: HttpRequest, answer: HttpAnswer): void {
    if (refuseMethod(request, answer)) return;
    const { versions } = this.deps;
    const body = {
      etcdserver: etcdVersion,
      etcdcluster: versions.clusterVersion() ?? 'not_decided',
      storage: versions.storageVersion() ?? 'unknown',
    };
    answer.send(200, [['Content-Type', 'application/json']], JSON.stringify(body));
  }
}

/** What the listeners for metrics answer: those and health, to anybody. */
export function metricsDoor(deps: Pick<FrontDoorDeps, 'health' | 'metricsPage'>) {
  return (request: HttpRequest, answer: HttpAnswer): void => {
    const { path } = splitTarget(request.target);
    if (path === '/metrics') deps.metricsPage.serve(request, answer);
    else if (!deps.health.serve(request, answer)) sendError(answer, 404, notFoundText);
  };
}

const notFoundText = '404 page not found';

/** As Go's router sends clients on. */
function redirect(request: HttpRequest, answer: HttpAnswer, target: string): void {
  const location = ['Location', target] as const;
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    answer.send(307, [location], '');
    return;
  }
  const href = target.replaceAll('&', '&amp;').replaceAll('"', '&#34;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
  const body = `<a href="${href}">Temporary Redirect</a>.\n\n`;
  answer.send(307, [['Content-Type', 'text/html; charset=utf-8'], location], body);
}

/** The same answer with headers more. */
function withHeaders(answer: HttpAnswer, more: HeaderList): HttpAnswer {
  if (more.length === 0) return answer;
  return {
    room: answer.room,
    send: (status, headers, body) => answer.send(status, [...more, ...headers], body),
    sendPieces: (status, headers, pieces) => answer.sendPieces(status, [...more, ...headers], pieces),
    begin: (status, headers) => answer.begin(status, [...more, ...headers]),
    write: (text) => answer.write(text),
    end: () => answer.end(),
    onDrain: (callback) => answer.onDrain(callback),
    onClose: (callback) => answer.onClose(callback),
  };
}
