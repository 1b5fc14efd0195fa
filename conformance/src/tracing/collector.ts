import { join } from 'node:path';
import { Server, ServerCredentials, type ServiceDefinition, type UntypedHandleCall } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { conformanceDir } from '../support/programs.ts';

/** A span as OTLP carries it; ids are hexadecimal, times nanoseconds. */
export interface Span {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId: string;
  readonly traceState: string;
  readonly name: string;
  readonly kind: number;
  readonly startNs: bigint;
  readonly endNs: bigint;
  readonly attributes: ReadonlyMap<string, string>;
  readonly status: { readonly code: number; readonly message: string };
  readonly flags: number;
  readonly resource: ReadonlyMap<string, string>;
}

interface KeyValue {
  readonly key: string;
  readonly value: Readonly<Record<string, unknown>> | null;
}

interface WireSpan {
  readonly trace_id: Buffer;
  readonly span_id: Buffer;
  readonly parent_span_id: Buffer;
  readonly trace_state: string;
  readonly name: string;
  readonly kind: number;
  readonly start_time_unix_nano: string;
  readonly end_time_unix_nano: string;
  readonly attributes: readonly KeyValue[];
  readonly status: { readonly message: string; readonly code: number } | null;
  readonly flags: number;
}

interface ExportRequest {
  readonly resource_spans: readonly {
    readonly resource: { readonly attributes: readonly KeyValue[] } | null;
    readonly scope_spans: readonly { readonly spans: readonly WireSpan[] }[];
  }[];
}

/** Takes spans by OTLP over gRPC and keeps them. */
export class Collector {
  readonly spans: Span[] = [];
  readonly address: string;
  private readonly server: Server;

  private constructor(server: Server, port: number) {
    this.server = server;
    this.address = `127.0.0.1:${port}`;
  }

  static async start(): Promise<Collector> {
    const definition = loadSync(join(conformanceDir, 'proto', 'otlp.proto'), {
      ...{ keepCase: true, longs: String, defaults: true, oneofs: true, bytes: Buffer },
    })['opentelemetry.proto.collector.trace.v1.TraceService'] as ServiceDefinition;
    const server = new Server();
    let collector: Collector | undefined;
    const take: UntypedHandleCall = (
      call: { readonly request: ExportRequest },
      answer: (error: null, response: object) => void,
    ) => {
      collector?.take(call.request);
      answer(null, {});
    };
    server.addService(definition, { Export: take });
    const port = await new Promise<number>((resolve, reject) => {
      server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) => {
        if (error === null) resolve(bound);
        else reject(error);
      });
    });
    collector = new Collector(server, port);
    return collector;
  }

  private take({ resource_spans }: ExportRequest): void {
    for (const { resource, scope_spans } of resource_spans) {
      const shared = { resource: attributesOf(resource?.attributes ?? []) };
      for (const { spans } of scope_spans) this.spans.push(...spans.map((span) => ({ ...spanOf(span), ...shared })));
    }
  }

  close(): void {
    this.server.forceShutdown();
  }
}

function spanOf(span: WireSpan): Omit<Span, 'resource'> {
  return {
    traceId: span.trace_id.toString('hex'),
    spanId: span.span_id.toString('hex'),
    parentSpanId: span.parent_span_id.toString('hex'),
    traceState: span.trace_state,
    name: span.name,
    kind: span.kind,
    startNs: BigInt(span.start_time_unix_nano),
    endNs: BigInt(span.end_time_unix_nano),
    attributes: attributesOf(span.attributes),
    status: { code: span.status?.code ?? 0, message: span.status?.message ?? '' },
    flags: span.flags,
  };
}

/** Values with their types: `int_value 7`. */
function attributesOf(pairs: readonly KeyValue[]): Map<string, string> {
  return new Map(
    pairs.map(({ key, value }) => {
      const type = String(value?.value ?? 'none');
      return [key, `${type} ${JSON.stringify(value?.[type])}`];
    }),
  );
}
