import { indent } from './text.ts';

/** What is still to be built, by the name of the work. What waits for it is marked so in the suites; the mark goes with it. */
export const laterWorks = ['cluster', 'api, security and operation'] as const;
export type LaterWork = (typeof laterWorks)[number];

/** Counts and prints what the suites find. Nothing is left out silently: a skip is printed and counted. */
export class Report {
  private passed = 0;
  private failed = 0;
  private skipped = 0;
  /** Of the skipped. */
  private awaited = 0;
  private readonly failures: string[] = [];
  private readonly verbose: boolean;

  constructor(verbose: boolean) {
    this.verbose = verbose;
  }

  note(text: string): void {
    console.log(text);
  }

  pass(name: string): void {
    this.passed++;
    if (this.verbose) console.log(`ok    ${name}`);
  }

  fail(name: string, detail: string): void {
    this.failed++;
    this.failures.push(name);
    console.log(`FAIL  ${name}`);
    if (detail !== '') console.log(indent(detail));
  }

  skip(name: string, reason: string): void {
    this.skipped++;
    console.log(`skip  ${name}: ${reason}`);
  }

  /** Checks of something that is not built yet: left out, but told apart from what cannot run here. */
  later(name: string, checks: string, work: LaterWork): void {
    this.skip(name, `${checks}, waits for the later work "${work}" (--later runs it)`);
    this.awaited++;
  }

  get failureCount(): number {
    return this.failed;
  }

  /** Prints the closing lines and returns the exit status. */
  finish(): number {
    if (this.failures.length > 1) {
      console.log('failed:');
      for (const name of this.failures) console.log(`  ${name}`);
    }
    if (this.skipped > 0) {
      console.log(`${this.skipped} skipped, ${this.awaited} of them waiting for later work (reasons above)`);
    }
    if (this.passed + this.failed === 0) console.log('nothing was compared');
    console.log(`${this.passed} passed, ${this.failed} failed`);
    return this.failed === 0 ? 0 : 1;
  }
}
