/** Result of {@link Decompress} when the output would exceed the limit, or the input is damaged. */
export type DecompressFailure = 'too-large' | 'corrupt';

/** Decompresses gzip into memory of its own, at most `bytesMax`. Injected: the core has no zlib. */
export type Decompress = (bytes: Uint8Array, bytesMax: number) => Uint8Array | DecompressFailure;
