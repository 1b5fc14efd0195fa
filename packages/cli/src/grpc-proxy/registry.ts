import { etcdserverpb, services } from '@quorate/api';
import { type Logger, utf8FromBytes, utf8ToBytes } from '@quorate/base';
import type { ProxyAddress, Upstream, UpstreamOptions } from '@quorate/proxy';

const { LeaseGrantRequest, LeaseGrantResponse, LeaseKeepAliveRequest, LeaseKeepAliveResponse } = etcdserverpb;
const { PutRequest, RangeRequest, RangeResponse } = etcdserverpb;
const nobody: UpstreamOptions = { metadata: [], timeoutMs: 5000 };

/** An entry's value, in the form of etcd's own name resolver. */
interface Entry {
  readonly Addr: string;
  readonly Metadata?: unknown;
}

export interface RegistryOptions {
  readonly prefix: string;
  readonly ttlSeconds: number;
  readonly name: string;
  readonly address: string;
}

/**
 * Proxies that know each other by keys `<prefix>/<address>` on leases: who is gone is forgotten by itself. Everything is said anew three
 * times in the life of a lease, so a server that was away, or a lease that ended, mends itself.
 */
export class ProxyRegistry {
  private readonly upstream: Upstream;
  private readonly options: RegistryOptions;
  private readonly logger: Logger;
  private lease = 0n;
  private known: readonly ProxyAddress[] = [];
  private timer: NodeJS.Timeout | undefined;

  constructor(upstream: Upstream, logger: Logger, options: RegistryOptions) {
    this.upstream = upstream;
    this.logger = logger;
    this.options = options;
    this.known = [{ name: options.name, address: options.address }];
  }

  get proxies(): readonly ProxyAddress[] {
    return this.known;
  }

  start(): void {
    this.refresh()
      .catch((error: unknown) => this.logger.warn('failed to register the proxy', { error: String(error) }))
      .finally(() => {
        this.timer = setTimeout(() => this.start(), (this.options.ttlSeconds * 1000) / 3);
        this.timer.unref();
      });
  }

  stop(): void {
    clearTimeout(this.timer);
  }

  private async refresh(): Promise<void> {
    if (!(await this.keepAlive())) await this.register();
    this.known = await this.read();
  }

  private async keepAlive(): Promise<boolean> {
    if (this.lease === 0n) return false;
    const stream = this.upstream.stream(services.Lease.methods.LeaseKeepAlive.path, nobody);
    const ttl = new Promise<number>((resolve) => {
      stream.onMessage((bytes) => resolve(LeaseKeepAliveResponse.decode(bytes).ttl));
      stream.onEnd(() => resolve(0));
    });
    stream.write(LeaseKeepAliveRequest.encode(LeaseKeepAliveRequest.create({ id: this.lease })));
    const isAlive = (await ttl) > 0;
    stream.cancel();
    return isAlive;
  }

  private async register(): Promise<void> {
    const { prefix, address, name, ttlSeconds } = this.options;
    const grant = LeaseGrantRequest.encode(LeaseGrantRequest.create({ ttl: ttlSeconds }));
    const granted = LeaseGrantResponse.decode(await this.ask(services.Lease.methods.LeaseGrant.path, grant));
    const value = JSON.stringify({ Op: 0, Addr: address, Metadata: JSON.stringify({ name }) });
    const put = PutRequest.create({
      key: utf8ToBytes(`${prefix}/${address}`),
      value: utf8ToBytes(value),
      lease: granted.id,
    });
    await this.ask(services.KV.methods.Put.path, PutRequest.encode(put));
    this.lease = granted.id;
    this.logger.info('registered proxy', { addr: address, prefix });
  }

  private async read(): Promise<ProxyAddress[]> {
    const { prefix } = this.options;
    // `/` is 0x2f: what begins with it ends before 0x30.
    const request = RangeRequest.create({ key: utf8ToBytes(`${prefix}/`), rangeEnd: utf8ToBytes(`${prefix}0`) });
    const answer = RangeResponse.decode(await this.ask(services.KV.methods.Range.path, RangeRequest.encode(request)));
    return answer.kvs.flatMap(({ value }) => readEntry(utf8FromBytes(value)));
  }

  private ask(path: string, request: Uint8Array): Promise<Uint8Array> {
    return new Promise((resolve, reject) => {
      this.upstream.unary(path, request, nobody, (code, message, answer) => {
        if (answer === null) reject(new Error(`${message} (gRPC status ${code})`));
        else resolve(answer);
      });
    });
  }
}

/** Entries that somebody else wrote in another form are passed over. */
function readEntry(text: string): ProxyAddress[] {
  try {
    const { Addr: address, Metadata: metadata } = JSON.parse(text) as Entry;
    if (typeof address !== 'string') return [];
    const { name } = (typeof metadata === 'string' ? JSON.parse(metadata) : (metadata ?? {})) as { name?: unknown };
    return [{ name: typeof name === 'string' ? name : '', address }];
  } catch {
    return [];
  }
}
