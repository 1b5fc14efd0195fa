import { utf8FromBytes } from '@quorate/base';
import { type ConfChange, ConfChangeType } from '@quorate/raft';

/** As it stands in a snapshot. */
export interface MembersSnapshot {
  readonly urls: Readonly<Record<string, string>>;
  readonly removed: readonly string[];
}

/**
 * Who is in the cluster, and where: a state machine beside the store. Raft itself knows the members by their ids alone; their addresses
 * travel in the log with the changes that add them, so that a node finds them again when the command line's list is out of date.
 */
export class Members {
  readonly urls = new Map<bigint, string>();
  /** Ids that were removed. None is used again. */
  readonly removed = new Set<bigint>();

  /** Why a change cannot be; undefined when it can. */
  refusal({ type, nodeId }: ConfChange): string | undefined {
    if (type !== ConfChangeType.RemoveNode) {
      // A node that comes back without its disk has forgotten its votes and could give them twice.
      return this.removed.has(nodeId) ? `node ${nodeId} was removed: a new node needs a new id` : undefined;
    }
    if (!this.urls.has(nodeId)) return `there is no node ${nodeId}`;
    return this.urls.size === 1 ? 'the last node cannot be removed' : undefined;
  }

  /** Takes a committed change into force. @returns false when it cannot be */
  apply(change: ConfChange): boolean {
    if (this.refusal(change) !== undefined) return false;
    const { type, nodeId, context } = change;
    if (type === ConfChangeType.RemoveNode) {
      this.urls.delete(nodeId);
      this.removed.add(nodeId);
    } else {
      this.urls.set(nodeId, utf8FromBytes(context));
    }
    return true;
  }

  snapshot(): MembersSnapshot {
    const urls = Object.fromEntries([...this.urls].map(([id, url]) => [String(id), url]));
    return { urls, removed: [...this.removed].map(String) };
  }

  restore({ urls, removed }: MembersSnapshot): void {
    this.urls.clear();
    for (const [id, url] of Object.entries(urls)) this.urls.set(BigInt(id), url);
    for (const id of removed) this.removed.add(BigInt(id));
  }
}

/** The address of a node as it is written here, `http://127.0.0.1:12379`; undefined when it is none. */
export function peerUrl(text: string): string | undefined {
  const url = text.trim().replace(/\/$/, '');
  return /^http:\/\/[^/?#@\s]+:\d+$/.test(url) && URL.canParse(url) ? url : undefined;
}
