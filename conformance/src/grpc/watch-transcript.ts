import { canonicalMessage, showBytes } from './canonical.ts';
import type { DuplexCall } from './connection.ts';
import type { Message } from './services.ts';

const WAIT_MS = 15_000;
const PROGRESS_RETRY_MS = 100;

/** What was asked of one watcher; the transcript is checked against it. */
export interface WatchSpec {
  readonly key: Buffer;
  readonly range_end: Buffer;
  readonly start_revision: number;
  readonly filters: readonly number[];
  readonly prev_kv: boolean;
  readonly fragment: boolean;
}

interface WatcherLog {
  readonly events: string[];
  readonly problems: string[];
  lastRevision: number;
  fragmentOpen: boolean;
  closed: boolean;
}

export interface Transcript {
  /** Created and cancelled responses in the order they came. */
  readonly control: string;
  /** Events of each watcher, whatever responses they came in. */
  readonly events: string;
  /** Promises of the watch API that were broken. */
  readonly problems: readonly string[];
}

function eventRevision(event: Message): number {
  return Number((event.kv as Message).mod_revision);
}

function inInterval(key: Buffer, spec: WatchSpec): boolean {
  const { range_end: end } = spec;
  if (end.length === 0) return key.equals(spec.key);
  if (Buffer.compare(key, spec.key) < 0) return false;
  return (end.length === 1 && end[0] === 0) || Buffer.compare(key, end) < 0;
}

function checkEvents(message: Message, spec: WatchSpec | undefined, log: WatcherLog): void {
  const events = message.events as Message[];
  const header = message.header as Message;
  const first = events[0];
  if (log.closed) log.problems.push('events after the watcher was cancelled');
  // All events of one revision come in one response, unless it was cut into fragments.
  if (first !== undefined && eventRevision(first) === log.lastRevision && !log.fragmentOpen) {
    log.problems.push(`revision ${log.lastRevision} came in two responses`);
  }
  for (const event of events) {
    const revision = eventRevision(event);
    const key = (event.kv as Message).key as Buffer;
    if (revision < log.lastRevision) log.problems.push(`revision ${revision} after ${log.lastRevision}`);
    if (revision > Number(header.revision)) log.problems.push(`event ${revision} above header ${header.revision}`);
    log.lastRevision = revision;
    log.events.push(canonicalMessage(event).replaceAll('\n', ''));
    if (spec === undefined) continue;
    if (revision < spec.start_revision) log.problems.push(`event ${revision} before start ${spec.start_revision}`);
    if (!inInterval(key, spec)) log.problems.push(`key ${showBytes(key)} is outside the interval`);
    if (spec.filters.includes(Number(event.type))) log.problems.push(`filtered event at ${revision}`);
    if (!spec.prev_kv && event.prev_kv !== null) log.problems.push(`prev_kv not asked for at ${revision}`);
  }
  log.fragmentOpen = message.fragment === true;
  if (log.fragmentOpen && spec !== undefined && !spec.fragment) log.problems.push('fragment not asked for');
}

/** Reads all that came over a watch stream. `specs` are by watch id. */
export function transcribe(received: readonly Message[], specs: ReadonlyMap<string, WatchSpec>): Transcript {
  const logs = new Map<string, WatcherLog>();
  const control: string[] = [];
  const problems: string[] = [];
  for (const message of received) {
    const id = String(message.watch_id);
    const isControl = message.created === true || message.canceled === true;
    if (isControl) control.push(canonicalMessage(message).replaceAll('\n', ''));
    const known = logs.get(id);
    if (message.created === true && message.canceled !== true) {
      if (known !== undefined) problems.push(`watcher ${id} was created twice`);
      logs.set(id, { events: [], problems: [], lastRevision: 0, fragmentOpen: false, closed: false });
    } else if (known !== undefined) {
      if (message.canceled === true) known.closed = true;
      else if ((message.events as Message[]).length > 0) checkEvents(message, specs.get(id), known);
    } else if (id !== '-1') {
      problems.push(`message for watcher ${id} before it was created`);
    }
  }
  const events = [...logs].map(([id, log]) => `watcher ${id}\n${log.events.join('\n')}`).join('\n');
  for (const [id, log] of logs) problems.push(...log.problems.map((problem) => `watcher ${id}: ${problem}`));
  return { control: control.join('\n'), events, problems };
}

/** Sends a create request and waits for its answer; the watch id, or undefined when it was refused. */
export async function createWatcher(call: DuplexCall, request: Message): Promise<string | undefined> {
  const isAnswer = (message: Message): boolean => message.created === true;
  const before = call.received.filter(isAnswer).length;
  call.send({ create_request: request });
  const came = await call.until(() => call.received.filter(isAnswer).length > before, WAIT_MS);
  if (!came) throw new Error(`no answer to the watch create request ${canonicalMessage(request)}`);
  const answer = call.received.filter(isAnswer)[before] as Message;
  return answer.canceled === true ? undefined : String(answer.watch_id);
}

/**
 * Asks for progress until the server answers: then every event up to that revision has been sent.
 * The server keeps silent while a watcher of the stream is behind, so the request is repeated.
 */
export async function syncWatchers(call: DuplexCall, revision: number): Promise<boolean> {
  const answered = (): boolean =>
    call.received.some(
      (message) =>
        message.watch_id === '-1' &&
        message.created === false &&
        Number((message.header as Message).revision) >= revision,
    );
  const deadline = Date.now() + WAIT_MS;
  while (Date.now() < deadline) {
    call.send({ progress_request: {} });
    if (await call.until(answered, PROGRESS_RETRY_MS)) return true;
    if (call.end !== undefined) return false;
  }
  return false;
}
