import { Session } from 'node:inspector/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { openFilesMax } from './process-metrics.ts';

const samplingIntervalBytes = 64 * 1024;

/** What `/debug/vars` shows of the process, as JSON texts. `memstats` has of Go's names those that mean something here. */
export function processVariables(): Record<string, string> {
  const { rss, heapTotal, heapUsed, external, arrayBuffers } = process.memoryUsage();
  return {
    cmdline: JSON.stringify(process.argv),
    file_descriptor_limit: String(openFilesMax()),
    memstats: JSON.stringify({
      Alloc: heapUsed + external,
      Sys: rss,
      HeapAlloc: heapUsed,
      HeapSys: heapTotal,
      HeapInuse: heapUsed,
      OtherSys: arrayBuffers,
    }),
  };
}

/** V8's CPU profile of the next `seconds`, for a browser's developer tools. */
export async function profileCpu(seconds: number): Promise<string> {
  const session = new Session();
  session.connect();
  try {
    await session.post('Profiler.enable');
    await session.post('Profiler.start');
    await sleep(seconds * 1000);
    const { profile } = await session.post('Profiler.stop');
    return JSON.stringify(profile);
  } finally {
    session.disconnect();
  }
}

/** V8's sampled allocations of the next `seconds`. */
export async function profileHeap(seconds: number): Promise<string> {
  const session = new Session();
  session.connect();
  try {
    await session.post('HeapProfiler.startSampling', { samplingInterval: samplingIntervalBytes });
    await sleep(seconds * 1000);
    const { profile } = await session.post('HeapProfiler.stopSampling');
    return JSON.stringify(profile);
  } finally {
    session.disconnect();
  }
}
