import { writeSync } from 'node:fs';
import { parentPort, workerData } from 'node:worker_threads';
import { saveRegression } from './regressions.ts';

interface Given {
  readonly shared: SharedArrayBuffer;
  readonly headWords: number;
  readonly target: string;
  readonly hangMs: number;
}

const { shared, headWords, target, hangMs } = workerData as Given;
const head = new Int32Array(shared, 0, headWords);
const room = new Uint8Array(shared, headWords * 4);
let seen = 0;

setInterval(() => {
  const count = Atomics.load(head, 0);
  if (count !== seen || count % 2 === 0) {
    seen = count;
    return;
  }
  const path = saveRegression(target, room.slice(0, head[1] as number));
  // The main thread, which writes for us otherwise, does not come to it.
  writeSync(2, `fuzz: ${target}: an input runs longer than ${hangMs} ms: ${path}\n`);
  process.kill(process.pid, 'SIGKILL');
}, hangMs);

parentPort?.postMessage('started');
