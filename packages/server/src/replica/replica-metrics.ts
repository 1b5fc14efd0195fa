/** What a replica counts. */
export interface ReplicaMetrics {
  /** A proposal got its result (`isDone`), or will have none, so long after it was made. */
  requestEnded(field: number, tookMs: number, isDone: boolean): void;
  /** Another leader than before is known. */
  leaderChanged(): void;
  /** Questions for a read index that were not answered in time. */
  readIndexesSlow(count: number): void;
  /** Questions for a read index that a change of the leader ended. */
  readIndexesFailed(count: number): void;
  /** The leader's clock was held for longer than two heartbeats. */
  heartbeatsLate(): void;
  installingSnapshot(isInstalling: boolean): void;
}

export const noReplicaMetrics: ReplicaMetrics = {
  requestEnded() {},
  leaderChanged() {},
  readIndexesSlow() {},
  readIndexesFailed() {},
  heartbeatsLate() {},
  installingSnapshot() {},
};
