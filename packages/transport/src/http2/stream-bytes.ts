/** Bytes queued on streams that heed backpressure. */
export class StreamBytes {
  queued = 0;
}
