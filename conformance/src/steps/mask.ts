import { escapeRegExp } from '../support/text.ts';
import type { Mask } from './parse.ts';

/** What differs between two servers by right: their identity, and what the steps captured from their output. */
export interface Identity {
  readonly members: readonly MemberIdentity[];
  readonly scratchDir: string;
  readonly clusterId: bigint;
  /** Captured values by name, in the order of capture. */
  readonly captured: ReadonlyMap<string, string>;
}

export interface MemberIdentity {
  /** Behind the names its masks have: empty for the only member, else its number. */
  readonly suffix: string;
  readonly clientPort: number;
  readonly peerPort: number;
  readonly dataDir: string;
  /** undefined for a place where nobody is known to be yet. */
  readonly id: bigint | undefined;
}

const TIMES: readonly Mask[] = [
  // Durations as Go prints them: 1.234567ms, 2m3.5s. Plain "60s" of a lease's granted TTL is left alone.
  { pattern: /\b(?:\d+m)?\d+\.\d+(?:ns|µs|us|ms|s)\b/g, replacement: '<time>' },
  { pattern: /\b\d+(?:ns|µs|us|ms)\b/g, replacement: '<time>' },
  { pattern: /"ts":"[^"]*"/g, replacement: '"ts":"<time>"' },
  { pattern: /"ts":[0-9.e+]+/g, replacement: '"ts":"<time>"' },
  { pattern: /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[.0-9]*(?:Z|[+-]\d\d:?\d\d)/g, replacement: '<time>' },
  { pattern: /remaining\(-?\d+s\)/g, replacement: 'remaining(<time>)' },
];

const MACHINE: readonly Mask[] = [
  // A 3.4 server has no code for a call whose time is over; its client has.
  {
    pattern: /code = Unknown desc = context deadline exceeded/g,
    replacement: 'code = DeadlineExceeded desc = <deadline>',
  },
  // Which of the two sides of a call notices first that its time is over is chance.
  {
    pattern: /desc = (?:context deadline exceeded|stream terminated by RST_STREAM with error code: CANCEL)/g,
    replacement: 'desc = <deadline>',
  },
  // Addresses of Go objects in log lines.
  { pattern: /\b0x[0-9a-f]{9,12}\b/g, replacement: '<pointer>' },
  { pattern: /LocalAddr: '127\.0\.0\.1:\d+'/g, replacement: "LocalAddr: '<local>'" },
  { pattern: /\bclient-[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b/g, replacement: 'client-<uuid>' },
  { pattern: /"size":"[^"]*"/g, replacement: '"size":"<size>"' },
  { pattern: /\b\d+(?:\.\d+)? [kMGT]?B\b/g, replacement: '<size>' },
  { pattern: /"(dbSize|dbSizeInUse|totalSize|raftIndex|raftAppliedIndex)":\d+/g, replacement: '"$1":<n>' },
  {
    pattern: /^"(DBSize|DBSizeInUse|Size|RaftIndex|RaftAppliedIndex)" : "?\d+"?$/gm,
    replacement: '"$1" : <n>',
  },
  // Versions of the server; 3.4 beside 3.7.1 must not count as a difference.
  { pattern: /\b3\.[4-7]\.\d+\b/g, replacement: '<version>' },
];

const TERMS: readonly Mask[] = [
  { pattern: /"(raft_term|raftTerm)":\d+/g, replacement: '"$1":<term>' },
  { pattern: /^"RaftTerm" : \d+$/gm, replacement: '"RaftTerm" : <term>' },
];

function wholeNumber(digits: string): RegExp {
  return new RegExp(`(?<![0-9a-zA-Z])0*${escapeRegExp(digits)}(?![0-9a-zA-Z])`, 'g');
}

function idMasks(name: string, id: bigint): Mask[] {
  return [
    { pattern: wholeNumber(id.toString()), replacement: `<${name}>` },
    { pattern: wholeNumber(id.toString(16)), replacement: `<${name}>` },
    // %16x pads a short id with blanks.
    { pattern: new RegExp(` +<${name}>`, 'g'), replacement: ` <${name}>` },
  ];
}

function identityMasks(identity: Identity): Mask[] {
  const masks: Mask[] = [];
  for (const [name, value] of identity.captured) {
    masks.push({ pattern: wholeNumber(value), replacement: `<${name}>` });
    // etcdctl shows ids in hex, its json and fields formats in decimal.
    if (/^[0-9a-f]{8,16}$/.test(value)) masks.push(...idMasks(name, BigInt(`0x${value}`)));
  }
  masks.push(...idMasks('cluster', identity.clusterId));
  for (const { suffix, id } of identity.members) if (id !== undefined) masks.push(...idMasks(`member${suffix}`, id));
  for (const { suffix, dataDir } of identity.members) {
    masks.push({ pattern: new RegExp(escapeRegExp(dataDir), 'g'), replacement: `<data-dir${suffix}>` });
  }
  masks.push({ pattern: new RegExp(escapeRegExp(identity.scratchDir), 'g'), replacement: '<dir>' });
  for (const { suffix, clientPort, peerPort } of identity.members) {
    masks.push({ pattern: new RegExp(`\\b${clientPort}\\b`, 'g'), replacement: `<client-port${suffix}>` });
    masks.push({ pattern: new RegExp(`\\b${peerPort}\\b`, 'g'), replacement: `<peer-port${suffix}>` });
  }
  // How many elections there were before one leader held is chance.
  if (identity.members.length > 1) masks.push(...TERMS);
  return masks;
}

/** Drawn tables take their widths from what they hold; once ids are masked the widths mean nothing. */
function squeezeTables(text: string): string {
  if (!/[+┌│|][-─ ]/.test(text)) return text;
  return text
    .split('\n')
    .map((line) => (/^[+┌├└│|]/.test(line) ? line.replace(/[-─]{2,}/g, '-').replace(/ {2,}/g, ' ') : line))
    .join('\n');
}

/** The lines in order of their text, elements of JSON arrays of objects as lines of their own. */
export function sortLines(text: string): string {
  const broken = text.replaceAll('[{', '[\n{').replaceAll('},{', '}\n{').replaceAll('}]', '}\n]');
  return `${broken.trimEnd().split('\n').sort().join('\n')}\n`;
}

export function maskText(text: string, identity: Identity, extra: readonly Mask[]): string {
  let masked = text;
  for (const mask of [...extra, ...identityMasks(identity), ...TIMES, ...MACHINE]) {
    masked = masked.replace(mask.pattern, mask.replacement);
  }
  return squeezeTables(masked);
}
