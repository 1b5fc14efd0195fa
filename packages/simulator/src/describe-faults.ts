import type { Fault } from './scenario.ts';

/** Faults for people, a line each: `   1234 ms  crash  machine 2, mode torn, downMs 301`. */
export function describeFaults(faults: readonly Fault[]): string[] {
  return faults.map(({ atMs, kind, ...rest }) => {
    const details = Object.entries(rest).map(([name, value]) => `${name} ${describe(value)}`);
    return `${String(Math.round(atMs)).padStart(7)} ms  ${kind.padEnd(14)} ${details.join(', ')}`.trimEnd();
  });
}

function describe(value: unknown): string {
  if (typeof value === 'number') return String(Number(value.toFixed(1)));
  return Array.isArray(value) ? value.join(' ') : String(value);
}
