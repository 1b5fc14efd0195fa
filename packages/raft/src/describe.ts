import { describeConfChanges, toConfChangeV2 } from './conf-change.ts';
import { confChangeOfEntry } from './conf-change-codec.ts';
import { type Entry, EntryType, entryTypeName } from './entry.ts';
import { hex } from './hex.ts';
import { type Message, messageTypeName } from './message.ts';
import { quote } from './quote.ts';
import type { Ready } from './ready.ts';
import {
  type ConfState,
  type HardState,
  isEmptyHardState,
  isEmptySnapshot,
  LOCAL_APPEND_THREAD,
  LOCAL_APPLY_THREAD,
  NONE,
  type ReadState,
  type Snapshot,
  type SoftState,
} from './state.ts';

/** Makes the text of a normal entry's data. Unless given, it is quoted: text as it is, other bytes as `\x00`. */
export type EntryFormatter = (data: Uint8Array) => string;

/** `Term:1 Vote:2 Commit:3`; without a vote its part is left out. */
export function describeHardState(state: HardState): string {
  const vote = state.vote === NONE ? '' : ` Vote:${state.vote}`;
  return `Term:${state.term}${vote} Commit:${state.commit}`;
}

/** `Lead:1 State:StateFollower`. */
export function describeSoftState(state: SoftState): string {
  return `Lead:${state.leader} State:${state.state}`;
}

/** `Voters:[1 2 3] VotersOutgoing:[] Learners:[] LearnersNext:[] AutoLeave:false`. */
export function describeConfState(state: ConfState): string {
  const ids = (all: readonly bigint[]) => `[${all.join(' ')}]`;
  return (
    `Voters:${ids(state.voters)} VotersOutgoing:${ids(state.votersOutgoing)} ` +
    `Learners:${ids(state.learners)} LearnersNext:${ids(state.learnersNext)} AutoLeave:${state.autoLeave}`
  );
}

/** `Index:5 Term:1 ConfState:…`, without the data. */
export function describeSnapshot(snapshot: Snapshot): string {
  const { index, term, confState } = snapshot.metadata;
  return `Index:${index} Term:${term} ConfState:${describeConfState(confState)}`;
}

/** `1/4 EntryNormal "data"`: term, index, type, and the data or the changes. */
export function describeEntry(entry: Entry, format: EntryFormatter = quote): string {
  const head = `${entry.term}/${entry.index} ${entryTypeName(entry.type)}`;
  const text = entry.type === EntryType.Normal ? format(entry.data) : describeChangesOf(entry);
  return text === '' ? head : `${head} ${text}`;
}

function describeChangesOf(entry: Entry): string {
  try {
    const change = confChangeOfEntry(entry);
    return change === undefined ? '' : describeConfChanges(toConfChangeV2(change).changes);
  } catch (error) {
    return (error as Error).message;
  }
}

/** A line an entry, each as {@link describeEntry} makes it. */
export function describeEntries(entries: readonly Entry[], format: EntryFormatter = quote): string {
  return entries.map((entry) => `${describeEntry(entry, format)}\n`).join('');
}

function describeTarget(id: bigint): string {
  if (id === NONE) return 'None';
  if (id === LOCAL_APPEND_THREAD) return 'AppendThread';
  if (id === LOCAL_APPLY_THREAD) return 'ApplyThread';
  return hex(id);
}

/**
 * `1->2 MsgApp Term:1 Log:1/4 Commit:3 Entries:[…]`: a message on one line, or on several if it has many entries, a
 * snapshot or responses; without newline at the end. Ids of nodes are hexadecimal.
 */
export function describeMessage(message: Message, format: EntryFormatter = quote): string {
  return describeIndented('', message, format);
}

function describeIndented(indent: string, message: Message, format: EntryFormatter): string {
  const { entries, responses, snapshot } = message;
  let text =
    `${indent}${describeTarget(message.from)}->${describeTarget(message.to)} ${messageTypeName(message.type)} ` +
    `Term:${message.term} Log:${message.logTerm}/${message.index}`;
  if (message.reject) text += ` Rejected (Hint: ${message.rejectHint})`;
  if (message.commit !== 0) text += ` Commit:${message.commit}`;
  if (message.vote !== NONE) text += ` Vote:${message.vote}`;
  if (entries.length === 1) {
    text += ` Entries:[${describeEntry(entries[0] as Entry, format)}]`;
  } else if (entries.length > 1) {
    text += ' Entries:[';
    for (const entry of entries) text += `\n${indent}  ${describeEntry(entry, format)}`;
    text += `\n${indent}]`;
  }
  if (snapshot !== undefined && !isEmptySnapshot(snapshot)) {
    text += `\n${indent}  Snapshot: ${describeSnapshot(snapshot)}`;
  }
  if (responses.length > 0) {
    text += ' Responses:[';
    for (const response of responses) text += `\n${describeIndented(`${indent}  `, response, format)}`;
    text += `\n${indent}]`;
  }
  return text;
}

function describeReadStates(states: readonly ReadState[]): string {
  return `[${states.map(({ index, requestContext }) => `{${index} [${requestContext.join(' ')}]}`).join(' ')}]`;
}

/** All parts of a Ready that are there, each on its lines, with newline at the end; `<empty Ready>` if there is none. */
export function describeReady(ready: Ready, format: EntryFormatter = quote): string {
  let text = '';
  if (ready.softState !== undefined) text += `${describeSoftState(ready.softState)}\n`;
  if (ready.hardState !== undefined && !isEmptyHardState(ready.hardState)) {
    text += `HardState ${describeHardState(ready.hardState)}\n`;
  }
  if (ready.readStates.length > 0) text += `ReadStates ${describeReadStates(ready.readStates)}\n`;
  if (ready.entries.length > 0) text += `Entries:\n${describeEntries(ready.entries, format)}`;
  if (ready.snapshot !== undefined && !isEmptySnapshot(ready.snapshot)) {
    text += `Snapshot ${describeSnapshot(ready.snapshot)}\n`;
  }
  if (ready.committedEntries.length > 0) {
    text += `CommittedEntries:\n${describeEntries(ready.committedEntries, format)}`;
  }
  if (ready.messages.length > 0) {
    text += 'Messages:\n';
    for (const message of ready.messages) text += `${describeMessage(message, format)}\n`;
  }
  return text === '' ? '<empty Ready>' : `Ready MustSync=${ready.mustSync}:\n${text}`;
}
