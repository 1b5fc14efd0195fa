import type { Clock } from '@quorate/base';
import {
  type Call,
  grpcStatusNames,
  type HandlerWrapper,
  type StreamHandler,
  type UnaryHandler,
} from '@quorate/transport';
import { formatTime } from '../peer/protocol/rfc3339.ts';
import { type CallEnd, ObservedStreamCall, ObservedUnaryCall } from '../rpc/observed-call.ts';

/** A call under way, or one that has ended. */
interface Seen {
  readonly path: string;
  readonly address: string;
  readonly startedWallMs: number;
  readonly startedMs: number;
  end?: CallEnd & { readonly tookMs: number };
}

/** Lists of a service's calls, each with those that took at least so long; behind them is that of those that failed. */
const leastMs = [0, 50, 100, 200, 500, 1_000, 10_000, 100_000];
const errorList = leastMs.length;
/** The number of those under way, as in etcd's page. */
export const activeList = -1;
/** Of each list; older ones are forgotten. */
const keptMax = 10;
/** Of those under way, on one page. */
const shownMax = 200;

class Service {
  readonly active = new Set<Seen>();
  readonly lists: Seen[][] = [...leastMs, errorList].map(() => []);

  ended(seen: Seen, tookMs: number, isError: boolean): void {
    this.active.delete(seen);
    this.lists.forEach((list, index) => {
      if (index === errorList ? isError : tookMs >= (leastMs[index] as number)) keep(list, seen);
    });
  }
}

function keep(list: Seen[], seen: Seen): void {
  list.unshift(seen);
  if (list.length > keptMax) list.pop();
}

/**
 * The calls under way and the last ones of each service, slow and failed ones apart: `/debug/requests`. As in etcd for those who debug
 * (`--log-level=debug`) on the same machine.
 */
export class RecentCalls implements HandlerWrapper {
  private readonly clock: Clock;
  private readonly services = new Map<string, Service>();

  constructor(clock: Clock) {
    this.clock = clock;
  }

  unary(handler: UnaryHandler): UnaryHandler {
    return (call, message) => handler(isInner(call) ? call : new ObservedUnaryCall(call, this.begin(call)), message);
  }

  stream(handler: StreamHandler): StreamHandler {
    return (call) => handler(isInner(call) ? call : new ObservedStreamCall(call, () => {}, this.begin(call)));
  }

  /** @returns what is to hear of its end. */
  private begin({ path, peer }: Call): (end: CallEnd) => void {
    const { clock } = this;
    const seen: Seen = { path, address: peer.address, startedWallMs: clock.wallMs(), startedMs: clock.nowMs() };
    const name = `grpc.Recv.${path.slice(1, path.lastIndexOf('/'))}`;
    const service = this.services.get(name) ?? new Service();
    this.services.set(name, service);
    service.active.add(seen);
    return (end) => {
      const tookMs = clock.nowMs() - seen.startedMs;
      seen.end = { ...end, tookMs };
      service.ended(seen, tookMs, end.code !== 0);
    };
  }

  /** The page as HTML: the table and, of the service that is asked for, one of its lists. */
  page(serviceName: string, list: number): string {
    const rows = [...this.services].sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, service]) => rowOf(name, service));
    const asked = this.services.get(serviceName);
    const lines = asked === undefined ? '' : this.listOf(asked, list);
    return `<!DOCTYPE html>\n<title>/debug/requests</title>\n<table>\n${rows.join('\n')}\n</table>\n${lines}`;
  }

  private listOf(service: Service, list: number): string {
    const calls = list === activeList ? [...service.active].slice(0, shownMax) : (service.lists[list] ?? []);
    return `<pre>\n${calls.map((seen) => escapeHtml(this.lineOf(seen))).join('\n')}\n</pre>\n`;
  }

  private lineOf({ path, address, startedWallMs, startedMs, end }: Seen): string {
    const tookMs = end?.tookMs ?? this.clock.nowMs() - startedMs;
    const status = end === undefined ? '…' : `${grpcStatusNames[end.code] ?? end.code} ${end.message}`.trim();
    return `${formatTime(startedWallMs)} ${(tookMs / 1000).toFixed(6)} ${path} from ${address}: ${status}`;
  }
}

function rowOf(name: string, { active, lists }: Service): string {
  const cell = (list: number, text: string, count: number) =>
    `<td>${count === 0 ? `[${text}]` : `<a href="?fam=${name}&amp;b=${list}">[${text}]</a>`}</td>`;
  const texts = [...leastMs.map((least) => `≥${least / 1000}s`), 'errors'];
  const cells = texts.map((text, list) => cell(list, text, lists[list]?.length ?? 0));
  return `<tr><td>${name}</td>${cell(activeList, `${active.size} active`, active.size)}${cells.join('')}</tr>`;
}

/** A call in the service of another: part of what that one does. */
function isInner({ parent }: Call): boolean {
  return parent !== undefined;
}

function escapeHtml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
