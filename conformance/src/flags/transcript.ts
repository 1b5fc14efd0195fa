import type { RunResult } from '../support/process.ts';

/** Lines of a start that tell where its configuration came from and what became of it. */
const telling: ReadonlySet<string> = new Set([
  'Running: ',
  'failed to verify flags',
  'advertise client URLs are not set',
  'conflicting environment variable is shadowed by corresponding command-line flag (either unset environment variable or disable flag))',
  'recognized and used environment variable',
  'unrecognized environment variable',
  'cannot set special environment variable',
  'loaded server configuration, other configuration command line flags and environment variables will be ignored if provided',
  "'data-dir' was empty; using default",
  'Initialize and start etcd server',
  'discovery failed',
  'bootstrap failed',
  'failed to get client self-signed certs',
  'failed to get peer self-signed certs',
  'failed to bootstrap; discovery token was already used',
  'do not reuse discovery token; generate a new one to bootstrap a cluster',
  'raft-read-timeout increased to minimum value: 5s',
  'raft-write-timeout increased to minimum value: 5s',
]);

interface LogLine {
  readonly level: string;
  readonly msg: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

function readLine(line: string): LogLine | undefined {
  const columns = line.split('\t');
  try {
    if (/^\d{4}-/.test(line) && columns.length >= 4) {
      const [, level = '', , msg = '', fields = '{}'] = columns;
      return { level, msg, fields: JSON.parse(fields) };
    }
    const { level, msg, ts: _ts, caller: _caller, stacktrace: _stack, ...fields } = JSON.parse(line);
    return { level, msg, fields };
  } catch {
    return undefined;
  }
}

/** Of warnings while the server runs those count that are repeated from before. */
function isTelling({ level, msg }: LogLine, seen: ReadonlySet<string>, isRunning: boolean): boolean {
  return telling.has(msg) || (level === 'warn' && (!isRunning || seen.has(msg)));
}

/** What the YAML library says of broken files, and the system of directories, is their own. */
const librarys = /(?<=error converting YAML to JSON: yaml: |cannot access data directory: ).*/s;

function shown({ level, msg, fields }: LogLine): string {
  if (msg === 'Running: ') return `${level} ${msg}`;
  const said = String(fields.error ?? '').replace(librarys, '…');
  return `${level} ${msg} ${JSON.stringify(said === '' ? fields : { ...fields, error: said })}`;
}

/** What a start said and how it ended, without what differs by right. */
export function transcriptOf(result: RunResult, replace: (text: string) => string): string {
  const seen = new Set<string>();
  const lines: string[] = [];
  let isRunning = false;
  for (const line of `${result.stderr}${result.stdout}`.split('\n')) {
    const read = readLine(line);
    if (read === undefined) {
      if (/^(?:invalid |flag |bad flag |unexpected |unknown |panic: |Error: |error |failed to |SRV or )/.test(line))
        lines.push(line);
    } else if (isTelling(read, seen, isRunning)) {
      seen.add(read.msg);
      isRunning ||= read.msg === 'Running: ';
      lines.push(shown(read));
    }
  }
  const streams = [result.stdout === '' ? '' : 'stdout', result.stderr === '' ? '' : 'stderr'].filter(
    (name) => name !== '',
  );
  return replace([...lines, `exit ${result.exit}, wrote to ${streams.join(' and ')}`].join('\n'));
}
