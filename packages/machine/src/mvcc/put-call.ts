import type { etcdserverpb } from '@quorate/api';
import { emptyBytes } from '@quorate/base';

/** A put as ranges of bytes, so that it can be read in place out of a log entry. The store copies what it keeps. */
export class PutCall {
  key: Uint8Array = emptyBytes;
  keyStart = 0;
  keyEnd = 0;
  value: Uint8Array = emptyBytes;
  valueStart = 0;
  valueEnd = 0;
  lease = 0n;
  prevKv = false;
  ignoreValue = false;
  ignoreLease = false;

  /** Fills it from a decoded request. */
  set(request: etcdserverpb.PutRequest): this {
    this.key = request.key;
    this.keyStart = 0;
    this.keyEnd = request.key.length;
    this.value = request.value;
    this.valueStart = 0;
    this.valueEnd = request.value.length;
    this.lease = request.lease;
    this.prevKv = request.prevKv;
    this.ignoreValue = request.ignoreValue;
    this.ignoreLease = request.ignoreLease;
    return this;
  }
}
