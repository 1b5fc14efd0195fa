import type { Options } from '../options.ts';
import { serverProgram } from './programs.ts';
import type { Report } from './report.ts';

/** Whether a part is asked for, and the reference that it compares with is here. */
export function isPlayed(part: string, options: Options, report: Report): boolean {
  if (!part.includes(options.filter)) return false;
  const program = serverProgram(options.reference);
  if (!program.found) report.skip(part, program.reason);
  return program.found;
}
