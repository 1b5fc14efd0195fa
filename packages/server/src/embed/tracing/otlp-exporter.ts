import { type ExportResult, ExportResultCode } from '@opentelemetry/core';
import type { ReadableSpan, SpanExporter } from '@opentelemetry/sdk-trace';
import type { Clock, Logger, Random } from '@quorate/base';
import { type GrpcClient, GrpcStatus, GrpcStatusError, type RequestMetadata } from '@quorate/transport';
import { createGrpcClient } from '@quorate/transport/node';
import { encodeSpans } from './otlp-encoding.ts';

export interface OtlpExporterDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

export interface OtlpExporterOptions {
  /** `host:port`, or a host alone; spoken to without TLS. */
  readonly address: string;
  readonly headers: RequestMetadata;
  /** For a batch, attempts and pauses included. */
  readonly timeoutMs: number;
}

const exportPath = '/opentelemetry.proto.collector.trace.v1.TraceService/Export';
/** Before the same batch is sent again, give or take half of it (the figure of etcd's exporter). */
const retryPauseMs = 5_000;
/** After these the batch may be sent again, as OTLP has it. */
const retried: ReadonlySet<number> = new Set([
  GrpcStatus.cancelled,
  GrpcStatus.deadlineExceeded,
  GrpcStatus.aborted,
  GrpcStatus.outOfRange,
  GrpcStatus.unavailable,
  GrpcStatus.dataLoss,
]);

/** A host alone has gRPC's port by default. */
function withPort(address: string): string {
  return /^unix:|:[^:\]]*$/.test(address) ? address : `${address}:443`;
}

/** Sends spans to a collector by OTLP over gRPC. A batch that it does not take in time is dropped and told of in the log. */
export class OtlpExporter implements SpanExporter {
  private readonly deps: OtlpExporterDeps;
  private readonly options: OtlpExporterOptions;
  private readonly client: GrpcClient;
  /** Ends the pauses of batches that are to be sent again. */
  private readonly pauses = new Set<() => void>();
  private isShutDown = false;

  constructor(deps: OtlpExporterDeps, options: OtlpExporterOptions) {
    this.deps = deps;
    this.options = options;
    this.client = createGrpcClient(deps, { address: withPort(options.address) });
  }

  export(spans: ReadableSpan[], done: (result: ExportResult) => void): void {
    this.send(encodeSpans(spans)).then(
      () => done({ code: ExportResultCode.SUCCESS }),
      (error: Error) => {
        this.deps.logger.warn('failed to export spans', { spans: spans.length, error: error.message });
        done({ code: ExportResultCode.FAILED, error });
      },
    );
  }

  private async send(request: Uint8Array): Promise<void> {
    const { clock, random } = this.deps;
    const { headers, timeoutMs } = this.options;
    const endMs = clock.nowMs() + timeoutMs;
    for (;;) {
      try {
        await this.client.unary(exportPath, request, { metadata: headers, timeoutMs: endMs - clock.nowMs() });
        return;
      } catch (error) {
        const pauseMs = retryPauseMs * (0.5 + random.nextUint32() / 0x1_0000_0000);
        const mayRetry = error instanceof GrpcStatusError && retried.has(error.code);
        if (!mayRetry || this.isShutDown || clock.nowMs() + pauseMs >= endMs) throw error;
        await this.pause(pauseMs);
      }
    }
  }

  private pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const end = () => {
        timer.cancel();
        this.pauses.delete(end);
        resolve();
      };
      const timer = this.deps.clock.setTimer(ms, end);
      this.pauses.add(end);
    });
  }

  async shutdown(): Promise<void> {
    this.isShutDown = true;
    this.client.close();
    for (const end of this.pauses) end();
  }
}
