import type { Answer } from './connection.ts';

/** How calls ended, so that a reader sees that random requests reach more than errors. */
export class Tally {
  private readonly counts = new Map<string, number>();

  add(method: string, answer: Answer): void {
    const key = `${method} ${answer.ok ? 'ok' : answer.details}`;
    this.counts.set(key, (this.counts.get(key) ?? 0) + 1);
  }

  toString(): string {
    const lines = [...this.counts].sort((a, b) => b[1] - a[1]).map(([key, count]) => `  ${count} ${key}`);
    return `outcomes on the reference:\n${lines.join('\n')}`;
  }
}
