import type { Metadata, RequestMetadata } from '@quorate/transport';

/** What the transport itself sets on every call. */
const ofTheTransport = new Set([
  'content-type',
  'te',
  'user-agent',
  'grpc-timeout',
  'grpc-encoding',
  'grpc-accept-encoding',
]);

/** Different metadata that are remembered at a time. */
const rememberedMax = 1024;

/**
 * What of a caller's headers is sent on: who it is and what it insists on travel with each call. Calls with the same get the same list, by
 * which the client to the servers knows that it has encoded them before.
 */
export class CallerMetadata {
  /** By the headers of a call, which calls of a connection share. */
  private readonly byHeaders = new WeakMap<Metadata, RequestMetadata>();
  private readonly byContent = new Map<string, RequestMetadata>();

  of(headers: Metadata): RequestMetadata {
    let found = this.byHeaders.get(headers);
    if (found === undefined) {
      found = this.shared(headers.entries().filter(([name]) => !ofTheTransport.has(name) && !name.startsWith(':')));
      this.byHeaders.set(headers, found);
    }
    return found;
  }

  private shared(list: RequestMetadata): RequestMetadata {
    const content = JSON.stringify(list);
    const known = this.byContent.get(content);
    if (known !== undefined) return known;
    if (this.byContent.size >= rememberedMax) this.byContent.clear();
    this.byContent.set(content, list);
    return list;
  }
}
