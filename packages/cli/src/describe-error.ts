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

interface ListenError extends Error {
  readonly address: string;
  readonly port?: unknown;
}

/** Whether a port could not be bound. */
export function isListenError(error: unknown): error is ListenError {
  if (!(error instanceof Error)) return false;
  const { syscall, address } = error as { syscall?: unknown; address?: unknown };
  return (syscall === 'listen' || syscall === 'bind') && typeof address === 'string';
}

/** In etcd's words, that a port cannot be bound. */
function listenErrorText(error: Error): string | undefined {
  if (!isListenError(error)) return undefined;
  const { address, port } = error;
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
