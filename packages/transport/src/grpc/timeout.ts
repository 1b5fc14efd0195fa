/** Milliseconds of one unit of `grpc-timeout`, by its letter's code; 0 for no such unit. */
function unitMs(letter: number): number {
  switch (letter) {
    case 0x48: // H
      return 3_600_000;
    case 0x4d: // M
      return 60_000;
    case 0x53: // S
      return 1000;
    case 0x6d: // m
      return 1;
    case 0x75: // u
      return 0.001;
    case 0x6e: // n
      return 0.000_001;
    default:
      return 0;
  }
}

/** Milliseconds of a `grpc-timeout` value (1 to 8 digits and a unit); NaN when it is malformed. */
export function parseGrpcTimeout(text: string): number {
  const digits = text.length - 1;
  if (digits < 1 || digits > 8) return Number.NaN;
  let value = 0;
  for (let i = 0; i < digits; i++) {
    const digit = text.charCodeAt(i) - 0x30;
    if (digit < 0 || digit > 9) return Number.NaN;
    value = value * 10 + digit;
  }
  const unit = unitMs(text.charCodeAt(digits));
  return unit === 0 ? Number.NaN : value * unit;
}

/** The `grpc-timeout` value of a time in milliseconds, never shorter than it: to the microsecond below a second, else to the millisecond. */
export function formatGrpcTimeout(timeoutMs: number): string {
  if (timeoutMs <= 0) return '0n';
  if (timeoutMs < 1000) return `${Math.ceil(timeoutMs * 1000)}u`;
  if (timeoutMs <= 99_999_999) return `${Math.ceil(timeoutMs)}m`;
  if (timeoutMs <= 99_999_999_000) return `${Math.ceil(timeoutMs / 1000)}S`;
  return `${Math.min(99_999_999, Math.ceil(timeoutMs / 3_600_000))}H`;
}
