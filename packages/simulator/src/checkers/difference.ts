import { equalBytes, latin1FromBytes } from '@quorate/base';

const shownMax = 48;

/**
 * The first thing in which a message differs from what it must be, as `kvs[0].version is 2, must be 3`; undefined when nothing does. Of
 * headers only the revision counts, because the model knows no more of them.
 */
export function findDifference(actual: unknown, expected: unknown, path = ''): string | undefined {
  if (actual === expected) return undefined;
  if (expected instanceof Uint8Array && actual instanceof Uint8Array) {
    return equalBytes(actual, expected) ? undefined : differ(actual, expected, path);
  }
  if (Array.isArray(expected) && Array.isArray(actual)) return findInArrays(actual, expected, path);
  if (isMessage(expected) && isMessage(actual)) return findInMessages(actual, expected, path);
  return differ(actual, expected, path);
}

type Message = Readonly<Record<string, unknown>>;

function isMessage(value: unknown): value is Message {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Uint8Array);
}

function findInArrays(actual: readonly unknown[], expected: readonly unknown[], path: string): string | undefined {
  const common = Math.min(actual.length, expected.length);
  for (let i = 0; i < common; i++) {
    const difference = findDifference(actual[i], expected[i], `${path}[${i}]`);
    if (difference !== undefined) return difference;
  }
  if (actual.length === expected.length) return undefined;
  const [longer, what] = actual.length > expected.length ? [actual, 'has'] : [expected, 'lacks'];
  return `${path} ${what} ${show(longer[common])} as [${common}]`;
}

function findInMessages(actual: Message, expected: Message, path: string): string | undefined {
  for (const key in expected) {
    if (key === 'unknown') continue;
    const inner = path === '' ? key : `${path}.${key}`;
    const difference =
      key === 'header'
        ? findInHeaders(actual[key], expected[key], inner)
        : findDifference(actual[key], expected[key], inner);
    if (difference !== undefined) return difference;
  }
  return undefined;
}

function findInHeaders(actual: unknown, expected: unknown, path: string): string | undefined {
  if (isMessage(actual) && isMessage(expected)) {
    return findDifference(actual.revision, expected.revision, `${path}.revision`);
  }
  return findDifference(actual, expected, path);
}

function differ(actual: unknown, expected: unknown, path: string): string {
  return `${path} is ${show(actual)}, must be ${show(expected)}`;
}

/** A value for people: a key-value as `key=value@revision`. */
function show(value: unknown): string {
  if (value === undefined) return 'missing';
  if (value instanceof Uint8Array) return showBytes(value);
  if (!isMessage(value)) return String(value);
  if (value.key instanceof Uint8Array && value.value instanceof Uint8Array) {
    return `${showBytes(value.key)}=${showBytes(value.value)}@${value.modRevision}`;
  }
  return 'present';
}

export function showBytes(bytes: Uint8Array): string {
  const text = JSON.stringify(latin1FromBytes(bytes.subarray(0, shownMax)));
  return bytes.length > shownMax ? `${text}… of ${bytes.length} bytes` : text;
}
