import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface LoadShape {
  readonly connections: number;
  /** Calls in flight on each connection. */
  readonly streams: number;
  readonly requests: number;
}

export interface LoadResult {
  readonly perSecond: number;
  /** Milliseconds. */
  readonly p50: number;
  readonly p99: number;
}

/** One gRPC message: a flag byte, the length, the message. */
export function frameMessage(message: Uint8Array): Uint8Array {
  const framed = new Uint8Array(5 + message.length);
  new DataView(framed.buffer).setUint32(1, message.length);
  framed.set(message, 5);
  return framed;
}

/** Runs h2load with the same unary call throughout. @throws Error when calls failed */
export async function runH2load(url: string, path: string, message: Uint8Array, shape: LoadShape): Promise<LoadResult> {
  const directory = mkdtempSync(join(tmpdir(), 'quorate-h2load-'));
  try {
    const body = join(directory, 'body');
    const log = join(directory, 'log');
    writeFileSync(body, frameMessage(message));
    const output = await run('h2load', [
      `-c${shape.connections}`,
      `-m${shape.streams}`,
      `-n${shape.requests}`,
      `-d${body}`,
      `--log-file=${log}`,
      '-Hcontent-type: application/grpc',
      '-Hte: trailers',
      `${url}${path}`,
    ]);
    const perSecond = Number(/finished in [^,]+, ([\d.]+) req\/s/.exec(output)?.[1]);
    const succeeded = Number(/(\d+) succeeded/.exec(output)?.[1]);
    if (succeeded !== shape.requests)
      throw new Error(`h2load: ${succeeded} of ${shape.requests} calls succeeded\n${output}`);
    const times = readFileSync(log, 'utf8')
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => Number(line.split('\t')[2]) / 1000)
      .sort((a, b) => a - b);
    const at = (share: number) => times[Math.min(times.length - 1, Math.floor(times.length * share))] ?? Number.NaN;
    return { perSecond, p50: at(0.5), p99: at(0.99) };
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

function run(command: string, args: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    child.stdout.on('data', (chunk) => {
      output += chunk;
    });
    child.stderr.on('data', (chunk) => {
      output += chunk;
    });
    child.once('error', reject);
    child.once('exit', (code) => {
      if (code === 0) resolve(output);
      else reject(new Error(`${command} ended with ${code}\n${output}`));
    });
  });
}
