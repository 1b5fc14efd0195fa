import type { Message } from '../grpc/services.ts';
import { Cluster } from '../support/cluster.ts';
import type { ClusterMember } from '../support/cluster-member.ts';
import type { ServerKind } from '../support/programs.ts';
import { errorText } from '../support/text.ts';

/** Something that happens to servers of one kind, told in lines that are the same for every kind. */
export interface Story {
  readonly name: string;
  /** What the reference tells: so that two kinds cannot agree on nothing. */
  readonly expected: readonly string[];
  /** Figures that differ by right go to `note`. */
  readonly tell: (kind: ServerKind, directory: string, note: (text: string) => void) => Promise<string[]>;
}

const CALL_TIMEOUT_MS = 8000;

/** A cluster for one story. */
export async function withCluster(
  kinds: readonly ServerKind[],
  directory: string,
  extraArgs: readonly string[],
  body: (cluster: Cluster) => Promise<void>,
): Promise<void> {
  const cluster = await Cluster.start({ kinds, directory, extraArgs: () => extraArgs });
  try {
    await body(cluster);
  } catch (error) {
    throw new Error(`${kinds.join(', ')}: ${errorText(error)}\n${cluster.logTails()}`);
  } finally {
    await cluster.close();
  }
}

/** `ok`, or the error; with `show`, what is shown of the answer. */
export async function call(
  member: ClusterMember,
  method: string,
  request: Message,
  show: (message: Message) => string = () => 'ok',
): Promise<string> {
  const answer = await member.call(method, request, CALL_TIMEOUT_MS);
  return answer.ok ? show(answer.message) : `${answer.code} ${answer.details}`;
}

export function put(member: ClusterMember, key: string, value: string): Promise<string> {
  return call(member, 'KV.Put', { key: Buffer.from(key), value: Buffer.from(value) });
}

/** Whether one of its processes logged that message. */
export function hasLogged(member: ClusterMember, message: string): boolean {
  const { child } = member.server ?? {};
  return child !== undefined && `${child.stdout}${child.stderr}`.includes(`"msg":"${message}"`);
}
