/** What the other end showed in its certificate. */
export interface PeerCertificate {
  /** Subject common name; empty when there is none. */
  readonly commonName: string;
  /** DNS names and IP addresses of the subject alternative names, as `DNS:a.example` and `IP Address:10.0.0.1`. */
  readonly alternativeNames: readonly string[];
  /** Serial number, upper-case hexadecimal. */
  readonly serialNumber: string;
  /** True when a trusted authority signed it. */
  readonly verified: boolean;
}

/** The other end of a connection. */
export interface Peer {
  /** `host:port`, or the path of a unix socket. */
  readonly address: string;
  /** This end of it, in the same form, where it has an address. */
  readonly localAddress?: string;
  /** True over TLS. */
  readonly secure: boolean;
  /** The client's certificate over TLS, if it sent one. */
  readonly certificate: PeerCertificate | null;
}

/** What a {@link ByteStream} tells its reader. Calls never nest inside a call of the stream's own methods. */
export interface ByteStreamHandler {
  /** `bytes` is valid, and its memory untouched, only during this call. */
  onData(bytes: Uint8Array): void;
  /** All chunks of the last `write` are with the system; their memory is free again. */
  onWritten(): void;
  /** The other end will send no more. */
  onEnd(): void;
  /** Nothing more comes or goes. Once, whoever closed it. `reason` is for logs. */
  onClose(reason: string): void;
}

/** A connected, reliable, ordered pipe of bytes: a socket, or one end of a simulated connection. */
export interface ByteStream {
  readonly peer: Peer;
  setHandler(handler: ByteStreamHandler): void;
  /** Sends all chunks in order. They must not change, and no other `write` may come, until `onWritten`. */
  write(chunks: readonly Uint8Array[]): void;
  pauseReading(): void;
  resumeReading(): void;
  /** Closes in good order: what was written still goes out. */
  end(): void;
  /** Closes at once, dropping what has not gone out. */
  destroy(): void;
}
