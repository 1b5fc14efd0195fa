import { parseDurationMs } from './duration.ts';
import { readFeatureGates } from './feature-gates.ts';
import type { Flag } from './flag-table.ts';
import { goBooleans, type IntegerKind, readGoInteger } from './go-numbers.ts';
import { parseMemberUrls } from './urls.ts';

/** A value in canonical form, or why it is refused. */
export type CheckedValue = { readonly value: string } | { readonly reason: string };

/** The other enums are looked at when the configuration is complete, with messages of their own. */
const checkedAtOnce: ReadonlySet<string> = new Set(['initial-cluster-state', 'discovery-fallback']);

/** Checks a value against its flag's kind. */
export function checkValue(flag: Flag, value: string): CheckedValue {
  switch (flag.kind) {
    case 'bool': {
      const on = goBooleans[value];
      return on === undefined ? { reason: 'parse error' } : { value: String(on) };
    }
    case 'int':
    case 'uint':
    case 'uint32':
      return checkInteger(flag.kind, value);
    case 'duration':
      return parseDurationMs(value) === undefined ? { reason: 'parse error' } : { value };
    case 'enum':
      if (flag.name === 'v2-deprecation') return checkEach(flag, value);
      if (!checkedAtOnce.has(flag.name) || flag.values?.includes(value)) return { value };
      return { reason: 'invalid value' };
    case 'urls':
      // Without any the default stays, although the flag counts as given.
      return value === '' ? { value: flag.default } : checkUrls(value.split(','), value);
    case 'list':
      if (flag.name === 'feature-gates') {
        const read = readFeatureGates(value);
        return 'reason' in read ? read : { value };
      }
      return { value };
    case 'origins':
      return checkUrls(value.split(',').filter(isNoWildcard), value);
    default:
      return { value };
  }
}

function isNoWildcard(origin: string): boolean {
  return origin !== '*' && origin !== '';
}

function checkInteger(kind: IntegerKind, value: string): CheckedValue {
  const read = readGoInteger(value, kind);
  if (typeof read !== 'string') return { value: String(read.value) };
  const problem = read === 'range' ? 'value out of range' : 'parse error';
  if (kind !== 'uint32') return { reason: problem };
  const detail = read === 'range' ? problem : 'invalid syntax';
  return { reason: `strconv.ParseUint: parsing ${JSON.stringify(value)}: ${detail}` };
}

function checkEach(flag: Flag, value: string): CheckedValue {
  const wrong = value.split(',').find((part) => !flag.values?.includes(part));
  return wrong === undefined ? { value } : { reason: `invalid value ${JSON.stringify(wrong)}` };
}

function checkUrls(urls: readonly string[], value: string): CheckedValue {
  try {
    parseMemberUrls(urls.join(','));
    return { value };
  } catch (error) {
    return { reason: (error as Error).message };
  }
}
