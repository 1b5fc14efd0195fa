import { emptyBytes } from './entry.ts';
import { RaftError } from './errors.ts';
import { quote } from './quote.ts';

/** What a change does to one node. Numbers of the protocol's `ConfChangeType`. */
export const ConfChangeType = {
  /** Makes it a voter: a new node, or one that was a learner. */
  AddNode: 0,
  /** Removes it, voter or learner. */
  RemoveNode: 1,
  /** Changes nothing in raft: for what the application keeps of the node, in `context`. */
  UpdateNode: 2,
  /** Makes it a learner, who gets the log but has no vote: a new node, or one that was a voter (thesis, section 4.2.1). */
  AddLearnerNode: 3,
} as const;
export type ConfChangeType = (typeof ConfChangeType)[keyof typeof ConfChangeType];

/**
 * How a change of several nodes passes from the old configuration to the new one (section 6 of the Raft paper, 4.3 of the
 * thesis). Numbers of the protocol's `ConfChangeTransition`.
 */
export const ConfChangeTransition = {
  /** Simple if one voter changes at most, else joint and left by itself. */
  Auto: 0,
  /** Joint, left by itself. */
  JointImplicit: 1,
  /** Joint until an empty change leaves it. */
  JointExplicit: 2,
} as const;
export type ConfChangeTransition = (typeof ConfChangeTransition)[keyof typeof ConfChangeTransition];

/** The older form of a change: one node (section 4.1 of the thesis). */
export interface ConfChange {
  /** The application's own number of the change, 0 if it has none. Raft does not read it. */
  readonly id: bigint;
  /** What happens to the node. */
  readonly type: ConfChangeType;
  /** Which node. With 0 the change has no effect. */
  readonly nodeId: bigint;
  /** The application's own bytes. Raft does not read them. */
  readonly context: Uint8Array;
}

/** What happens to one node in a {@link ConfChangeV2}. */
export interface ConfChangeSingle {
  /** What happens to the node. */
  readonly type: ConfChangeType;
  /** Which node. With 0 this part has no effect. */
  readonly nodeId: bigint;
}

/** A change of any number of nodes; without any it leaves a joint configuration. */
export interface ConfChangeV2 {
  /** Whether it goes through a joint configuration, and who leaves that. */
  readonly transition: ConfChangeTransition;
  /** In order. */
  readonly changes: readonly ConfChangeSingle[];
  /** The application's own bytes. Raft does not read them. */
  readonly context: Uint8Array;
}

/** Either form. A `ConfChangeV2` is told by its `changes`. */
export type AnyConfChange = ConfChange | ConfChangeV2;

/** Tells the two forms apart. */
export function isConfChangeV2(change: AnyConfChange): change is ConfChangeV2 {
  return 'changes' in change;
}

/** A change of one node: id 0 and no context unless given. */
export function createConfChange(init: Pick<ConfChange, 'type' | 'nodeId'> & Partial<ConfChange>): ConfChange {
  return { id: init.id ?? 0n, type: init.type, nodeId: init.nodeId, context: init.context ?? emptyBytes };
}

/** A change of several nodes: `Auto`, no changes and no context unless given. */
export function createConfChangeV2(init: Partial<ConfChangeV2>): ConfChangeV2 {
  return {
    transition: init.transition ?? ConfChangeTransition.Auto,
    changes: init.changes ?? [],
    context: init.context ?? emptyBytes,
  };
}

/** The newer form of a change, in which the id is lost. One that has that form already comes back as it is. */
export function toConfChangeV2(change: AnyConfChange): ConfChangeV2 {
  if (isConfChangeV2(change)) return change;
  return {
    transition: ConfChangeTransition.Auto,
    changes: [{ type: change.type, nodeId: change.nodeId }],
    context: change.context,
  };
}

/** Whether the change asks to leave a joint configuration. */
export function isLeaveJoint(change: ConfChangeV2): boolean {
  return change.transition === ConfChangeTransition.Auto && change.changes.length === 0;
}

/**
 * Whether the change goes through a joint configuration, and if so whether that is left by itself (`autoLeave`); undefined
 * if it is a simple change. More than one change always does, since each alone may be fine but not all at once.
 */
export function jointTransition(change: ConfChangeV2): { autoLeave: boolean } | undefined {
  if (change.transition === ConfChangeTransition.Auto && change.changes.length <= 1) return undefined;
  return { autoLeave: change.transition !== ConfChangeTransition.JointExplicit };
}

const changeLetters = ['v', 'r', 'u', 'l'] as const;

/** Changes as tokens: `v1` make voter, `l1` make learner, `r1` remove, `u1` update, separated by blanks. */
export function describeConfChanges(changes: readonly ConfChangeSingle[]): string {
  return changes.map((change) => `${changeLetters[change.type] ?? 'unknown'}${change.nodeId}`).join(' ');
}

function refuse(text: string): never {
  throw new RaftError('raft/invalid-conf-change', text);
}

/**
 * Reads what {@link describeConfChanges} writes. Scenario files print the texts of its errors.
 * @throws {RaftError} raft/invalid-conf-change
 */
export function parseConfChanges(text: string): ConfChangeSingle[] {
  const tokens = text.split(/\s+/).filter((token) => token !== '');
  return tokens.map((token) => {
    if (token.length < 2) refuse(`unknown token ${token}`);
    const type = changeLetters.indexOf(token.charAt(0) as (typeof changeLetters)[number]);
    if (type < 0) refuse(`unknown input: ${token}`);
    return { type: type as ConfChangeType, nodeId: parseNodeId(token.slice(1)) };
  });
}

function parseNodeId(text: string): bigint {
  if (!/^\d+$/.test(text)) refuse(`strconv.ParseUint: parsing ${JSON.stringify(text)}: invalid syntax`);
  const id = BigInt(text);
  if (id >= 1n << 64n) refuse(`strconv.ParseUint: parsing "${text}": value out of range`);
  return id;
}

const transitionNames = [
  'ConfChangeTransitionAuto',
  'ConfChangeTransitionJointImplicit',
  'ConfChangeTransitionJointExplicit',
] as const;
const changeTypeNames = [
  'ConfChangeAddNode',
  'ConfChangeRemoveNode',
  'ConfChangeUpdateNode',
  'ConfChangeAddLearnerNode',
] as const;

/** A change as it stands in log lines, in the form of a `ConfChangeV2` whichever it has: `transition:… changes:{…}`. */
export function describeConfChange(change: AnyConfChange): string {
  const { transition, changes, context } = toConfChangeV2(change);
  const parts = changes.map(({ type, nodeId }) => ` changes:{type:${changeTypeNames[type]} node_id:${nodeId}}`);
  if (context.length > 0) parts.push(` context:${quote(context)}`);
  return `transition:${transitionNames[transition]}${parts.join('')}`;
}
