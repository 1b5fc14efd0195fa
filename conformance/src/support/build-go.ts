import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { conformanceDir, missingPrograms, onPath } from './programs.ts';
import type { Report } from './report.ts';

/** Builds the Go programs that are missing when Go is there, and says so; what needs those that stay missing is skipped. */
export function buildMissingPrograms(report: Report): void {
  const missing = missingPrograms();
  if (missing.length === 0) return;
  const names = missing.join(', ');
  if (onPath('go') === undefined) {
    report.note(
      `${names}: not built, and Go is not on the PATH. What needs them is skipped. Install Go 1.26 or later ` +
        '(https://go.dev/dl/) and run this again, or: npm run build-go -w @quorate/conformance',
    );
    return;
  }
  report.note(`${names}: not built yet; building them with Go (a minute or two, once)`);
  const script = join(conformanceDir, 'scripts', 'build-go.mjs');
  const { status } = spawnSync(process.execPath, [script], { stdio: 'inherit' });
  if (status !== 0) {
    report.note('building failed; what needs them is skipped. Again by: npm run build-go -w @quorate/conformance');
  }
}
