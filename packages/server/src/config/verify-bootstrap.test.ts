import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Clock, silentLogger } from '@quorate/base';
import { makeConfig } from './config.ts';
import { parseArguments } from './parse.ts';
import type { UrlMatcherDeps } from './url-match.ts';
import { verifyJoin, verifyNewCluster } from './verify-bootstrap.ts';

/** Time passes only when somebody waits for it. */
class SteppingClock implements Clock {
  private now = 0;
  nowMs = (): number => this.now;
  wallMs = (): number => this.now;
  setTimer(delayMs: number, callback: () => void) {
    this.now += delayMs;
    queueMicrotask(callback);
    return { cancel() {} };
  }
  defer = (callback: () => void): void => queueMicrotask(callback);
}

const names = new Map([
  ['a.example', '10.0.0.1'],
  ['b.example', '10.0.0.2'],
]);

/** Knows the names above once it was asked `failures` times. */
function depsWith(failures = 0): UrlMatcherDeps & { asked: number; readonly clock: SteppingClock } {
  const deps = {
    clock: new SteppingClock(),
    logger: silentLogger,
    asked: 0,
    resolver: {
      resolve: (host: string) => {
        deps.asked++;
        const address = names.get(host);
        return address === undefined || deps.asked <= failures
          ? Promise.reject(new Error(`lookup ${host}: no such host`))
          : Promise.resolve(address);
      },
    },
  };
  return deps;
}

const config = (...args: string[]) => makeConfig(parseArguments(args));

async function refusal(deps: UrlMatcherDeps, ...args: string[]): Promise<string> {
  try {
    await verifyNewCluster(deps, config(...args));
  } catch (error) {
    return (error as Error).message;
  }
  assert.fail('was accepted');
}

test('a new cluster needs this member with the URLs it advertises, each of them once', async () => {
  const deps = depsWith();
  await verifyNewCluster(deps, config());
  await verifyNewCluster(deps, config('--name=a'));
  assert.equal(
    await refusal(deps, '--name=a', '--initial-cluster=b=http://localhost:2380'),
    `couldn't find local name "a" in the initial cluster configuration`,
  );
  assert.equal(
    await refusal(deps, '--initial-advertise-peer-urls=http://localhost:9'),
    '--initial-cluster has default=http://localhost:2380 but missing from --initial-advertise-peer-urls=http://localhost:9 ' +
      '(resolved urls: "http://localhost:9" != "http://localhost:2380")',
  );
  assert.equal(
    await refusal(
      deps,
      '--initial-advertise-peer-urls=http://localhost:2380,http://localhost:9',
      '--initial-cluster=default=http://localhost:2380',
    ),
    '--initial-advertise-peer-urls has http://localhost:9 but missing from ' +
      '--initial-cluster=default=http://localhost:2380,default=http://localhost:9',
  );
  assert.equal(
    await refusal(deps, '--initial-cluster=default=http://localhost:2380,b=http://localhost:2380'),
    'initial cluster b=http://localhost:2380,default=http://localhost:2380 has duplicate url',
  );
  assert.equal(deps.asked, 0);
});

test('URLs may differ in their text when their addresses are the same; a look-up that fails is made again', async () => {
  const deps = depsWith(3);
  const args = ['--initial-advertise-peer-urls=http://a.example:1', '--initial-cluster=default=http://10.0.0.1:1'];
  await verifyNewCluster(deps, config(...args));
  assert.deepEqual([deps.asked, deps.clock.nowMs()], [4, 3_000]);
  assert.match(
    await refusal(
      deps,
      '--initial-advertise-peer-urls=http://b.example:1',
      '--initial-cluster=default=http://10.0.0.1:1',
    ),
    /missing from .* \(resolved urls: "http:\/\/10\.0\.0\.2:1" != "http:\/\/10\.0\.0\.1:1"\)$/,
  );
});

test('look-ups end after 30 seconds', async () => {
  const deps = depsWith();
  assert.match(
    await refusal(
      deps,
      '--initial-advertise-peer-urls=http://c.example:1',
      '--initial-cluster=default=http://10.0.0.1:1',
    ),
    /\(failed to resolve "http:\/\/c\.example:1" \(lookup c\.example: no such host\)\)$/,
  );
  assert.deepEqual([deps.asked, deps.clock.nowMs()], [31, 30_000]);
});

test('who joins needs itself in the configuration, but may advertise something else', () => {
  verifyJoin(config('--initial-advertise-peer-urls=http://localhost:9'));
  assert.throws(() => verifyJoin(config('--name=a', '--initial-cluster=b=http://localhost:1')), {
    code: 'bootstrap/config',
    message: `couldn't find local name "a" in the initial cluster configuration`,
  });
  assert.throws(() => verifyJoin(config('--initial-cluster=default=http://h:1,b=http://h:1')), /has duplicate url/);
});
