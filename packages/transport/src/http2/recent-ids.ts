const remembered = 128;

/**
 * The streams that closed last, to tell late frames for them from breaches of the protocol: after our RST_STREAM the peer's frames may
 * still be on their way and are ignored (RFC 9113 section 5.1, closed).
 */
export class RecentIds {
  /** `id * 2 + (we reset it ? 1 : 0)`; ids have 31 bits, hence floats. */
  private readonly ring = new Float64Array(remembered);
  private next = 0;

  add(streamId: number, resetByUs: boolean): void {
    this.ring[this.next] = streamId * 2 + (resetByUs ? 1 : 0);
    this.next = (this.next + 1) & (remembered - 1);
  }

  wasReset(streamId: number): boolean {
    return this.ring.includes(streamId * 2 + 1);
  }

  has(streamId: number): boolean {
    return this.ring.includes(streamId * 2) || this.wasReset(streamId);
  }
}
