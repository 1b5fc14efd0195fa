import { allocateUnsafe } from '@quorate/base';
import { encodeGrpcMessage } from '../grpc/percent.ts';
import { writeHpackText, writeLiteralField } from '../hpack/hpack-encoder.ts';
import { FrameFlag, FrameType, frameHeaderBytes } from '../http2/constants.ts';
import { sendHeaderBlock, writeFrameHeader } from '../http2/frame-writer.ts';
import type { Output } from '../http2/output.ts';

/** `:status: 200` in the static table. */
const status200 = 0x88;
/** The newest entry of the dynamic table, index 62, and the one before. */
const newest = 0xbe;
const secondNewest = 0xbf;

function build(write: (target: Uint8Array) => number): Uint8Array {
  const scratch = allocateUnsafe(128);
  return scratch.slice(0, write(scratch));
}

/** `:status: 200`, and content-type with incremental indexing (RFC 7541 section 6.2.1; static name index 31). */
const headersAdding = build((target) => {
  target[0] = status200;
  target[1] = 0x40 | 31;
  return writeHpackText('application/grpc', target, 2);
});
/** The same touching no table. */
const headersLiteral = build((target) => {
  target[0] = status200;
  return writeLiteralField('content-type', 'application/grpc', target, 1);
});
/** `grpc-status: 0` with incremental indexing. */
const trailersAdding = build((target) => {
  target[0] = 0x40;
  return writeHpackText('0', target, writeHpackText('grpc-status', target, 1));
});
const trailersLiteral = build((target) => writeLiteralField('grpc-status', '0', target, 0));
const headersSecond = new Uint8Array([status200, secondNewest]);
const headersNewest = new Uint8Array([status200, newest]);
const trailersNewest = new Uint8Array([newest]);
/** A dynamic table size update to 0 (RFC 7541 section 6.3). */
const tableToZero = new Uint8Array([0x20]);

/** How far the two table entries that we use are. */
const TableState = { empty: 0, contentType: 1, both: 2, unused: 3 } as const;

/** Below the default table size an update must be announced (RFC 7541 section 4.2); then we rather do without the table. */
const tableBytesNeeded = 4096;

/** Bytes of HEADERS with indexed fields, and of the trailers. */
export const indexedHeadersBytes = frameHeaderBytes + 2;
export const indexedTrailersBytes = frameHeaderBytes + 1;

/**
 * Response headers and trailers. All successful answers have the same two blocks, so the encoder needs no more than two table entries, made
 * with the first answer of a connection: from then on the blocks are three constant bytes, cheap for the client to decode too.
 * All else is sent as literals that leave the table alone.
 */
export class ResponseHeaders {
  private state: number = TableState.empty;
  private announceZero = false;

  /** Both blocks are constant now: {@link writeIndexedHeaders} and {@link writeIndexedTrailers} may be used. */
  get isSettled(): boolean {
    return this.state === TableState.both;
  }

  /** The smallest table size that the peer ever asked for. Below the default, the table is emptied and never used again. */
  limitTable(bytes: number): void {
    if (bytes >= tableBytesNeeded || this.state === TableState.unused) return;
    this.announceZero = true;
    this.state = TableState.unused;
  }

  sendHeaders(output: Output, streamId: number): void {
    let block = headersLiteral;
    if (this.state === TableState.empty) {
      this.state = TableState.contentType;
      block = headersAdding;
    } else if (this.state === TableState.contentType) {
      block = headersNewest;
    } else if (this.state === TableState.both) {
      block = headersSecond;
    }
    this.send(output, streamId, block, false);
  }

  /** Trailers with status 0; headers went before. */
  sendOkTrailers(output: Output, streamId: number): void {
    let block = trailersLiteral;
    if (this.state === TableState.contentType) {
      this.state = TableState.both;
      block = trailersAdding;
    } else if (this.state === TableState.both) {
      block = trailersNewest;
    }
    this.send(output, streamId, block, true);
  }

  sendTrailers(output: Output, streamId: number, code: number, message: string): void {
    if (code === 0) {
      this.sendOkTrailers(output, streamId);
      return;
    }
    const target = allocateUnsafe(64 + message.length * 9);
    this.send(output, streamId, target.subarray(0, writeStatus(code, message, target, 0)), true);
  }

  /** An answer without a message: headers and status in one block (Trailers-Only). */
  sendTrailersOnly(
    output: Output,
    streamId: number,
    httpStatus: number,
    code: number,
    message: string,
    acceptEncoding: string,
  ): void {
    const target = allocateUnsafe(192 + acceptEncoding.length + message.length * 9);
    let position = 0;
    if (httpStatus === 200) target[position++] = status200;
    else position = writeLiteralField(':status', String(httpStatus), target, position);
    position = writeLiteralField('content-type', 'application/grpc', target, position);
    if (acceptEncoding !== '') position = writeLiteralField('grpc-accept-encoding', acceptEncoding, target, position);
    position = writeStatus(code, message, target, position);
    this.send(output, streamId, target.subarray(0, position), true);
  }

  /** Headers of an answer that is not gRPC. */
  sendPlain(
    output: Output,
    streamId: number,
    status: number,
    headers: readonly (readonly [string, string])[],
    endStream: boolean,
  ): void {
    let size = 32;
    for (const [name, value] of headers) size += name.length + value.length + 16;
    const target = allocateUnsafe(size);
    let position = writeLiteralField(':status', String(status), target, 0);
    for (const [name, value] of headers) position = writeLiteralField(name, value, target, position);
    this.send(output, streamId, target.subarray(0, position), endStream);
  }

  private send(output: Output, streamId: number, block: Uint8Array, endStream: boolean): void {
    let whole = block;
    if (this.announceZero) {
      this.announceZero = false;
      whole = new Uint8Array(block.length + 1);
      whole.set(tableToZero);
      whole.set(block, 1);
    }
    sendHeaderBlock(output, streamId, whole, endStream, 16_384);
  }
}

function writeStatus(code: number, message: string, target: Uint8Array, start: number): number {
  const position = writeLiteralField('grpc-status', String(code), target, start);
  return message === '' ? position : writeLiteralField('grpc-message', encodeGrpcMessage(message), target, position);
}

/** HEADERS of a successful answer, once settled; returns the position behind it. */
export function writeIndexedHeaders(target: Uint8Array, start: number, streamId: number): number {
  const position = writeFrameHeader(target, start, 2, FrameType.headers, FrameFlag.endHeaders, streamId);
  target[position] = status200;
  target[position + 1] = secondNewest;
  return position + 2;
}

/** Trailers with status 0, once settled; returns the position behind them. */
export function writeIndexedTrailers(target: Uint8Array, start: number, streamId: number): number {
  const flags = FrameFlag.endHeaders | FrameFlag.endStream;
  const position = writeFrameHeader(target, start, 1, FrameType.headers, flags, streamId);
  target[position] = newest;
  return position + 1;
}
