/** Major, minor and patch of a version such as `3.7.1`, `3.7` or `3.7.0-rc.1`; undefined when it is none. */
export function parseVersion(text: string): readonly [number, number, number] | undefined {
  const match = /^(\d{1,6})\.(\d{1,6})(?:\.(\d{1,6}))?(?:[-+].*)?$/.exec(text);
  return match === null ? undefined : [Number(match[1]), Number(match[2]), Number(match[3] ?? 0)];
}

/** Negative when `a` comes before `b`. Texts that are no versions come first. */
export function compareVersions(a: string, b: string): number {
  const left = parseVersion(a) ?? [-1, 0, 0];
  const right = parseVersion(b) ?? [-1, 0, 0];
  return left[0] - right[0] || left[1] - right[1] || left[2] - right[2];
}
