import { assert, equalBytes, latin1FromBytes, latin1ToBytes, nextBelow, type Random } from '@quorate/base';
import type { ReadableBucket } from '../bucket.ts';
import type { WriteBucket } from '../write-bucket.ts';

/** A bucket as dumb as can be. */
export class TwinBucket {
  readonly items = new Map<string, Uint8Array | TwinBucket>();
  sequence = 0;

  clone(): TwinBucket {
    const copy = new TwinBucket();
    copy.sequence = this.sequence;
    for (const [key, item] of this.items) copy.items.set(key, item instanceof TwinBucket ? item.clone() : item);
    return copy;
  }

  sortedKeys(): string[] {
    return [...this.items.keys()].sort((a, b) => (a < b ? -1 : 1));
  }

  /** Pairs here and below. */
  get pairs(): number {
    let count = 0;
    for (const item of this.items.values()) count += item instanceof TwinBucket ? item.pairs : 1;
    return count;
  }
}

/** Fails unless both hold the same, forwards, backwards and by key. */
export function assertSame(bucket: ReadableBucket, twin: TwinBucket, path = ''): void {
  assert(bucket.sequence === twin.sequence, `${path}: sequence ${bucket.sequence}, not ${twin.sequence}`);
  const keys = twin.sortedKeys();
  const cursor = bucket.cursor();
  let there = cursor.first();
  for (const key of keys) {
    const where = `${path}/${printable(key)}`;
    assert(there, `${where} is missing`);
    assert(latin1FromBytes(cursor.key) === key, `${where}: there is ${printable(latin1FromBytes(cursor.key))}`);
    const item = twin.items.get(key);
    if (item instanceof TwinBucket) {
      assert(cursor.isBucket && cursor.value === undefined, `${where} is no bucket`);
      const inner = bucket.bucket(cursor.key);
      assert(inner !== undefined, `bucket ${where} is missing`);
      assertSame(inner, item, where);
    } else {
      const expected = item as Uint8Array;
      assert(equalBytes(cursor.value ?? new Uint8Array(1), expected), `${where}: cursor has another value`);
      const found = bucket.get(latin1ToBytes(key));
      assert(found !== undefined && equalBytes(found, expected), `${where}: get has another value`);
    }
    there = cursor.next();
  }
  assert(!there, `${path}: one too many`);
  there = cursor.last();
  for (const key of keys.reverse()) {
    const where = `${path}/${printable(key)}`;
    assert(there && latin1FromBytes(cursor.key) === key, `${where}: backwards`);
    const item = twin.items.get(key);
    const found = bucket.get(latin1ToBytes(key));
    const isSame =
      item instanceof TwinBucket ? found === undefined : equalBytes(found ?? new Uint8Array(1), item as Uint8Array);
    assert(isSame, `${where}: get backwards has another value`);
    const missing = `${key}\0`;
    assert(twin.items.has(missing) || bucket.get(latin1ToBytes(missing)) === undefined, `${where}: get finds too much`);
    there = cursor.prev();
  }
  assert(!there, `${path}: one too many backwards`);
}

/** What random operations look like. */
export interface Mix {
  readonly keysMax: number;
  readonly keyBytesMax: number;
  readonly valueBytesMax: number;
  /** Of 100: the other operations are puts. */
  readonly deletePercent: number;
  readonly sequential: boolean;
  readonly depthMax: number;
}

/** One random change of both. */
export function changeBoth(random: Random, mix: Mix, bucket: WriteBucket, twin: TwinBucket, depth = 0): void {
  const dice = nextBelow(random, 100);
  const name = latin1ToBytes(`bucket-${nextBelow(random, 4)}`);
  const text = latin1FromBytes(name);
  const item = twin.items.get(text);
  if (depth < mix.depthMax && dice < 25) {
    if (item instanceof TwinBucket) {
      const inner = bucket.bucket(name);
      assert(inner !== undefined, 'the bucket is missing');
      if (dice === 0) {
        bucket.deleteBucket(name);
        twin.items.delete(text);
      } else {
        changeBoth(random, mix, inner, item, depth + 1);
      }
    } else {
      bucket.createBucket(name);
      twin.items.set(text, new TwinBucket());
    }
    return;
  }
  if (dice === 26) {
    twin.sequence = bucket.nextSequence();
    return;
  }
  changeKey(random, mix, bucket, twin);
}

function changeKey(random: Random, mix: Mix, bucket: WriteBucket, twin: TwinBucket): void {
  const key = randomKey(random, mix, twin);
  const text = latin1FromBytes(key);
  if (nextBelow(random, 100) < mix.deletePercent) {
    const victims = nextBelow(random, 4) === 0 ? twin.sortedKeys().slice(0, nextBelow(random, 40)) : [text];
    for (const victim of victims) {
      if (twin.items.get(victim) instanceof TwinBucket) continue;
      const there = bucket.delete(latin1ToBytes(victim));
      assert(there === twin.items.delete(victim), `delete ${printable(victim)} says ${there}`);
    }
    return;
  }
  const value = randomBytes(random, nextBelow(random, nextBelow(random, 20) === 0 ? mix.valueBytesMax + 1 : 64));
  bucket.put(key, value);
  twin.items.set(text, value);
}

function randomKey(random: Random, mix: Mix, twin: TwinBucket): Uint8Array {
  if (mix.sequential && nextBelow(random, 4) !== 0) {
    return latin1ToBytes(`k${String(twin.items.size * 8 + nextBelow(random, 8)).padStart(8, '0')}`);
  }
  const number = nextBelow(random, mix.keysMax);
  return latin1ToBytes(`k${number}`.padEnd(2 + ((number * 7919) % mix.keyBytesMax), '.'));
}

export function randomBytes(random: Random, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  for (let i = 0; i < length; i++) bytes[i] = random.nextUint32();
  return bytes;
}

function printable(key: string): string {
  return JSON.stringify(key.slice(0, 40));
}
