import {
  type AnyConfChange,
  ConfChangeTransition,
  createConfChange,
  createConfChangeV2,
  parseConfChanges,
} from '../../conf-change.ts';
import { describeEntries, describeMessage } from '../../describe.ts';
import type { RaftError } from '../../errors.ts';
import { createMessage, MessageType, messageTypeFromName } from '../../message.ts';
import { isVoter } from '../../tracker/configuration.ts';
import { describeProgress } from '../../tracker/progress.ts';
import { bytesOf } from '../bytes-of.ts';
import type { ScenarioCase } from '../datadriven.ts';
import { flagOf, idFrom, numberFrom, optionOf, wordsOf } from '../directive.ts';
import { addNodes, addNodesOptions } from './add-nodes.ts';
import type { Environment, Recipient } from './environment.ts';

export interface Command {
  /** How many bare words it takes, at least and at most; by default none. */
  readonly words?: readonly [min: number, max: number];
  /** Which `key=value` it takes. */
  readonly options?: readonly string[];
  /** May throw; the text of the error is then printed. */
  readonly run: (env: Environment, scenario: ScenarioCase) => void;
}

const any = [0, Number.POSITIVE_INFINITY] as const;
const one = [1, 1] as const;
const two = [2, 2] as const;

function idsOf(scenario: ScenarioCase): bigint[] {
  return wordsOf(scenario).map(idFrom);
}

function firstId(scenario: ScenarioCase): bigint {
  return idFrom(wordsOf(scenario)[0]);
}

function check(failed: RaftError | undefined): void {
  if (failed !== undefined) throw failed;
}

function tick(env: Environment, scenario: ScenarioCase, kind: 'electionTick' | 'heartbeatTick'): void {
  const node = env.node(firstId(scenario));
  for (let i = 0; i < node.config[kind]; i++) node.raw.tick();
}

function propose(env: Environment, scenario: ScenarioCase): void {
  const data = bytesOf(wordsOf(scenario)[1] as string);
  check(env.node(firstId(scenario)).raw.propose(data));
}

const transitions: Readonly<Record<string, ConfChangeTransition>> = {
  auto: ConfChangeTransition.Auto,
  implicit: ConfChangeTransition.JointImplicit,
  explicit: ConfChangeTransition.JointExplicit,
};

function proposeConfChange(env: Environment, scenario: ScenarioCase): void {
  const name = optionOf(scenario, 'transition') ?? 'auto';
  const transition = Object.hasOwn(transitions, name) ? transitions[name] : undefined;
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
  // In the order in which they are given: what is dropped may come before what is delivered.
  for (const { key, values } of scenario.args) {
    if (values === undefined) recipients.push({ id: idFrom(key), drop: false });
    if (key !== 'drop') continue;
    for (const id of (values ?? []).map(idFrom)) {
      if (recipients.some((other) => other.id === id)) throw new Error(`can't both deliver and drop msgs to ${id}`);
      recipients.push({ id, drop: true });
    }
  }
  const typeName = optionOf(scenario, 'type');
  const type = typeName === undefined ? undefined : typeNamed(typeName);
  if (env.deliver(recipients, type) === 0) env.output.write('no messages\n');
}

function typeNamed(name: string): MessageType {
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
  const level = optionOf(scenario, 'log-level');
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
  env.node(id).storage.compact(numberFrom(wordsOf(scenario)[1], 'the index'));
  raftLog(env, id);
}

function sendSnapshot(env: Environment, scenario: ScenarioCase): void {
  const [from, to] = idsOf(scenario) as [bigint, bigint];
  const { raw, storage } = env.node(from);
  const { term } = raw.basicStatus().hardState;
  const message = createMessage({ type: MessageType.MsgSnap, term, from, to, snapshot: storage.snapshot() });
  env.messages.push(message);
  env.output.write(describeMessage(message));
}

function reportUnreachable(env: Environment, scenario: ScenarioCase): void {
  const [on, unreachable, ...more] = idsOf(scenario);
  if (on === undefined || unreachable === undefined || more.length > 0) {
    throw new Error('must specify exactly two node indexes: node on which to report, and reported node');
  }
  env.node(on).raw.reportUnreachable(env.node(unreachable).config.id);
}

function setRandomizedElectionTimeout(env: Environment, scenario: ScenarioCase): void {
  const timeout = numberFrom(optionOf(scenario, 'timeout'), 'timeout');
  if (timeout === 0) throw new Error('timeout must not be 0');
  env.node(firstId(scenario)).raw.setRandomizedElectionTimeout(timeout);
}

function transferLeadership(env: Environment, scenario: ScenarioCase): void {
  const from = env.node(idFrom(optionOf(scenario, 'from')));
  from.raw.transferLeader(env.node(idFrom(optionOf(scenario, 'to'))).config.id);
}

function raftState(env: Environment): void {
  for (const node of env.nodes) {
    const { id, config, softState, hardState } = node.raw.status();
    const voter = isVoter(config, id) ? '(Voter)' : '(Non-Voter)';
    env.output.write(`${id}: ${softState.state} ${voter} Term:${hardState.term} Lead:${softState.leader}\n`);
  }
}

/** All directives. */
export const commands: Readonly<Record<string, Command>> = {
  _breakpoint: { words: any, run: () => {} },
  'add-nodes': { words: one, options: addNodesOptions, run: addNodes },
  campaign: { words: one, run: (env, scenario) => env.node(firstId(scenario)).raw.campaign() },
  compact: { words: two, run: compact },
  'deliver-msgs': { words: any, options: ['drop', 'type'], run: deliverMessages },
  'forget-leader': { words: one, run: (env, scenario) => env.node(firstId(scenario)).raw.forgetLeader() },
  'log-level': { words: one, run: (env, scenario) => env.output.setLevel(wordsOf(scenario)[0] as string) },
  'process-append-thread': {
    words: any,
    run: (env, scenario) => forEach(env, scenario, 'processing append thread', (id) => env.processAppendThread(id)),
  },
  'process-apply-thread': {
    words: any,
    run: (env, scenario) => forEach(env, scenario, 'processing apply thread', (id) => env.processApplyThread(id)),
  },
  'process-ready': {
    words: any,
    run: (env, scenario) => forEach(env, scenario, 'handling Ready', (id) => env.processReady(id)),
  },
  propose: { words: two, run: propose },
  'propose-conf-change': { words: one, options: ['v1', 'transition'], run: proposeConfChange },
  'raft-log': { words: one, run: (env, scenario) => raftLog(env, firstId(scenario)) },
  'raft-state': { run: raftState },
  'report-unreachable': { words: any, run: reportUnreachable },
  'send-snapshot': { words: two, run: sendSnapshot },
  'set-randomized-election-timeout': { words: one, options: ['timeout'], run: setRandomizedElectionTimeout },
  stabilize: { words: any, options: ['log-level'], run: stabilize },
  status: {
    words: one,
    run: (env, scenario) =>
      env.output.write(describeProgress(env.node(firstId(scenario)).raw.status().progress.values())),
  },
  'tick-election': { words: one, run: (env, scenario) => tick(env, scenario, 'electionTick') },
  'tick-heartbeat': { words: one, run: (env, scenario) => tick(env, scenario, 'heartbeatTick') },
  'transfer-leadership': { options: ['from', 'to'], run: transferLeadership },
};
