import { type ErrorSymbol, etcdserverpb } from '@quorate/api';
import type { StreamCall } from '@quorate/transport';
import type { LeaderLeases, LeaseAnswer } from '../member/leader-leases.ts';
import { decodeRequest, failCall, writeMessage } from './answers.ts';
import type { MemberContext } from './member-context.ts';
import { needsLeader } from './preconditions.ts';
import { leaseAttributes } from './request-spans.ts';
import { makeHeader } from './response-header.ts';

interface Renewal {
  readonly id: bigint;
  /** See {@link LeaderLeases.moment}. */
  readonly cameAt: number;
}

/** Renewals of a stream that wait behind one that takes its time; beyond them no more are read. */
const waitingMax = 128;

/**
 * A stream of renewals, answered one after the other in the order they came: one that has to wait (for the leader's answer, or for the
 * revoke of its expired lease) holds up those behind it, as in etcd.
 */
export class KeepAliveStream {
  private readonly call: StreamCall;
  private readonly member: MemberContext;
  private readonly leases: LeaderLeases;
  private readonly endKeeping: () => void;
  private waiting: Renewal[] = [];
  private isRenewing = false;
  private isFull = false;
  private clientIsDone = false;

  constructor(call: StreamCall, member: MemberContext, leases: LeaderLeases) {
    this.call = call;
    this.member = member;
    this.leases = leases;
    this.endKeeping = member.streams.add((symbol) => failCall(call, symbol), needsLeader(call));
    call.onDrain(() => {
      this.isFull = false;
      this.readOn();
    });
    call.onMessage((bytes) => this.take(bytes));
    call.onEnd(() => {
      this.clientIsDone = true;
      this.endIfDone();
    });
    call.onCancel(() => this.endKeeping());
    call.sendHeaders();
  }

  private take(bytes: Uint8Array): void {
    const request = decodeRequest(this.call, etcdserverpb.LeaseKeepAliveRequest, bytes);
    if (request === undefined) {
      this.endKeeping();
      return;
    }
    const renewal = { id: request.id, cameAt: this.leases.moment };
    if (!this.isRenewing) this.renew(renewal);
    else {
      this.waiting.push(renewal);
      if (this.waiting.length >= waitingMax) this.call.pause();
    }
  }

  private renew(renewal: Renewal): void {
    const { access } = this.member;
    if (!access.isOn) {
      this.renewPermitted(renewal);
      return;
    }
    this.isRenewing = access.waits(this.call, () => {
      this.isRenewing = false;
      this.renewIfPermitted(renewal);
      this.goOn();
    });
    if (!this.isRenewing) this.renewIfPermitted(renewal);
  }

  private renewIfPermitted(renewal: Renewal): void {
    const { access } = this.member;
    const refused = access.refusal(
      this.call,
      (identity) => access.checkUser(identity) ?? access.permissions.checkLeaseKeys(identity, renewal.id, 'write'),
    );
    if (refused === undefined) this.renewPermitted(renewal);
    else this.fail(refused);
  }

  private renewPermitted({ id, cameAt }: Renewal): void {
    // Sampled before the renewal begins, so that it can never be later than it (semantics 1).
    const header = makeHeader(this.member);
    const span = this.member.spans?.begin(this.call, 'lease_renew', id, leaseAttributes);
    const renewed = this.leases.renew(id, cameAt);
    if ('kind' in renewed) {
      span?.end();
      this.answer(id, header, renewed);
      return;
    }
    this.isRenewing = true;
    renewed.then(
      (later) => {
        span?.end();
        this.isRenewing = false;
        this.answer(id, header, later);
        this.goOn();
      },
      () => {
        this.endKeeping();
        failCall(this.call, 'ErrGRPCTimeout');
      },
    );
  }

  private goOn(): void {
    while (!this.isRenewing && !this.call.cancelled) {
      const next = this.waiting.shift();
      if (next === undefined) break;
      this.renew(next);
    }
    this.readOn();
    this.endIfDone();
  }

  private readOn(): void {
    if (!this.isFull && this.waiting.length < waitingMax) this.call.resume();
  }

  private answer(id: bigint, header: etcdserverpb.ResponseHeader, renewed: LeaseAnswer<number>): void {
    const { call } = this;
    if (renewed.kind === 'failed') {
      this.fail(renewed.symbol);
      return;
    }
    const ttl = renewed.kind === 'found' ? renewed.lease : 0;
    const response = etcdserverpb.LeaseKeepAliveResponse.create({ header, id, ttl });
    if (writeMessage(call, etcdserverpb.LeaseKeepAliveResponse, response)) return;
    this.isFull = true;
    call.pause();
  }

  private fail(symbol: ErrorSymbol): void {
    this.waiting = [];
    this.endKeeping();
    failCall(this.call, symbol);
  }

  private endIfDone(): void {
    if (!this.clientIsDone || this.isRenewing || this.waiting.length > 0) return;
    this.endKeeping();
    this.call.end();
  }
}
