import { readUint32BE } from '@quorate/base';
import { defaultFrameBytesMax, defaultWindowBytes, Http2Code, SettingId, windowBytesMax } from './constants.ts';

/** What the peer asked of us in SETTINGS (RFC 9113 section 6.5.2), defaults before. */
export class PeerSettings {
  headerTableBytes = 4096;
  streamsMax: number = Number.POSITIVE_INFINITY;
  initialWindowBytes: number = defaultWindowBytes;
  frameBytesMax: number = defaultFrameBytesMax;
  headerListBytesMax: number = Number.POSITIVE_INFINITY;
  /** The smallest table size ever asked for: what an encoder that keeps entries must know. */
  headerTableBytesMin = 4096;

  /** Applies the payload of a SETTINGS frame; returns an HTTP/2 error code, 0 for none. */
  apply(source: Uint8Array, start: number, end: number): number {
    for (let i = start; i < end; i += 6) {
      const value = readUint32BE(source, i + 2);
      switch (((source[i] as number) << 8) | (source[i + 1] as number)) {
        case SettingId.headerTableSize:
          this.headerTableBytes = value;
          this.headerTableBytesMin = Math.min(this.headerTableBytesMin, value);
          break;
        case SettingId.enablePush:
          if (value > 1) return Http2Code.protocolError;
          break;
        case SettingId.maxConcurrentStreams:
          this.streamsMax = value;
          break;
        case SettingId.initialWindowSize:
          if (value > windowBytesMax) return Http2Code.flowControlError;
          this.initialWindowBytes = value;
          break;
        case SettingId.maxFrameSize:
          if (value < defaultFrameBytesMax || value > 0xff_ffff) return Http2Code.protocolError;
          this.frameBytesMax = value;
          break;
        case SettingId.maxHeaderListSize:
          this.headerListBytesMax = value;
          break;
        default:
      }
    }
    return Http2Code.noError;
  }
}
