const words: Readonly<Record<string, string>> = {
  ENOENT: 'no such file or directory',
  EACCES: 'permission denied',
  EPERM: 'operation not permitted',
  EISDIR: 'is a directory',
  ENOTDIR: 'not a directory',
  EADDRINUSE: 'address already in use',
  EADDRNOTAVAIL: 'cannot assign requested address',
};

/** What a call of the system failed with, in the system's own words as etcd has them. */
export function systemErrorText(error: unknown): string {
  const { code } = error as { code?: unknown };
  return (typeof code === 'string' ? words[code] : undefined) ?? (error as Error).message;
}
