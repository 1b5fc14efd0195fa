/** Times and bounds of the protocol between members; etcd's own (peer protocol, sections 1 and 2). */
export interface PeerLimits {
  /** Of a stream and of a body: longer without a byte, and the connection is given up. */
  readonly stallMs: number;
  /** The same where this member writes: longer without a byte taken. */
  readonly writeStallMs: number;
  /** Between two attempts to open the same stream. */
  readonly redialMs: number;
  /** Between two signs of life on a stream. */
  readonly heartbeatMs: number;
  /** Between two probes of a peer. */
  readonly probeMs: number;
  /** Until the first look at the probes, and between looks while they fail. */
  readonly probeUnhealthyReportMs: number;
  /** Between looks while they succeed. */
  readonly probeHealthyReportMs: number;
  /** Messages that wait for a stream. */
  readonly streamQueueMax: number;
  /** Bytes handed to the socket of a stream and not taken; messages wait behind them. */
  readonly streamBufferBytes: number;
  /** Messages that wait to be posted to one member. */
  readonly pipelineQueueMax: number;
  /** Posts under way to one member. */
  readonly pipelineWorkers: number;
  /** Senders known by their headers alone. */
  readonly remotesMax: number;
  /** Of the message in front of a snapshot's database. */
  readonly snapshotMessageBytesMax: number;
}

export const defaultPeerLimits: PeerLimits = {
  stallMs: 5_000,
  writeStallMs: 5_000,
  redialMs: 100,
  heartbeatMs: 5_000 / 3,
  probeMs: 4_000,
  probeUnhealthyReportMs: 5_000,
  probeHealthyReportMs: 30_000,
  streamQueueMax: 4_096,
  streamBufferBytes: 1024 * 1024,
  pipelineQueueMax: 64,
  pipelineWorkers: 4,
  remotesMax: 256,
  snapshotMessageBytesMax: 64 * 1024 * 1024,
};
