import {
  type AnyConfChange,
  ConfChangeTransition,
  createConfChange,
  createConfChangeV2,
  parseConfChanges,
} from '../../conf-change.ts';
import { ReadOnlyOption } from '../../core/config.ts';
import { describeEntries, describeMessage } from '../../describe.ts';
import type { RaftError } from '../../errors.ts';
import { createMessage, MessageType, messageTypeFromName } from '../../message.ts';
import { createConfState, emptySnapshot, type Snapshot } from '../../state.ts';
import { isVoter } from '../../tracker/configuration.ts';
import { describeProgress } from '../../tracker/progress.ts';
import { argumentOf, type DirectiveArgument, flagOf, type ScenarioCase } from '../datadriven.ts';
import type { Environment, Recipient } from './environment.ts';

export type Command = (env: Environment, scenario: ScenarioCase) => void;

function idOf(text: string | undefined): bigint {
  if (text === undefined || !/^\d+$/.test(text)) throw new Error(`not a node: ${text}`);
  return BigInt(text);
}

/** Ids among the arguments. */
function idsOf(scenario: ScenarioCase): bigint[] {
  return scenario.args.filter((arg) => arg.values.length === 0 && /^\d+$/.test(arg.key)).map((arg) => idOf(arg.key));
}

function firstId(scenario: ScenarioCase): bigint {
  return idOf(scenario.args[0]?.key);
}

function textOf(scenario: ScenarioCase, key: string): string | undefined {
  return argumentOf(scenario, key)?.values[0];
}

function numberOf(scenario: ScenarioCase, key: string, fallback: number): number {
  const text = textOf(scenario, key);
  return text === undefined ? fallback : Number(text);
}

function check(failed: RaftError | undefined): void {
  if (failed !== undefined) throw failed;
}

function addNodes(env: Environment, scenario: ScenarioCase): void {
  const readOnly = textOf(scenario, 'read-only') ?? ReadOnlyOption.Safe;
  if (readOnly !== ReadOnlyOption.Safe && readOnly !== ReadOnlyOption.LeaseBased) {
    throw new Error(`invalid read-only option "${readOnly}"`);
  }
  const snapshot = initialSnapshot(scenario);
  const committedSize = numberOf(scenario, 'max-committed-size-per-ready', 0);
  env.add(
    Number(scenario.args[0]?.key),
    {
      electionTick: 3,
      heartbeatTick: 1,
      maxInflightMsgs: numberOf(scenario, 'inflight', 0x7fff_ffff),
      ...(committedSize === 0 ? {} : { maxCommittedSizePerReady: committedSize }),
      asyncStorageWrites: flagOf(scenario, 'async-storage-writes'),
      preVote: flagOf(scenario, 'prevote'),
      checkQuorum: flagOf(scenario, 'checkquorum'),
      disableConfChangeValidation: flagOf(scenario, 'disable-conf-change-validation'),
      stepDownOnRemoval: flagOf(scenario, 'step-down-on-removal'),
      readOnlyOption: readOnly,
      applied: snapshot.metadata.index,
    },
    snapshot,
  );
}

function initialSnapshot(scenario: ScenarioCase): Snapshot {
  const ids = (key: string) => (argumentOf(scenario, key)?.values ?? []).map(idOf);
  const index = numberOf(scenario, 'index', 0);
  const content = textOf(scenario, 'content') ?? '';
  const voters = ids('voters');
  const learners = ids('learners');
  if (index === 0 && content === '' && voters.length === 0 && learners.length === 0) return emptySnapshot;
  if (index <= 1) throw new Error('index must be specified as > 1 due to bootstrap');
  return {
    data: Uint8Array.from(content, (char) => char.charCodeAt(0)),
    metadata: { confState: createConfState({ voters, learners }), index, term: 1 },
  };
}

function tick(env: Environment, scenario: ScenarioCase, kind: 'electionTick' | 'heartbeatTick'): void {
  const node = env.node(firstId(scenario));
  for (let i = 0; i < node.config[kind]; i++) node.raw.tick();
}

const transitions: Readonly<Record<string, ConfChangeTransition>> = {
  auto: ConfChangeTransition.Auto,
  implicit: ConfChangeTransition.JointImplicit,
  explicit: ConfChangeTransition.JointExplicit,
};

function proposeConfChange(env: Environment, scenario: ScenarioCase): void {
  const name = textOf(scenario, 'transition') ?? 'auto';
  const transition = transitions[name];
  if (transition === undefined) throw new Error(`unknown transition ${name}`);
  const changes = parseConfChanges(scenario.input);
  let change: AnyConfChange;
  if (flagOf(scenario, 'v1')) {
    const [single, ...more] = changes;
    if (single === undefined || more.length > 0 || transition !== ConfChangeTransition.Auto) {
      throw new Error('v1 conf change can only have one operation and no transition');
    }
    change = createConfChange(single);
  } else {
    change = createConfChangeV2({ transition, changes });
  }
  check(env.node(firstId(scenario)).raw.proposeConfChange(change));
}

function deliverMessages(env: Environment, scenario: ScenarioCase): void {
  const recipients: Recipient[] = [];
  let type: MessageType | undefined;
  for (const arg of scenario.args) {
    if (arg.values.length === 0) recipients.push({ id: idOf(arg.key), drop: false });
    if (arg.key === 'drop') for (const id of arg.values) recipients.push(dropped(recipients, id));
    if (arg.key === 'type') type = typeNamed(arg);
  }
  if (env.deliver(recipients, type) === 0) env.output.write('no messages\n');
}

function dropped(recipients: readonly Recipient[], text: string): Recipient {
  const id = idOf(text);
  if (recipients.some((other) => other.id === id)) throw new Error(`can't both deliver and drop msgs to ${id}`);
  return { id, drop: true };
}

function typeNamed(arg: DirectiveArgument): MessageType {
  const name = arg.values[0] ?? '';
  const type = messageTypeFromName(name);
  if (type === undefined) throw new Error(`unknown message type ${name}`);
  return type;
}

/** Runs `body` for each id, under a header if there are several. */
function forEach(env: Environment, scenario: ScenarioCase, header: string, body: (id: bigint) => void): void {
  const ids = idsOf(scenario);
  for (const id of ids) {
    if (ids.length === 1) {
      body(id);
    } else {
      env.output.write(`> ${id} ${header}\n`);
      env.output.indented(() => body(id));
    }
  }
}

function stabilize(env: Environment, scenario: ScenarioCase): void {
  const before = env.output.levelName;
  const level = textOf(scenario, 'log-level');
  if (level !== undefined) env.output.setLevel(level);
  try {
    const ids = idsOf(scenario);
    env.stabilize(ids.length > 0 ? ids : env.ids);
  } finally {
    env.output.setLevel(before);
  }
}

function raftLog(env: Environment, id: bigint): void {
  const { storage } = env.node(id);
  const first = storage.firstIndex();
  const last = storage.lastIndex();
  if (last < first) env.output.write(`log is empty: first index=${first}, last index=${last}`);
  else env.output.write(describeEntries(storage.entries(first, last + 1, Number.POSITIVE_INFINITY)));
}

function compact(env: Environment, scenario: ScenarioCase): void {
  const id = firstId(scenario);
  env.node(id).storage.compact(Number(scenario.args[1]?.key));
  raftLog(env, id);
}

function sendSnapshot(env: Environment, scenario: ScenarioCase): void {
  const from = firstId(scenario);
  const to = idOf(scenario.args[1]?.key);
  const { raw, storage } = env.node(from);
  const { term } = raw.basicStatus().hardState;
  const message = createMessage({ type: MessageType.MsgSnap, term, from, to, snapshot: storage.snapshot() });
  env.messages.push(message);
  env.output.write(describeMessage(message));
}

function raftState(env: Environment): void {
  for (const node of env.nodes) {
    const { id, config, softState, hardState } = node.raw.status();
    const voter = isVoter(config, id) ? '(Voter)' : '(Non-Voter)';
    env.output.write(`${id}: ${softState.state} ${voter} Term:${hardState.term} Lead:${softState.leader}\n`);
  }
}

/** What each directive does; all may throw, and the text of the error is then printed. */
export const commands: Readonly<Record<string, Command>> = {
  _breakpoint: () => {},
  'add-nodes': addNodes,
  campaign: (env, scenario) => env.node(firstId(scenario)).raw.campaign(),
  compact,
  'deliver-msgs': deliverMessages,
  'forget-leader': (env, scenario) => env.node(firstId(scenario)).raw.forgetLeader(),
  'log-level': (env, scenario) => env.output.setLevel(scenario.args[0]?.key ?? ''),
  'process-append-thread': (env, scenario) =>
    forEach(env, scenario, 'processing append thread', (id) => env.processAppendThread(id)),
  'process-apply-thread': (env, scenario) =>
    forEach(env, scenario, 'processing apply thread', (id) => env.processApplyThread(id)),
  'process-ready': (env, scenario) => forEach(env, scenario, 'handling Ready', (id) => env.processReady(id)),
  propose: (env, scenario) => {
    const data = scenario.args[1]?.key ?? '';
    check(env.node(firstId(scenario)).raw.propose(Uint8Array.from(data, (char) => char.charCodeAt(0))));
  },
  'propose-conf-change': proposeConfChange,
  'raft-log': (env, scenario) => raftLog(env, firstId(scenario)),
  'raft-state': raftState,
  'report-unreachable': (env, scenario) =>
    env.node(firstId(scenario)).raw.reportUnreachable(idOf(scenario.args[1]?.key)),
  'send-snapshot': sendSnapshot,
  'set-randomized-election-timeout': (env, scenario) =>
    env.node(firstId(scenario)).raw.setRandomizedElectionTimeout(numberOf(scenario, 'timeout', 0)),
  stabilize,
  status: (env, scenario) =>
    env.output.write(describeProgress(env.node(firstId(scenario)).raw.status().progress.values())),
  'tick-election': (env, scenario) => tick(env, scenario, 'electionTick'),
  'tick-heartbeat': (env, scenario) => tick(env, scenario, 'heartbeatTick'),
  'transfer-leadership': (env, scenario) =>
    env.node(idOf(textOf(scenario, 'from'))).raw.transferLeader(idOf(textOf(scenario, 'to'))),
};
