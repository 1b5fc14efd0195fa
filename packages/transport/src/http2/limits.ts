/**
 * Every bound of a connection. Sizes are bytes, times milliseconds; `Infinity` switches a time off. What happens when one is passed
 * stands with each; "calm" is GOAWAY with ENHANCE_YOUR_CALM and the end of the connection.
 */
export interface Http2Limits {
  /** Streams open at a time that we tell the peer (4294967295: not told). More: REFUSED_STREAM. */
  readonly streamsMax: number;
  /** One gRPC message, compressed or not. Larger: status 8. */
  readonly messageBytesMax: number;
  /** Receive window of the connection. Exceeded: FLOW_CONTROL_ERROR. */
  readonly connectionWindowBytes: number;
  /** Receive window of each stream. Exceeded: FLOW_CONTROL_ERROR. */
  readonly streamWindowBytes: number;
  /** Payload of a frame (SETTINGS_MAX_FRAME_SIZE). Larger: FRAME_SIZE_ERROR. */
  readonly frameBytesMax: number;
  /** HPACK table for what the peer sends (SETTINGS_HEADER_TABLE_SIZE). A larger size update: COMPRESSION_ERROR. */
  readonly headerTableBytes: number;
  /** Decoded headers of one message, 32 bytes a field added (SETTINGS_MAX_HEADER_LIST_SIZE). More: 431. */
  readonly headerListBytesMax: number;
  /** Encoded header block over all its frames. Larger: calm. */
  readonly headerBlockBytesMax: number;
  /** CONTINUATION frames of one block. More: calm. */
  readonly continuationsMax: number;
  /** The counts below are for a stretch of this length. */
  readonly floodWindowMs: number;
  /** RST_STREAM frames received (rapid reset, CVE-2023-44487). More: calm. */
  readonly resetsMax: number;
  /** Stream errors that we had to answer with RST_STREAM (the same attack the other way, CVE-2025-8671). More: calm. */
  readonly streamErrorsMax: number;
  /** SETTINGS frames (CVE-2019-9515). More: calm. */
  readonly settingsMax: number;
  /** PING frames (CVE-2019-9512), beside keepalive enforcement. More: calm. */
  readonly pingsMax: number;
  /** PRIORITY frames (CVE-2019-9513). More: calm. */
  readonly prioritiesMax: number;
  /** WINDOW_UPDATE frames beyond eight for each frame of data sent. More: calm. */
  readonly windowUpdatesMax: number;
  /** Empty DATA frames without END_STREAM (CVE-2019-9518). More: calm. */
  readonly emptyDataMax: number;
  /** Frames of unknown types. More: calm. */
  readonly unknownFramesMax: number;
  /** Output gathered behind a pending write, from which on we stop reading until the peer takes it. */
  readonly outputBytesMax: number;
  /**
   * Bytes of unary answers held back by the peer's flow control or being made. More: unary requests wait until the peer has read enough,
   * and long answers are not gone on with; all but unary requests is served as ever.
   */
  readonly answerBytesMax: number;
  /** Requests that wait so. More, or half of `unfinishedBytesMax`: REFUSED_STREAM. */
  readonly waitingRequestsMax: number;
  /** Bytes queued on streams that heed backpressure. More: only streams whose reader takes all they have get another message. */
  readonly streamBytesMax: number;
  /** Bytes of received messages that are unfinished or wait, on one connection. More: calm. */
  readonly unfinishedBytesMax: number;
  /** A pending write, or a unary answer held back by flow control, without any progress. Longer: connection cut (calm where it can be told). */
  readonly stallMs: number;
  /** From accept to the client's preface and first SETTINGS. Longer: closed. */
  readonly prefaceMs: number;
  /** From the headers of a unary request to its end. Longer: status 4 and RST_STREAM. */
  readonly unaryReceiveMs: number;
  /** A connection without streams. Longer: graceful GOAWAY. */
  readonly idleMs: number;
  /** How long a connection that we have ended may linger for the peer to read our last words. */
  readonly lingerMs: number;
}

export const defaultHttp2Limits: Http2Limits = {
  streamsMax: 0xffff_ffff,
  messageBytesMax: 2 * 1024 * 1024,
  connectionWindowBytes: 1024 * 1024,
  streamWindowBytes: 512 * 1024,
  frameBytesMax: 16_384,
  headerTableBytes: 4096,
  headerListBytesMax: 64 * 1024,
  headerBlockBytesMax: 64 * 1024,
  continuationsMax: 32,
  floodWindowMs: 10_000,
  resetsMax: 10_000,
  streamErrorsMax: 5000,
  settingsMax: 100,
  pingsMax: 1000,
  prioritiesMax: 5000,
  windowUpdatesMax: 20_000,
  emptyDataMax: 1000,
  unknownFramesMax: 1000,
  outputBytesMax: 256 * 1024,
  answerBytesMax: 32 * 1024 * 1024,
  waitingRequestsMax: 1000,
  streamBytesMax: 16 * 1024 * 1024,
  unfinishedBytesMax: 64 * 1024 * 1024,
  stallMs: 60_000,
  prefaceMs: 20_000,
  unaryReceiveMs: 120_000,
  idleMs: Number.POSITIVE_INFINITY,
  lingerMs: 1000,
};
