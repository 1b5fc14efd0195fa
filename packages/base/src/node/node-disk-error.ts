import { CodedError } from '@quorate/base';

const codes: Readonly<Record<string, string>> = {
  ENOENT: 'disk/not-found',
  EEXIST: 'disk/exists',
  ENOSPC: 'disk/no-space',
  EDQUOT: 'disk/no-space',
};

/** The system's error as the `Disk` interface names it; its text says the call and the path already. */
export function diskError(error: unknown): CodedError {
  if (error instanceof CodedError) return error;
  const { code, message } = error as { code?: unknown; message?: unknown };
  const name = typeof code === 'string' ? code : 'UNKNOWN';
  return new CodedError(codes[name] ?? `io/${name}`, String(message), { cause: error });
}
