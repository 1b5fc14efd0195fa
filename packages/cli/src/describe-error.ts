import { systemErrorText } from './system-error.ts';

/** Message of an error with those of its causes. */
export function describeError(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { cause, message } = error;
  if (cause === undefined) return listenErrorText(error) ?? message;
  // A wrapped error often only repeats what is within.
  const repeats = cause instanceof Error && cause.message === message;
  return repeats ? describeError(cause) : `${message}: ${describeError(cause)}`;
}

/** In etcd's words, that a port cannot be bound. */
function listenErrorText(error: Error): string | undefined {
  const { syscall, address, port } = error as { syscall?: unknown; address?: unknown; port?: unknown };
  if ((syscall !== 'listen' && syscall !== 'bind') || typeof address !== 'string') return undefined;
  const target = port === undefined || port === -1 ? `unix ${address}` : `tcp ${bracketed(address)}:${port}`;
  return `listen ${target}: bind: ${systemErrorText(error)}`;
}

function bracketed(address: string): string {
  return address.includes(':') ? `[${address}]` : address;
}

/** Where it broke; what has a code says enough by its message. */
export function stackOf(error: unknown): { readonly stacktrace?: string } {
  return error instanceof Error && !('code' in error) && error.stack !== undefined ? { stacktrace: error.stack } : {};
}
