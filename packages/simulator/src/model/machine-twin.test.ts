import assert from 'node:assert/strict';
import { test } from 'node:test';
import { etcdserverpb, mvccpb } from '@quorate/api';
import { SeededRandom, silentLogger } from '@quorate/base';
import { NodeClock } from '@quorate/base/node';
import { AlarmStore, Applier, type ApplyResult, AuthStore, Lessor, openStore, Quota } from '@quorate/machine';
import { createMemoryBackend } from '@quorate/storage';
import { findDifference } from '../checkers/difference.ts';
import { encodeEntry } from '../checkers/testing/random-history.ts';
import { KeyValueModel } from './key-value-model.ts';
import type { ModelRequest } from './state.ts';
import { RandomRequests } from './testing/random-requests.ts';
import { range } from './testing/requests.ts';

const { ResponseHeader } = etcdserverpb;

async function openMachine() {
  const clock = new NodeClock();
  const backend = createMemoryBackend({ clock });
  const leases = new Lessor({ backend }, { ttlSecondsMin: 2 });
  const store = await openStore({ backend, clock, random: new SeededRandom(1), logger: silentLogger, leases });
  const auth = new AuthStore({ backend, leases });
  const membership = { setClusterVersion() {}, setAttributes() {}, setDowngrade() {} };
  const quota = new Quota(() => 0, 0);
  const deps = { store, alarms: new AlarmStore(backend), leases, auth, membership, quota, logger: silentLogger };
  return { store, applier: new Applier(deps, 0) };
}

type Machine = Awaited<ReturnType<typeof openMachine>>;

/** What the machine does with a request: its answer as the model gives it, or the symbol of an error. */
function perform({ store, applier }: Machine, request: ModelRequest): unknown {
  if (request.method === 'range') {
    const result = store.range(request.message);
    return typeof result === 'string' ? result : decodeRange(result, result.revision);
  }
  let result: ApplyResult | undefined;
  const index = applier.appliedIndex + 1;
  applier.apply({ index, term: 1, data: encodeEntry(request, index) }, (_high, _low, answer) => {
    result = answer;
  });
  assert.ok(result !== undefined);
  return result.kind === 'error' ? result.symbol : answerOf(result);
}

function decodeRange(result: Omit<etcdserverpb.RangeResponseRaw, 'header'>, revision: number) {
  const header = ResponseHeader.encode(ResponseHeader.create({ revision }));
  return etcdserverpb.RangeResponse.decode(etcdserverpb.RangeResponseRaw.encode({ ...result, header }));
}

function answerOf(result: ApplyResult): unknown {
  const header = ResponseHeader.create({ revision: result.revision });
  if (result.kind === 'put') {
    return { header, prevKv: result.prevKv && mvccpb.KeyValue.decode(result.prevKv) };
  }
  if (result.kind === 'delete') {
    const { deleted, prevKvs } = result;
    return { header, deleted, prevKvs: prevKvs.map((keyValue) => mvccpb.KeyValue.decode(keyValue)) };
  }
  if (result.kind !== 'txn') return { header };
  const { succeeded, responses } = result;
  return { header, succeeded, responses: responses.map((response) => etcdserverpb.ResponseOp.decode(response)) };
}

test('the model and the machine answer random requests alike', async () => {
  for (let seed = 1; seed <= 60; seed++) {
    const random = new SeededRandom(seed);
    const requests = new RandomRequests(random, 6);
    const model = new KeyValueModel();
    const machine = await openMachine();
    for (let i = 0; i < 120; i++) {
      const drawn = random.nextUint32() % 4 === 0 ? requests.range(model.revision) : requests.write(model.revision);
      for (const request of [drawn, range('\0', '\0')]) {
        const { error, response } = model.apply(request);
        const actual = perform(machine, request);
        const where = `seed ${seed}, request ${i}, ${request.method}`;
        assert.equal(typeof actual === 'string' ? actual : undefined, error, where);
        if (response !== undefined) assert.equal(findDifference(actual, response.message), undefined, where);
        assert.equal(machine.store.currentRevision, model.revision, where);
      }
    }
  }
});
