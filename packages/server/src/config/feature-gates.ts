import { featureGates } from './flag-table.ts';
import { goBooleans } from './go-numbers.ts';

/** What is on and off, or why the text is refused, in etcd's words. */
export type FeatureGateReading = { readonly gates: ReadonlyMap<string, boolean> } | { readonly reason: string };

/** Reads `Name=bool,Name=bool`; a group (AllAlpha, AllBeta) sets what is not named itself. */
export function readFeatureGates(text: string): FeatureGateReading {
  const named = new Map<string, boolean>();
  for (const part of text.split(',').map((entry) => entry.trim())) {
    if (part === '') continue;
    const split = part.indexOf('=');
    if (split < 0) return { reason: `missing bool value for ${part}` };
    const name = part.slice(0, split).trim();
    const value = part.slice(split + 1).trim();
    const on = goBooleans[value];
    if (on === undefined) {
      const problem = `strconv.ParseBool: parsing ${JSON.stringify(value)}: invalid syntax`;
      return { reason: `invalid value of ${name}=${value}, err: ${problem}` };
    }
    named.set(name, on);
  }
  const known = new Set(featureGates.map((gate) => gate.name));
  for (const name of named.keys()) if (!known.has(name)) return { reason: `unrecognized feature gate: ${name}` };
  const gates = new Map<string, boolean>();
  for (const gate of featureGates) {
    const group = named.get(gate.stage === 'alpha' ? 'AllAlpha' : 'AllBeta');
    gates.set(gate.name, named.get(gate.name) ?? group ?? gate.default);
  }
  return { gates };
}
