import { mkdtempSync, readFileSync } from 'node:fs';
import { type ClientHttp2Session, type ClientHttp2Stream, connect, type IncomingHttpHeaders } from 'node:http2';
import { join } from 'node:path';
import type { Options } from '../options.ts';
import type { ServerKind } from '../support/programs.ts';
import type { Report } from '../support/report.ts';
import { waitUntil } from '../support/text.ts';
import { CertificateAuthority } from '../tls/certificates.ts';
import { launchSecure } from '../tls/secure-server.ts';
import type { HttpAnswer } from './http-client.ts';
import { compareSayings, type Sayings } from './sayings.ts';
import { showAnswer, showBody } from './show-answer.ts';

const WAIT_MS = 10_000;
/** A range of the key `a` with its prefix, as it goes over the wire. */
const rangeFrame = '\0\0\0\0\x03\x0a\x01a';

/** Over TLS the reference's gateway hears its own port's HTTP side, whose headers it hands on as if they were of the call. */
const strayHeaders = /^grpc-metadata-(?:access-control-.*|trailer)$/;

/** One stream of an HTTP/2 connection. */
class Exchange {
  text = '';
  status = 0;
  private headers: Record<string, string> = {};
  private isOver = false;
  readonly stream: ClientHttp2Stream;

  constructor(session: ClientHttp2Session, method: string, path: string, more: Record<string, string> = {}) {
    this.stream = session.request({ ':method': method, ':path': path, ...more });
    this.stream.on('response', (headers: IncomingHttpHeaders & { ':status'?: number }) => {
      this.status = headers[':status'] ?? 0;
      const own = Object.entries(headers).filter(([name]) => !name.startsWith(':') && !strayHeaders.test(name));
      this.headers = Object.fromEntries(own.map(([name, value]) => [name, String(value)]));
    });
    this.stream.setEncoding('utf8');
    this.stream.on('data', (chunk: string) => {
      this.text += chunk;
    });
    this.stream.on('error', () => {});
    this.stream.on('close', () => {
      this.isOver = true;
    });
  }

  async whole(body?: string): Promise<HttpAnswer> {
    this.stream.end(body);
    await waitUntil('the end of a stream', WAIT_MS, () => this.isOver);
    return { status: this.status, headers: this.headers, body: this.text };
  }

  lines(count: number): Promise<void> {
    return waitUntil(`${count} lines`, WAIT_MS, () => this.text.split('\n').length > count);
  }
}

/** A watch that is spoken with: requests go out while answers come in. */
async function watchText(session: ClientHttp2Session): Promise<string> {
  const watch = new Exchange(session, 'POST', '/v3/watch');
  watch.stream.write('{"create_request":{"key":"YQ=="}}');
  await watch.lines(1);
  await new Exchange(session, 'POST', '/v3/kv/put').whole('{"key":"YQ==","value":"PCYr"}');
  await watch.lines(2);
  watch.stream.write('{"cancel_request":{"watch_id":"0"}}');
  await watch.lines(3);
  watch.stream.destroy();
  return showBody(watch.text);
}

/** What is said over TLS and HTTP/2 to a client with a certificate. */
async function whatIsSaid(kind: ServerKind, directory: string): Promise<Sayings> {
  const folder = mkdtempSync(join(directory, `secure-${kind}-`));
  const authority = await CertificateAuthority.create(folder, 'authority');
  const { cert, key } = await authority.issue('somebody');
  const tls = [`--cert-file=${cert}`, `--key-file=${key}`, `--trusted-ca-file=${authority.file}`, '--client-cert-auth'];
  const server = await launchSecure(kind, folder, tls);
  const session = connect(`https://${server.endpoint}`, {
    ca: readFileSync(authority.file),
    cert: readFileSync(cert),
    key: readFileSync(key),
  });
  session.on('error', () => {});
  const said = new Map<string, string>();
  const say = async (method: string, path: string, body?: string, more?: Record<string, string>): Promise<void> => {
    const answer = await new Exchange(session, method, path, more).whole(body);
    // The text of a refused body is a library's.
    said.set(
      `${said.size + 1} ${method} ${path}`,
      showAnswer(answer, { anyMessage: answer.status === 400 && path === '/v3/kv/range' }),
    );
  };
  try {
    await say('GET', '/health');
    await say('HEAD', '/version');
    await say('OPTIONS', '/anything', undefined, { origin: 'http://a:1' });
    await say('GET', '//health');
    await say('POST', '/v3/kv/put', '{"key":"YQ=="}');
    await say('POST', '/v3/kv/range', '{"key":5');
    await say('POST', '/v3/lease/keepalive', '{"ID":"1"}{"ID":"2"}');
    const grpc = new Exchange(session, 'POST', '/etcdserverpb.KV/Range', { 'content-type': 'application/grpc' });
    const called = await grpc.whole(rangeFrame);
    said.set('gRPC', `${called.status} ${called.headers['content-type']}, answered: ${called.body.length > 5}`);
    said.set('a watch', await watchText(session));
    await say('POST', '/v3/auth/role/add', '{"name":"root"}');
    await say('POST', '/v3/auth/user/add', '{"name":"root","password":"pw"}');
    await say('POST', '/v3/auth/user/grant', '{"user":"root","role":"root"}');
    await say('POST', '/v3/auth/enable', '');
    await say('POST', '/v3/kv/range', '{"key":"YQ=="}');
    await say('GET', '/health');
    return said;
  } finally {
    session.destroy();
    await server.stop();
  }
}

/** HTTP/2 over TLS, and what a certificate with a name does to the gateway. */
export function runSecure(options: Options, report: Report, directory: string): Promise<void> {
  return compareSayings('gateway: TLS', options, report, (kind) => whatIsSaid(kind, directory));
}
