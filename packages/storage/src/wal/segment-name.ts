/** A log file: the `sequence`-th, whose first entry is that of `index`, or a later one where the log has none at it. */
export interface SegmentName {
  readonly name: string;
  readonly sequence: number;
  readonly index: number;
}

const pattern = /^([0-9a-f]{16})-([0-9a-f]{16})\.wal$/;

export function segmentName(sequence: number, index: number): string {
  return `${hex16(sequence)}-${hex16(index)}.wal`;
}

/** @returns undefined when it is not the name of a segment. */
export function parseSegmentName(name: string): SegmentName | undefined {
  const match = pattern.exec(name);
  if (match === null) return undefined;
  const sequence = Number.parseInt(match[1] as string, 16);
  const index = Number.parseInt(match[2] as string, 16);
  return Number.isSafeInteger(sequence) && Number.isSafeInteger(index) ? { name, sequence, index } : undefined;
}

/** 16 lower-case hexadecimal digits. */
export function hex16(value: number): string {
  return value.toString(16).padStart(16, '0');
}

/** Where in ascending `names` reading has to start to get everything behind `index`: the last that begins at or before it; -1 without one. */
export function searchSegment(names: readonly SegmentName[], index: number): number {
  for (let i = names.length - 1; i >= 0; i--) {
    if ((names[i] as SegmentName).index <= index) return i;
  }
  return -1;
}

/** Whether each sequence number is one above that before it. */
export function areConsecutive(names: readonly SegmentName[]): boolean {
  return names.every(({ sequence }, i) => i === 0 || sequence === (names[i - 1] as SegmentName).sequence + 1);
}
