import { etcdserverpb } from '@quorate/api';
import { utf8ToBytes } from '@quorate/base';
import { connect, fill } from './loads.ts';
import type { Server } from './servers.ts';

/** How late a 10 ms timer of the server came while something long ran; milliseconds. */
export interface LoopDelay {
  readonly name: string;
  readonly p999: number;
  readonly max: number;
  readonly tookMs: number;
}

const { CompactionRequest, CompactionResponse, RangeRequest, SnapshotRequest } = etcdserverpb;
const keys = 1_000_000;
const limitMs = 300_000;

/** The delays since the last look, read off the server's own metric, which starts anew with each look. */
async function takeDelays(server: Server): Promise<{ p999: number; max: number }> {
  const text = await (await fetch(`${server.url}/metrics`)).text();
  const read = (quantile: string) =>
    Number(new RegExp(`^quorate_event_loop_delay_seconds\\{quantile="${quantile}"\\} (\\S+)$`, 'm').exec(text)?.[1]) *
    1000;
  return { p999: read('0.999'), max: read('1') };
}

async function measure(server: Server, name: string, run: () => Promise<void>): Promise<LoopDelay> {
  // Commits and collections of what was loaded before are not what is measured.
  await new Promise((resolve) => setTimeout(resolve, 3_000));
  await takeDelays(server);
  const startMs = performance.now();
  await run();
  return { name, ...(await takeDelays(server)), tookMs: performance.now() - startMs };
}

/** A range over a million keys, a compaction of a million revisions, a snapshot of more than a GiB, hashing all of it. */
export async function measureLoopDelays(server: Server): Promise<LoopDelay[]> {
  const client = connect(server.port);
  const prefix = 'loop/';
  const all = { key: utf8ToBytes(prefix), rangeEnd: utf8ToBytes('loop0') };
  const delays: LoopDelay[] = [];
  const options = { timeoutMs: limitMs };
  await fill(server.port, { keys, prefix, value: new Uint8Array(256).fill(0x78) });
  delays.push(
    await measure(server, 'loop-range', async () => {
      const answer = await client.unary(
        '/etcdserverpb.KV/Range',
        RangeRequest.encode(RangeRequest.create(all)),
        options,
      );
      if (answer.length < keys * 256) throw new Error(`the range answered ${answer.length} bytes`);
    }),
  );
  await fill(server.port, { keys, prefix, value: new Uint8Array(1000).fill(0x79) });
  const count = await client.unary(
    '/etcdserverpb.KV/Range',
    RangeRequest.encode(RangeRequest.create({ ...all, limit: 1 })),
    options,
  );
  const revision = etcdserverpb.RangeResponse.decode(count).header?.revision ?? 0;
  delays.push(
    await measure(server, 'loop-compaction', async () => {
      const request = CompactionRequest.encode(CompactionRequest.create({ revision, physical: true }));
      CompactionResponse.decode(await client.unary('/etcdserverpb.KV/Compact', request, options));
    }),
  );
  let bytes = 0;
  delays.push(
    await measure(server, 'loop-snapshot', () => {
      const stream = client.stream('/etcdserverpb.Maintenance/Snapshot', options);
      return new Promise((resolve, reject) => {
        stream.onMessage((message) => {
          bytes += message.length;
        });
        stream.onEnd(({ code, message }) => (code === 0 ? resolve() : reject(new Error(message))));
        stream.write(SnapshotRequest.encode(SnapshotRequest.create()));
        stream.end();
      });
    }),
  );
  if (bytes < 2 ** 30) throw new Error(`the snapshot had ${bytes} bytes only`);
  delays.push(
    await measure(server, 'loop-hash', async () => {
      await client.unary('/etcdserverpb.Maintenance/HashKV', new Uint8Array(0), options);
    }),
  );
  client.close();
  return delays;
}
