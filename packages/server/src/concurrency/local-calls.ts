import { errors, etcdserverpb, type Init, type Method, services } from '@quorate/api';
import { CodedError } from '@quorate/base';
import {
  type Call,
  type Cancellation,
  GrpcStatusError,
  type LocalCallOptions,
  type LocalClient,
  type LocalStream,
} from '@quorate/transport';

/** Headers of the caller's connection, which say nothing about who calls. */
const ofConnection = /^(?:content-type|te|user-agent|grpc-.*)$/;

/** Calls the member this process runs, as the caller of a call that is served. */
export class LocalCalls {
  private readonly client: LocalClient;
  /** Who asks: its call, its headers and its certificate. */
  private readonly caller: LocalCallOptions;

  constructor(client: LocalClient, served: Call) {
    this.client = client;
    const metadata = served.metadata.entries().filter(([name]) => !ofConnection.test(name));
    this.caller = { metadata, peer: served.peer, parent: served };
  }

  /** One request, one answer. @throws GrpcStatusError (as a rejection) */
  async call<Q extends object, A extends object>(
    method: Method<Q, A>,
    request: Init<Q>,
    cancellation?: Cancellation,
  ): Promise<A> {
    const bytes = method.request.encode(method.request.create(request));
    const options = { ...this.caller, ...(cancellation === undefined ? {} : { cancellation }) };
    return method.response.decode(await this.client.unary(method.path, bytes, options));
  }

  /** Reads. Who waits in a queue does not lose its place because the leader changes meanwhile: the read is made again. */
  async read(
    request: Init<etcdserverpb.RangeRequest>,
    cancellation?: Cancellation,
  ): Promise<etcdserverpb.RangeResponse> {
    for (;;) {
      try {
        return await this.call(services.KV.methods.Range, request, cancellation);
      } catch (error) {
        if (!(error instanceof GrpcStatusError) || error.details !== errors.ErrGRPCLeaderChanged.message) throw error;
      }
    }
  }

  /** Watches until one of the callbacks says false, the watch ends, or it is called off. */
  watch(
    request: Init<etcdserverpb.WatchCreateRequest>,
    cancellation: Cancellation,
    onResponse: (response: etcdserverpb.WatchResponse, watch: Pick<LocalStream, 'pause' | 'resume'>) => boolean,
  ): Promise<void> {
    const stream = this.client.stream(services.Watch.methods.Watch.path, this.caller);
    return new Promise((resolve, reject) => {
      let isOver = false;
      let stopListening = () => {};
      const finish = (settle: () => void) => {
        if (isOver) return;
        isOver = true;
        stopListening();
        stream.cancel();
        settle();
      };
      stream.onEnd((status) => finish(() => reject(new GrpcStatusError(status.code, status.message))));
      stream.onMessage((bytes) => {
        if (isOver) return;
        try {
          const response = etcdserverpb.WatchResponse.decode(bytes.slice());
          if (!onResponse(response, stream)) finish(resolve);
        } catch (error) {
          finish(() => reject(error));
        }
      });
      const createRequest = etcdserverpb.WatchCreateRequest.create(request);
      stream.write(etcdserverpb.WatchRequest.encode(etcdserverpb.WatchRequest.create({ createRequest })));
      stopListening = cancellation.onCancel(() => finish(() => reject(callerIsGone())));
    });
  }
}

/** What waits when its caller goes away ends with this; nobody hears it. */
export function callerIsGone(): Error {
  return new CodedError('concurrency/cancelled', 'context canceled');
}
