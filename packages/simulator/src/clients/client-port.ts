import { errors, type Method, services } from '@quorate/api';
import type { Timer } from '@quorate/base';
import { GrpcStatus, GrpcStatusError } from '@quorate/transport';
import type { Machine } from '../cluster/machine.ts';
import type { Network } from '../network/network.ts';

/** How a call ended, as far as its client can know. */
export type CallOutcome<Response> =
  /** With the number of the life in which the machine has answered, which may be another by the time that the answer comes. */
  | { readonly kind: 'ok'; readonly response: Response; readonly life: number }
  /** Nothing was done. */
  | { readonly kind: 'refused'; readonly code: number; readonly text: string }
  | { readonly kind: 'unknown'; readonly code: number; readonly text: string };

/** For a trace. */
export function textOf(outcome: CallOutcome<unknown>): string {
  return outcome.kind === 'ok' ? 'ok' : `${outcome.kind} ${outcome.code} ${outcome.text}`;
}

/** Who answered, or would have: the name of the machine with the number of its life. */
export function memberOf(machine: Machine, outcome: CallOutcome<unknown>): string {
  return `${machine.name}.${outcome.kind === 'ok' ? outcome.life : machine.currentLife}`;
}

export interface CallSettings {
  readonly timeoutMs: number;
}

export interface Login {
  readonly name: string;
  readonly password: string;
}

const loginMs = 2_000;
const noToken = { kind: 'refused', code: GrpcStatus.unavailable, text: 'no token to be had' } as const;

/** With these codes etcd says that a request was not done; with all others nobody can say. */
const refusals = new Set<number>([
  GrpcStatus.invalidArgument,
  GrpcStatus.notFound,
  GrpcStatus.alreadyExists,
  GrpcStatus.permissionDenied,
  GrpcStatus.unauthenticated,
  GrpcStatus.failedPrecondition,
  GrpcStatus.outOfRange,
  GrpcStatus.resourceExhausted,
]);

/** A client's end of its connections. */
export class ClientPort {
  readonly name: string;
  readonly network: Network;
  /** Who the client is, once users are asked for it. */
  login: Login | undefined;
  private readonly tokens = new Map<Machine, string>();

  constructor(name: string, network: Network, login?: Login) {
    this.name = name;
    this.network = network;
    this.login = login;
  }

  /**
   * A unary call; resolves when the client knows how it ended, or has waited long enough. With a {@link login} it is made with a token,
   * and once more with a new one when the member does not know the token.
   */
  async call<Request, Response>(
    machine: Machine,
    method: Method<Request, Response>,
    request: Request,
    settings: CallSettings,
  ): Promise<CallOutcome<Response>> {
    const token = await this.tokenAt(machine);
    if (token === undefined) {
      if (this.login !== undefined) return noToken;
      return this.once(machine, method, request, settings, undefined);
    }
    const outcome = await this.once(machine, method, request, settings, token);
    if (outcome.kind !== 'refused' || !isOfToken(outcome.code, outcome.text)) return outcome;
    this.forgetToken(machine);
    const another = await this.tokenAt(machine);
    return another === undefined ? noToken : this.once(machine, method, request, settings, another);
  }

  /** What the client is known by there; undefined for one without login, or when none is to be had now. */
  async tokenAt(machine: Machine): Promise<string | undefined> {
    const { login } = this;
    if (login === undefined) return undefined;
    const known = this.tokens.get(machine);
    if (known !== undefined) return known;
    const { methods } = services.Auth;
    const outcome = await this.once(machine, methods.Authenticate, login, { timeoutMs: loginMs }, undefined);
    if (outcome.kind !== 'ok') return undefined;
    this.tokens.set(machine, outcome.response.token);
    return outcome.response.token;
  }

  forgetToken(machine: Machine): void {
    this.tokens.delete(machine);
  }

  private once<Request, Response>(
    machine: Machine,
    method: Method<Request, Response>,
    request: Request,
    settings: CallSettings,
    token: string | undefined,
  ): Promise<CallOutcome<Response>> {
    const { network, name } = this;
    const { scheduler } = network;
    const bytes = method.request.encode(request);
    return new Promise((resolve) => {
      let isOver = false;
      let stopListening = () => {};
      const end = (outcome: CallOutcome<Response>) => {
        if (isOver) return;
        isOver = true;
        timer.cancel();
        stopListening();
        resolve(outcome);
      };
      const failed = (code: number, text: string) =>
        end({ kind: refusals.has(code) ? 'refused' : 'unknown', code, text });
      const timer: Timer = scheduler.after(settings.timeoutMs, () => failed(GrpcStatus.deadlineExceeded, 'timed out'));
      const back = (how: () => void) => void network.segment(machine.name, name, how);
      network.segment(name, machine.name, () => {
        if (isOver) return;
        if (!machine.isAlive || machine.grpc === undefined) {
          return back(() => end({ kind: 'refused', code: GrpcStatus.unavailable, text: 'connection refused' }));
        }
        stopListening = machine.onDown(() => back(() => failed(GrpcStatus.unavailable, 'connection reset')));
        machine.at(scheduler.nowMs, () => {
          const life = machine.currentLife;
          serve(machine, method.path, bytes, settings, token).then(
            (answer) => back(() => end({ kind: 'ok', response: method.response.decode(answer), life })),
            (error: unknown) => {
              const { code, details } = asStatus(error);
              back(() => failed(code, details));
            },
          );
        });
      });
    });
  }
}

/** On the machine. What its life does not finish is never answered. */
function serve(
  machine: Machine,
  path: string,
  bytes: Uint8Array,
  settings: CallSettings,
  token: string | undefined,
): Promise<Uint8Array> {
  const life = machine.currentLife;
  const { grpc } = machine;
  return new Promise((resolve, reject) => {
    if (grpc === undefined) return;
    const metadata = token === undefined ? [] : ([['token', token]] as const);
    grpc.local.unary(path, bytes, { timeoutMs: settings.timeoutMs, metadata }).then(
      (answer) => {
        if (machine.lives(life)) resolve(answer);
      },
      (error: unknown) => {
        if (machine.lives(life)) reject(error);
      },
    );
  });
}

function isOfToken(code: number, text: string): boolean {
  return code === GrpcStatus.unauthenticated || text === errors.ErrGRPCAuthOldRevision.message;
}

function asStatus(error: unknown): { readonly code: number; readonly details: string } {
  if (error instanceof GrpcStatusError) return error;
  return { code: GrpcStatus.unknown, details: String(error) };
}
