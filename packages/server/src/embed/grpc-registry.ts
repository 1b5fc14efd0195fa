import { readFileSync } from 'node:fs';
import type { ConnectionOptions } from 'node:tls';
import { etcdserverpb, type Init, type Method, services } from '@quorate/api';
import { type Clock, type Logger, type Random, utf8FromBytes, utf8ToBytes } from '@quorate/base';
import { type GrpcClient, GrpcStatus, GrpcStatusError, type RequestMetadata } from '@quorate/transport';
import { createGrpcClient } from '@quorate/transport/node';
import type { V3DiscoveryConfig } from '../config/discovery-config.ts';
import type { Registry } from '../discovery/registry-cluster.ts';

interface RegistryDeps {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly random: Random;
}

/** A registry in a cluster that is reached over gRPC; the next endpoint is asked when one does not answer. */
export class GrpcRegistry implements Registry {
  private readonly config: V3DiscoveryConfig;
  private readonly clients: readonly GrpcClient[];
  private turn = 0;
  private metadata: RequestMetadata = [];

  constructor(deps: RegistryDeps, config: V3DiscoveryConfig) {
    this.config = config;
    this.clients = config.endpoints.map((endpoint) => {
      const tls = tlsOf(config, endpoint);
      return createGrpcClient(deps, {
        address: endpoint.replace(/^(?:https?|unixs?):\/\//, (scheme) => (scheme.startsWith('unix') ? 'unix:' : '')),
        connectTimeoutMs: config.dialTimeoutMs,
        keepaliveMs: config.keepaliveTimeMs || Number.POSITIVE_INFINITY,
        keepaliveTimeoutMs: config.keepaliveTimeoutMs,
        ...(tls === undefined ? {} : { tls }),
      });
    });
  }

  async get(key: string): Promise<string | undefined> {
    const { kvs } = await this.call(services.KV.methods.Range, { key: utf8ToBytes(key) });
    return kvs[0] && utf8FromBytes(kvs[0].value).trim();
  }

  async list(prefix: string): ReturnType<Registry['list']> {
    const { kvs, header } = await this.call(services.KV.methods.Range, keysUnder(prefix));
    const entries = kvs.map(({ key, value, createRevision }) => ({
      key: utf8FromBytes(key).trim(),
      value: utf8FromBytes(value).trim(),
      createRevision,
    }));
    return { entries, revision: header?.revision ?? 0 };
  }

  async put(key: string, value: string): Promise<void> {
    await this.call(services.KV.methods.Put, { key: utf8ToBytes(key), value: utf8ToBytes(value) });
  }

  changed(prefix: string, sinceRevision: number): Promise<void> {
    const client = this.client();
    const stream = client.stream(services.Watch.methods.Watch.path, { metadata: this.metadata });
    return new Promise((resolve, reject) => {
      stream.onEnd(({ code, message }) => {
        this.turn++;
        reject(new GrpcStatusError(code, message));
      });
      stream.onMessage((bytes) => {
        const { events, canceled } = etcdserverpb.WatchResponse.decode(bytes);
        if (events.length === 0 && !canceled) return;
        resolve();
        stream.cancel();
      });
      const createRequest = etcdserverpb.WatchCreateRequest.create({
        ...keysUnder(prefix),
        startRevision: sinceRevision + 1,
      });
      stream.write(etcdserverpb.WatchRequest.encode(etcdserverpb.WatchRequest.create({ createRequest })));
    });
  }

  close(): void {
    for (const client of this.clients) client.close();
  }

  private client(): GrpcClient {
    return this.clients[this.turn % this.clients.length] as GrpcClient;
  }

  private async call<Q extends object, A extends object>(method: Method<Q, A>, request: Init<Q>): Promise<A> {
    try {
      if (this.config.user !== '' && this.metadata.length === 0) await this.authenticate();
      return await this.unary(method, request);
    } catch (error) {
      this.turn++;
      // A token may have run out.
      if (error instanceof GrpcStatusError && error.code === GrpcStatus.unauthenticated) this.metadata = [];
      throw error;
    }
  }

  private async authenticate(): Promise<void> {
    const { user: name, password } = this.config;
    const { token } = await this.unary(services.Auth.methods.Authenticate, { name, password });
    this.metadata = [['token', token]];
  }

  private async unary<Q extends object, A extends object>(method: Method<Q, A>, request: Init<Q>): Promise<A> {
    const bytes = method.request.encode(method.request.create(request));
    const options = { metadata: this.metadata, timeoutMs: this.config.requestTimeoutMs };
    return method.response.decode(await this.client().unary(method.path, bytes, options));
  }
}

/** All keys that begin with a prefix, which ends with a slash. */
function keysUnder(prefix: string): { readonly key: Uint8Array; readonly rangeEnd: Uint8Array } {
  return { key: utf8ToBytes(prefix), rangeEnd: utf8ToBytes(prefix.replace(/\/$/, '0')) };
}

function tlsOf(config: V3DiscoveryConfig, endpoint: string): ConnectionOptions | undefined {
  const { certFile, keyFile, caFile, insecureTransport, insecureSkipTlsVerify } = config;
  const isAsked = [certFile, keyFile, caFile].some((file) => file !== '') || /^(?:https|unixs):/.test(endpoint);
  if (!isAsked && insecureTransport) return undefined;
  return {
    ...(certFile === '' ? {} : { cert: readFileSync(certFile) }),
    ...(keyFile === '' ? {} : { key: readFileSync(keyFile) }),
    ...(caFile === '' ? {} : { ca: readFileSync(caFile) }),
    rejectUnauthorized: !insecureSkipTlsVerify,
  };
}
