import type { Answer } from '../grpc/connection.ts';
import type { Message } from '../grpc/services.ts';
import type { ClusterMember } from '../support/cluster-member.ts';

export const CALL_TIMEOUT_MS = 8000;

export async function must(member: ClusterMember, method: string, request: Message, token?: string): Promise<Message> {
  const answer = await ask(member, method, request, token);
  if (!answer.ok) throw new Error(`${method} at ${member.name}: ${answer.details}`);
  return answer.message;
}

export function ask(member: ClusterMember, method: string, request: Message, token?: string): Promise<Answer> {
  const metadata: Record<string, string> = token === undefined ? {} : { token };
  return member.connection.unary(method, request, { timeoutMs: CALL_TIMEOUT_MS, metadata });
}
