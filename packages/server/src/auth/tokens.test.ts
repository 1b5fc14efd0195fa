import assert from 'node:assert/strict';
import { createHmac, generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { type Logger, SeededRandom, silentLogger } from '@quorate/base';
import { makeTokenProvider } from './node/make-token-provider.ts';
import { SimpleTokens } from './simple-tokens.ts';
import type { TokenProvider } from './token-provider.ts';

const directory = mkdtempSync(join(tmpdir(), 'quorate-tokens-'));
after(() => rmSync(directory, { recursive: true }));

/** A clock that is set by hand. */
class SetClock {
  now = 1_000_000;
  nowMs = () => this.now;
  wallMs = () => this.now;
  setTimer = () => ({ cancel() {} });
  defer = () => {};
}

function make(spec: string, clock = new SetClock(), logger: Logger = silentLogger): TokenProvider {
  return makeTokenProvider({ clock, random: new SeededRandom(1), logger }, spec, 300);
}

function file(name: string, content: string): string {
  const path = join(directory, name);
  writeFileSync(path, content);
  return path;
}

function issueTo(tokens: TokenProvider, username: string, authRevision = 7): string {
  const issued = tokens.issue({ username, authRevision, simpleToken: 'prefix.3' });
  assert.ok('token' in issued, 'a token is issued');
  return issued.token;
}

test('a simple token lives from its last use, under the present revision', () => {
  const clock = new SetClock();
  const tokens = new SimpleTokens({ clock, random: new SeededRandom(1) }, 1000);
  assert.match(tokens.drawPrefix(), /^[A-Za-z]{16}$/);
  tokens.granted('alice', 'a.3');
  tokens.granted('bob', 'b.4');
  clock.now += 999;
  assert.deepEqual(tokens.identify('a.3', 5), { username: 'alice', authRevision: 5 });
  clock.now += 999;
  assert.deepEqual(tokens.identify('a.3', 6), { username: 'alice', authRevision: 6 });
  assert.equal(tokens.identify('b.4', 6), undefined);
  clock.now += 1000;
  assert.equal(tokens.identify('a.3', 6), undefined);
  assert.equal(tokens.size, 0);
});

test('expired tokens are not kept, those of a user end together', () => {
  const clock = new SetClock();
  const tokens = new SimpleTokens({ clock, random: new SeededRandom(1) }, 1000);
  for (let i = 0; i < 10; i++) tokens.granted('alice', `a.${i}`);
  clock.now += 1000;
  tokens.granted('alice', 'b.1');
  tokens.granted('bob', 'c.1');
  assert.equal(tokens.size, 2);
  tokens.userInvalidated('alice');
  assert.equal(tokens.identify('b.1', 1), undefined);
  assert.ok(tokens.identify('c.1', 1));
  tokens.allInvalidated();
  assert.equal(tokens.identify('c.1', 1), undefined);
});

test('the entry behind a simple token', () => {
  const tokens = make('simple');
  assert.deepEqual(
    ['abc.12', '.7', 'abc', 'a.b.3', 'abc.', 'abc.-1', 'abc.1e3', ''].map((token) => tokens.entryOf(token)),
    [12, 7, 0, 0, 0, 0, 0, 0],
  );
});

const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
const otherRsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
const ec = (namedCurve: string) => generateKeyPairSync('ec', { namedCurve });
const pairs = {
  RS256: rsa,
  RS384: rsa,
  RS512: rsa,
  PS256: rsa,
  PS384: rsa,
  PS512: rsa,
  ES256: ec('P-256'),
  ES384: ec('P-384'),
  ES512: ec('P-521'),
  EdDSA: generateKeyPairSync('ed25519'),
};

function writePair(name: string, pair: typeof rsa): { pub: string; priv: string } {
  return {
    pub: file(`${name}.pub`, pair.publicKey.export({ type: 'spki', format: 'pem' }).toString()),
    priv: file(`${name}.key`, pair.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()),
  };
}

for (const [method, pair] of Object.entries(pairs)) {
  test(`JWT by ${method}: signed by the private key, known by the public one alone, and not once changed`, () => {
    const { pub, priv } = writePair(method, pair as typeof rsa);
    const clock = new SetClock();
    const signer = make(`jwt,pub-key=${pub},priv-key=${priv},sign-method=${method},ttl=10s`, clock);
    const verifier = make(`jwt,pub-key=${pub},sign-method=${method}`, clock);
    const token = issueTo(signer, 'alice');
    assert.deepEqual(verifier.identify(token, 99), { username: 'alice', authRevision: 7 });
    assert.deepEqual(verifier.issue({ username: 'a', authRevision: 1, simpleToken: '' }), { refused: 'VerifyOnlyKey' });
    const [header, payload, signature = ''] = token.split('.');
    const forged = Buffer.from(JSON.stringify({ username: 'root', revision: 7, exp: 9e9 })).toString('base64url');
    assert.equal(verifier.identify(`${header}.${forged}.${signature}`, 7), undefined);
    assert.equal(verifier.identify(`${header}.${payload}.${signature.slice(4)}`, 7), undefined);
    clock.now += 9_999;
    assert.ok(verifier.identify(token, 7));
    clock.now += 1;
    assert.equal(verifier.identify(token, 7), undefined);
  });
}

test('JWT by a secret; a token says its algorithm, which must be the configured one', () => {
  const secret = file('secret', 'a secret of some length');
  const tokens = make(`jwt,priv-key=${secret},sign-method=HS256`);
  const token = issueTo(tokens, 'alice');
  assert.ok(tokens.identify(token, 7));
  const claims = { username: 'root', revision: 7 };
  const sign = (header: object, payload: object, digest = 'sha256') => {
    const content = [header, payload].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.');
    return `${content}.${createHmac(digest, 'a secret of some length').update(content).digest('base64url')}`;
  };
  assert.deepEqual(tokens.identify(sign({ alg: 'HS256' }, claims), 7), { username: 'root', authRevision: 7 });
  const bad = [
    sign({ alg: 'HS512' }, claims, 'sha512'),
    sign({ alg: 'none' }, claims),
    `${sign({ alg: 'none' }, claims).split('.').slice(0, 2).join('.')}.`,
    sign({ alg: 'HS256' }, { revision: 7 }),
    sign({ alg: 'HS256' }, { username: 'root' }),
    sign({ alg: 'HS256' }, { username: 'root', revision: '7' }),
    sign({ alg: 'HS256' }, { username: 'root', revision: -1 }),
    sign({ alg: 'HS256' }, { username: 'root', revision: 2 ** 60 }),
    sign({ alg: 'HS256' }, { username: 'a\ud800', revision: 7 }),
    sign({ alg: 'HS256' }, { ...claims, exp: 'never' }),
    sign({ alg: 'HS256' }, { ...claims, nbf: 9e9 }),
    'a.b.c',
    'a.b',
    '',
  ];
  for (const one of bad) assert.equal(tokens.identify(one, 7), undefined, one);
});

test('a public key is not taken for a secret', () => {
  const { pub, priv } = writePair('confused', rsa);
  const tokens = make(`jwt,pub-key=${pub},priv-key=${priv},sign-method=RS256`);
  const content = [{ alg: 'HS256' }, { username: 'root', revision: 7 }]
    .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
    .join('.');
  const pem = rsa.publicKey.export({ type: 'spki', format: 'pem' }).toString();
  const forged = `${content}.${createHmac('sha256', pem).update(content).digest('base64url')}`;
  assert.equal(tokens.identify(forged, 7), undefined);
});

test('no more verified tokens are remembered than their limit', () => {
  const secret = file('secret2', 'secret');
  const tokens = make(`jwt,priv-key=${secret},sign-method=HS256`);
  const all = Array.from({ length: 1_002 }, (_, i) => issueTo(tokens, `user${i}`));
  for (const token of all) assert.ok(tokens.identify(token, 7));
  const { verified } = tokens as unknown as { verified: Map<string, unknown> };
  assert.equal(verified.size, 1_000);
  assert.equal(verified.has(all[0] as string), false);
});

test('options that make no tokens, in the words of etcd', () => {
  const { pub, priv } = writePair('good', rsa);
  const other = writePair('other', otherRsa);
  const curve = writePair('curve', ec('P-384') as unknown as typeof rsa);
  const invalid = 'auth: invalid auth options';
  const refused: readonly [spec: string, text: string | RegExp][] = [
    ['unknown', invalid],
    ['jwt', invalid],
    ['jwt,sign-method', invalid],
    ['jwt,sign-method=RS256,sign-method=RS256', invalid],
    ['jwt,sign-method=a=b', invalid],
    [`jwt,pub-key=${pub},sign-method=toString`, invalid],
    [`jwt,pub-key=${pub},sign-method=none`, invalid],
    ['jwt,pub-key=/nowhere,sign-method=RS256', invalid],
    [`jwt,pub-key=${pub},sign-method=RS256,ttl=soon`, invalid],
    ['jwt,sign-method=RS256', 'auth: missing key data'],
    [`jwt,pub-key=${pub},sign-method=HS256`, 'auth: missing key data'],
    [`jwt,pub-key=${other.pub},priv-key=${priv},sign-method=RS256`, "auth: public and private keys don't match"],
    [`jwt,pub-key=${curve.pub},sign-method=ES256`, /does not fit/],
    [`jwt,pub-key=${pub},sign-method=EdDSA`, /does not fit/],
  ];
  for (const [spec, message] of refused) assert.throws(() => make(spec), { message }, spec);
});

test('an unknown option is passed over with a warning; without a type nobody gets a token', () => {
  const warnings: string[] = [];
  const logger = { ...silentLogger, warn: (message: string) => warnings.push(message) };
  const { pub } = writePair('warned', rsa);
  make(`jwt,pub-key=${pub},sign-method=RS256,colour=red`, new SetClock(), logger);
  assert.deepEqual(warnings, ['unknown JWT options']);
  const none = make('');
  assert.deepEqual(none.issue({ username: 'a', authRevision: 1, simpleToken: 'a.1' }), {
    refused: 'ErrGRPCAuthFailed',
  });
  assert.equal(none.identify('a.1', 1), undefined);
});
