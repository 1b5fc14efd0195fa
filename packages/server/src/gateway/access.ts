import type { HeaderList, HttpRequest } from './http-types.ts';

const allowedMethods = 'POST, GET, OPTIONS, PUT, DELETE';
const allowedHeaders = 'accept, content-type, authorization';

/** True when a list of names lets every name in: it is empty or has `*`. */
function isOpen(names: ReadonlySet<string>): boolean {
  return names.size === 0 || names.has('*');
}

/** The headers that let scripts of other origins read answers: on every answer, whatever it is. */
export class Cors {
  private readonly origins: ReadonlySet<string>;

  /** @param origins as browsers send them; `*`, or none at all, for any. */
  constructor(origins: readonly string[]) {
    this.origins = new Set(origins);
  }

  headersFor(request: HttpRequest): HeaderList {
    const asked = request.headers.get('origin') ?? '';
    if (!isOpen(this.origins) && !this.origins.has(asked)) return [];
    const origin = isOpen(this.origins) ? '*' : asked;
    return [
      ['Access-Control-Allow-Headers', allowedHeaders],
      ['Access-Control-Allow-Methods', allowedMethods],
      ['Access-Control-Allow-Origin', origin],
    ];
  }
}

/** `example.com:2379` and `[::1]:2379` without the port (and the brackets). */
export function hostWithoutPort(host: string): string {
  const match = /^(?:\[([^\]]*)\]|([^:]*))(?::\d*)?$/.exec(host);
  return match?.[1] ?? match?.[2] ?? host;
}

/**
 * A browser that was told, by a name server that changed its mind, that some site lives at this address sends that site's name as host:
 * only known names are served (CVE-2018-5702). A TLS connection proves by the certificate whom the client meant.
 */
export class HostCheck {
  private readonly hosts: ReadonlySet<string>;

  /** @param hosts names without port; `*`, or none at all, for any. */
  constructor(hosts: readonly string[]) {
    this.hosts = new Set(hosts);
  }

  /** The host that is not welcome; undefined when the request is. */
  refusedHost(request: HttpRequest): string | undefined {
    if (request.secure || isOpen(this.hosts)) return undefined;
    const host = hostWithoutPort(request.headers.get('host') ?? '');
    return this.hosts.has(host) ? undefined : host;
  }
}

export function refusedHostText(host: string): string {
  return [
    `This etcd does not know itself by the name in the Host header of the request: "${host}".`,
    '',
    'Either',
    '- use TLS: requests over HTTPS are served under any name, or',
    `- list the name in the setting of names: --host-whitelist "${host}".`,
    '',
    'The check keeps web pages from reaching this server by DNS rebinding (CVE-2018-5702).',
    '',
  ].join('\n');
}
