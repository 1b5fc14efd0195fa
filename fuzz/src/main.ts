import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { attempt, Fuzzer, type Totals } from './engine/fuzzer.ts';
import type { Target } from './engine/target.ts';
import { targets } from './targets/index.ts';

const usage = `Usage: npm run fuzz -- [options]
  --target NAME[,NAME]  of: ${targets.map(({ name }) => name).join(', ')}; all when missing
  --runs N              inputs a target; 20000 when neither this nor --minutes is given
  --minutes M           in all, shared by the targets
  --seed S              default 1; equal seeds and runs play equal inputs
  --input FILE          plays one input at the one target, and shows what it does
  --unguided            makes inputs from the seeds alone, as the tests do: faster, and less deep
  --no-save             leaves the folder of regressions alone`;

const { values } = parseArgs({
  options: {
    target: { type: 'string' },
    runs: { type: 'string' },
    minutes: { type: 'string' },
    seed: { type: 'string', default: '1' },
    input: { type: 'string' },
    unguided: { type: 'boolean', default: false },
    'no-save': { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});

function chosenTargets(): Target[] {
  if (values.target === undefined) return [...targets];
  return values.target.split(',').map((name) => {
    const found = targets.find((target) => target.name === name);
    if (found === undefined) throw new Error(`no target ${name}\n${usage}`);
    return found;
  });
}

function show({ target, inputs, durationMs, corpus, outcomes, findings, digest }: Totals): void {
  const seconds = durationMs / 1000;
  const rate = Math.round(inputs / seconds);
  console.log(
    `${target}: ${inputs} inputs in ${seconds.toFixed(1)} s (${rate}/s), corpus ${corpus}, ${findings.length} findings, ${digest}`,
  );
  const most = [...outcomes].sort((a, b) => b[1] - a[1]).slice(0, 8);
  console.log(`  ${most.map(([outcome, count]) => `${outcome} ${count}`).join(' | ')}`);
}

async function playOne(target: Target, path: string): Promise<number> {
  const outcome = await attempt(target, Uint8Array.from(readFileSync(path)));
  console.log(outcome instanceof Error ? outcome.stack : outcome);
  return outcome instanceof Error ? 1 : 0;
}

async function main(): Promise<number> {
  if (values.help) {
    console.log(usage);
    return 0;
  }
  const chosen = chosenTargets();
  if (values.input !== undefined) return playOne(chosen[0] as Target, values.input);
  const minutes = values.minutes === undefined ? Number.POSITIVE_INFINITY : Number(values.minutes);
  const runs = Number(values.runs ?? (values.minutes === undefined ? 20_000 : Number.POSITIVE_INFINITY));
  let findings = 0;
  for (const target of chosen) {
    const missing = target.missing?.();
    if (missing !== undefined) {
      console.log(`${target.name}: skipped: ${missing}`);
      continue;
    }
    const options = {
      seed: Number(values.seed),
      runs,
      durationMs: (minutes * 60_000) / chosen.length,
      guided: !values.unguided,
      saves: !values['no-save'],
      onFinding: ({ stack, path }: { stack: string; path: string | undefined }) =>
        console.log(`${target.name}: ${path ?? ''}\n${stack}`),
    };
    const totals = await new Fuzzer(target, options).run();
    show(totals);
    findings += totals.findings.length;
  }
  return findings === 0 ? 0 : 1;
}

process.exitCode = await main();
