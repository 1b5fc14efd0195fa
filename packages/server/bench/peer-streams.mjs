// Append messages from one member to another over loopback, both ends in this process. Build first, then:
// node packages/server/bench/peer-streams.mjs
// Figures of one machine say little by themselves: compare runs on the same one.
import { noMetrics, silentLogger } from '@quorate/base';
import { NodeClock } from '@quorate/base/node';
import { createEntry, createMessage, MessageType } from '@quorate/raft';
import { listenPeers, makePeerTransport, NodePeerDialer } from 'quorate';

const clock = new NodeClock();

async function end(id) {
  const listener = await listenPeers(['http://127.0.0.1:0'], { logger: silentLogger });
  const dialer = new NodePeerDialer({ dialTimeoutMs: 1000 });
  const source = {
    ...{ memberId: id, clusterId: 1n, isRemoved: () => false },
    reportUnreachable() {},
    reportSnapshot() {},
    removedByPeer() {},
    receiveSnapshot: () => Promise.reject(new Error('there are no snapshots')),
    openSnapshot: () => Promise.reject(new Error('there are no snapshots')),
    /** Replaced by each run. */
    received(/** @type {import('@quorate/raft').Message} */ _message) {},
    receive(/** @type {import('@quorate/raft').Message} */ message) {
      this.received(message);
    },
  };
  const options = { serverVersion: '3.7.1', peerUrls: listener.urls };
  const transport = makePeerTransport({ clock, logger: silentLogger, metrics: noMetrics, dialer }, options, source);
  let served = 0;
  /** @type {Promise<void>} */
  const opened = new Promise((resolve) => {
    listener.serve({
      async handle(request) {
        const answer = await transport.handler.handle(request);
        if (answer.kind === 'stream' && ++served === 2) setImmediate(resolve);
        return answer;
      },
    });
  });
  return { source, transport, listener, dialer, opened, url: listener.urls[0] };
}

function appends(batch, count, size) {
  const common = { type: MessageType.MsgApp, from: 1n, to: 2n, term: 7, logTerm: 7 };
  const first = batch * count;
  const data = new Uint8Array(size);
  const entries = Array.from({ length: count }, (_, i) => createEntry(7, first + i + 1, 0, data));
  return createMessage({ ...common, index: first, commit: first, entries });
}

/** Batches go out as fast as acknowledgements come back, `inflightMax` of them under way. */
function run(one, two, { count, size, batches, inflightMax }) {
  return new Promise((resolve) => {
    const startMs = performance.now();
    const cpu = process.cpuUsage();
    let sent = 0;
    let acked = 0;
    const go = () => {
      while (sent < batches && sent - acked < inflightMax) one.transport.send([appends(sent++, count, size)]);
    };
    two.source.received = (message) => {
      const index = message.index + message.entries.length;
      two.transport.send([createMessage({ type: MessageType.MsgAppResp, from: 2n, to: 1n, term: 7, index })]);
    };
    one.source.received = () => {
      acked++;
      if (acked < batches) return go();
      const seconds = (performance.now() - startMs) / 1000;
      const used = process.cpuUsage(cpu);
      resolve({ seconds, cpuSeconds: (used.user + used.system) / 1e6 });
    };
    go();
  });
}

const one = await end(1n);
const two = await end(2n);
one.transport.setPeer(2n, [two.url]);
two.transport.setPeer(1n, [one.url]);
await Promise.all([one.opened, two.opened]);

for (const load of [
  { count: 1, size: 150, batches: 20_000, inflightMax: 1 },
  { count: 20, size: 150, batches: 20_000, inflightMax: 8 },
  { count: 500, size: 150, batches: 2_000, inflightMax: 8 },
  { count: 64, size: 16_384, batches: 1_000, inflightMax: 8 },
]) {
  const { seconds, cpuSeconds } = await run(one, two, load);
  const { batches, count, size } = load;
  const rate = (batches / seconds).toFixed(0);
  const mebibytes = ((batches * count * size) / seconds / 2 ** 20).toFixed(1);
  const microseconds = ((cpuSeconds / batches) * 1e6).toFixed(1);
  console.log(
    `${count} entries of ${size} bytes, ${load.inflightMax} under way: ${rate} messages/s and acknowledgements back, ` +
      `${mebibytes} MiB/s, ${microseconds} us CPU a message at both ends`,
  );
}

await Promise.all([one, two].map(({ transport }) => transport.stop()));
one.dialer.close();
two.dialer.close();
await Promise.all([one, two].map(({ listener }) => listener.close()));
