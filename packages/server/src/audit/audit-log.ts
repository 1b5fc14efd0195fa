import { etcdserverpb, services } from '@quorate/api';
import type { Clock } from '@quorate/base';
import {
  type Call,
  grpcStatusNames,
  type HandlerWrapper,
  localPeer,
  type StreamHandler,
  type UnaryHandler,
} from '@quorate/transport';
import { formatTime } from '../peer/protocol/rfc3339.ts';
import { type CallEnd, ObservedStreamCall, ObservedUnaryCall } from '../rpc/observed-call.ts';
import { keysOf, type ShownRange, shownRangesMax } from './request-keys.ts';

export interface AuditDeps {
  readonly clock: Clock;
  /** Whether users are asked who they are: nothing is written while they are not. */
  readonly isOn: () => boolean;
  /** Whose call it is; empty when that is not known. */
  readonly userOf: (call: Call) => string;
  /** Takes a line with its end. */
  readonly write: (line: string) => void;
}

const authenticatePath = services.Auth.methods.Authenticate.path;

/** What is gathered of a call until it ends. */
interface Entry {
  readonly call: Call;
  readonly startedMs: number;
  user: string;
  requestBytes: number;
  readonly keys: ShownRange[];
}

/**
 * One line of JSON for each call while authentication is on, written when it ends: time, user, address, method, keys, bytes both ways,
 * duration in milliseconds, status. Values and passwords are never in it. Who authenticates is named as it called itself.
 */
export class AuditLog implements HandlerWrapper {
  private readonly deps: AuditDeps;

  constructor(deps: AuditDeps) {
    this.deps = deps;
  }

  unary(handler: UnaryHandler): UnaryHandler {
    return (call, message) => {
      if (!this.deps.isOn()) {
        handler(call, message);
        return;
      }
      const entry = this.begin(call);
      this.received(entry, message);
      if (call.path === authenticatePath) entry.user = nameIn(message);
      handler(new ObservedUnaryCall(call, (end) => this.write(entry, end)), message);
    };
  }

  stream(handler: StreamHandler): StreamHandler {
    return (call) => {
      if (!this.deps.isOn()) {
        handler(call);
        return;
      }
      const entry = this.begin(call);
      const onReceived = (message: Uint8Array) => this.received(entry, message);
      handler(new ObservedStreamCall(call, onReceived, (end) => this.write(entry, end)));
    };
  }

  private begin(call: Call): Entry {
    const { clock, userOf } = this.deps;
    return { call, startedMs: clock.nowMs(), user: userOf(call), requestBytes: 0, keys: [] };
  }

  private received(entry: Entry, message: Uint8Array): void {
    entry.requestBytes += message.length;
    if (entry.keys.length < shownRangesMax) entry.keys.push(...keysOf(entry.call.path, message));
  }

  private write({ call, startedMs, user, requestBytes, keys }: Entry, { code, message, bytes }: CallEnd): void {
    const { clock, userOf, write } = this.deps;
    const line = {
      ts: formatTime(clock.wallMs()),
      // A token may have become known while the call waited for the entry that made it.
      user: user === '' ? userOf(call) : user,
      address: addressOf(call),
      method: call.path,
      ...(keys.length === 0 ? {} : { keys }),
      request_bytes: requestBytes,
      response_bytes: bytes,
      took_ms: Math.round((clock.nowMs() - startedMs) * 1000) / 1000,
      code: grpcStatusNames[code] ?? String(code),
      ...(message === '' ? {} : { error: message }),
    };
    write(`${JSON.stringify(line)}\n`);
  }
}

/** Whom an Authenticate request is for; nothing of one that is broken. */
function nameIn(message: Uint8Array): string {
  try {
    return etcdserverpb.AuthenticateRequest.decode(message).name;
  } catch {
    // The handler refuses it.
    return '';
  }
}

/** Of a request over HTTP, which becomes a call within the process, the address that the gateway saw: the last that it was forwarded for. */
function addressOf(call: Call): string {
  if (call.peer !== localPeer) return call.peer.address;
  return call.metadata.get('x-forwarded-for')?.split(', ').at(-1) ?? localPeer.address;
}
