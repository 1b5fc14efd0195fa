import { services } from '@quorate/api';
import { equalBytes } from '@quorate/base';
import { GrpcStatus } from '@quorate/transport';
import { ClientPort, type Login } from '../clients/client-port.ts';
import { ClientStream } from '../clients/client-stream.ts';
import type { Machine } from '../cluster/machine.ts';
import type { World } from '../cluster/world.ts';
import { MachineClock } from '../world/machine-clock.ts';
import type { SavedSnapshot } from './check-snapshot.ts';
import { readDatabase } from './database-content.ts';

const timeoutMs = 20_000;
/** Into the stream, before its reader takes a rest. */
const restAfterMs = 2;
const digestBytes = 32;
const sectorBytes = 512;

/** A stream that ended well, as it came. */
interface Received {
  readonly chunks: readonly Uint8Array[];
  readonly revisionMax: number;
}

/** Saves snapshots as administrators do, and looks at each that comes to its end. */
export class Archive {
  readonly snapshots: SavedSnapshot[] = [];
  private readonly world: World;
  private readonly port: ClientPort;

  constructor(world: World, login: Login | undefined) {
    this.world = world;
    this.port = new ClientPort('saver', world.network, login);
  }

  /** Saves what a member has, with a rest in the middle of reading it. One that is cut short is nothing, as with etcdctl. */
  async save(machine: Machine, restMs: number): Promise<void> {
    const { world } = this;
    const member = `${machine.name}.${machine.currentLife}`;
    // Of a life that begins in the meantime nothing is known.
    const revisionMin = machine.member?.revision() ?? 0;
    const life = machine.currentLife;
    const isRotten = world.rotten.has(machine);
    const received = await this.receive(machine, restMs);
    // What time has done to a disk is in all copies of it.
    if (typeof received === 'string' || isRotten || world.rotten.has(machine)) {
      world.trace.note('admin', `snapshot of ${member}: ${typeof received === 'string' ? received : 'rotten'}`);
      return;
    }
    const bytes = joined(received.chunks);
    const problem = this.sumProblem(bytes);
    if (problem !== undefined) return this.violate(member, problem);
    try {
      const database = bytes.subarray(0, bytes.length - digestBytes);
      const clock = new MachineClock(
        { scheduler: world.scheduler, at: (atMs, callback) => world.scheduler.at(atMs, callback) },
        { rate: 1, wallOffsetMs: 0 },
      );
      const content = await readDatabase(clock, database);
      const isOfLife = machine.currentLife === life;
      const { revisionMax } = received;
      this.snapshots.push({ member, bytes, revisionMin: isOfLife ? revisionMin : 0, revisionMax, content });
      world.trace.note('admin', `snapshot of ${member}: ${bytes.length} bytes, revision ${content.revision}`);
    } catch (error) {
      this.violate(member, `cannot be read: ${error instanceof Error ? (error.stack ?? error.message) : error}`);
    }
  }

  private violate(member: string, text: string): void {
    this.world.violations.push({ checker: 'snapshot', text: `of ${member}: ${text}` });
  }

  /** As `etcdutl snapshot restore` looks at a file: pages, and behind them the SHA-256 of them. */
  private sumProblem(bytes: Uint8Array): string | undefined {
    if (bytes.length % sectorBytes !== digestBytes) return `has ${bytes.length} bytes, and so no checksum`;
    const digest = this.world.edge.sha256();
    digest.update(bytes.subarray(0, bytes.length - digestBytes));
    const isRight = equalBytes(digest.finish(), bytes.subarray(bytes.length - digestBytes));
    return isRight ? undefined : 'has a wrong checksum';
  }

  /** All of a stream that ends well; of another, why it did not. */
  private async receive(machine: Machine, restMs: number): Promise<Received | string> {
    const { port, world } = this;
    const { network, scheduler } = world;
    const token = await port.tokenAt(machine);
    if (token === undefined && port.login !== undefined) return 'no token';
    const chunks: Uint8Array[] = [];
    let revisionMax = Number.POSITIVE_INFINITY;
    let remaining = Number.POSITIVE_INFINITY;
    return new Promise((resolve) => {
      const timer = scheduler.after(timeoutMs, () => {
        stream.cancel();
        resolve('timed out');
      });
      const handlers = {
        message: ({ blob, remainingBytes }: { readonly blob: Uint8Array; readonly remainingBytes: number }) => {
          if (chunks.length === 0) revisionMax = machine.member?.revision() ?? revisionMax;
          // What is said to come is what comes; the checksum is not counted.
          if (remainingBytes > 0 && remainingBytes + blob.length > remaining)
            this.violate(machine.name, `${remainingBytes} bytes remain, after ${remaining}`);
          remaining = remainingBytes;
          chunks.push(blob.slice());
        },
        end: (code: number, text: string) => {
          timer.cancel();
          if (code !== GrpcStatus.ok) port.forgetToken(machine);
          resolve(code === GrpcStatus.ok ? { chunks, revisionMax } : `${code} ${text}`);
        },
      };
      const stream = new ClientStream(
        network,
        port.name,
        machine,
        services.Maintenance.methods.Snapshot,
        handlers,
        token,
      );
      if (restMs > 0) scheduler.after(restAfterMs, () => stream.rest(restMs));
    });
  }
}

function joined(chunks: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(chunks.reduce((size, chunk) => size + chunk.length, 0));
  let position = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, position);
    position += chunk.length;
  }
  return bytes;
}
