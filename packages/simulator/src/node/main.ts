import { parseArgs } from 'node:util';
import { drawScenario } from '../faults/draw-scenario.ts';
import { runScenario } from '../run.ts';
import { nodeEdge } from './edge.ts';

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '20' },
    from: { type: 'string', default: '1' },
    seed: { type: 'string' },
    operations: { type: 'string', default: '400' },
    trace: { type: 'boolean', default: false },
  },
});
const operations = Number(values.operations);
const first = Number(values.seed ?? values.from);
const last = values.seed === undefined ? first + Number(values.seeds) - 1 : first;
for (let seed = first; seed <= last; seed++) {
  const started = performance.now();
  const edge = nodeEdge(values.trace ? (line) => process.stdout.write(line) : undefined);
  const result = await runScenario(drawScenario(seed, { operations }), edge);
  const faults = [...result.faults].map(([kind, count]) => `${kind} ${count}`).join(', ');
  const tookMs = Math.round(performance.now() - started);
  console.log(
    `seed ${seed}: ${result.acknowledged} ok ${result.unknown} unknown, ${Math.round(result.durationMs)} ms in ${tookMs} ms, ${result.events} events, log ${result.history.log.length}, ${result.traceHash.slice(0, 12)} [${faults}]`,
  );
  for (const { checker, text } of result.violations) console.log(`  VIOLATION ${checker}: ${text}`);
}
