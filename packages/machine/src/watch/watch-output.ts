/** Where a stream's responses go: the RPC layer, which only frames and sends them. */
export interface WatchOutput {
  /**
   * Takes one encoded WatchResponse, `head` followed by `body` (often empty). It is always taken; false says that the buffer is
   * full now, and then none but the pieces of a response already begun may follow before the drain callback ran. Both parts never
   * change and may be shared with other streams. It must only queue: calling back into the stream from here is not allowed.
   */
  send(head: Uint8Array, body: Uint8Array): boolean;

  /** What `send` would say now; when false, the drain callback runs later. */
  hasRoom(): boolean;

  /** Registers what to call when there is room again after `send` returned false. */
  onDrain(callback: () => void): void;
}
