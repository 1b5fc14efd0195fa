import type { etcdserverpb } from '@quorate/api';
import type { History, Operation, Violation } from '../history/history.ts';
import { Floor } from './known.ts';
import { answeredOperations, inOrderOfInvocation, nameOf } from './operations.ts';

const checker = 'headers';

interface Told {
  readonly operation: Operation;
  readonly header: etcdserverpb.ResponseHeader;
}

/** What headers tell besides the revision: a member is always the same in the same cluster, and its term, that of the last entry applied, never falls. */
export function checkHeaders({ operations }: History): Violation[] {
  const violations: Violation[] = [];
  const ofMembers = new Map<string, Told[]>();
  for (const { operation, response } of answeredOperations(inOrderOfInvocation(operations))) {
    const { header } = response.message;
    if (header === undefined) {
      violations.push({ checker, text: `${nameOf(operation)} was answered without a header` });
      continue;
    }
    const told = ofMembers.get(operation.member);
    if (told === undefined) ofMembers.set(operation.member, [{ operation, header }]);
    else told.push({ operation, header });
  }
  for (const told of ofMembers.values()) {
    for (const text of checkMember(told)) violations.push({ checker, text });
  }
  return violations;
}

/** @param told in the order in which the calls began */
function* checkMember(told: readonly Told[]): Iterable<string> {
  const terms = new Floor(
    told.map(({ operation, header }) => {
      return { atMs: operation.returnedMs, value: header.raftTerm, from: nameOf(operation) };
    }),
  );
  const identity = told[0] && identityOf(told[0].header);
  for (const { operation, header } of told) {
    const own = identityOf(header);
    if (own !== identity) yield `${nameOf(operation)} was answered by ${own}, others there by ${identity}`;
    terms.advance(operation.invokedMs);
    const { value, from } = terms.largest;
    if (header.raftTerm < value) yield `${nameOf(operation)} tells term ${header.raftTerm}, after ${value} (${from})`;
  }
}

function identityOf({ clusterId, memberId }: etcdserverpb.ResponseHeader): string {
  return `member ${memberId.toString(16)} of cluster ${clusterId.toString(16)}`;
}
