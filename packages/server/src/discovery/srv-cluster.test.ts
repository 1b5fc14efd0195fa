import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CodedError, silentLogger } from '@quorate/base';
import { parseMemberUrls } from '../config/urls.ts';
import { findSrvCluster, type SrvRecord } from './srv-cluster.ts';

function find(
  records: Record<string, SrvRecord[]>,
  question: { name?: string; serviceName?: string; advertised?: string } = {},
): Promise<string> {
  const { name = 'me', serviceName = '', advertised = 'http://10.0.0.1:2380' } = question;
  const resolver = {
    records: (asked: string) =>
      records[asked] ? Promise.resolve(records[asked]) : Promise.reject(new Error(`lookup ${asked}: no such host`)),
    address: (host: string) => {
      const known = /^(?:a|b|c)\.example\.org\.?$/.test(host) ? `10.0.0.${host.charCodeAt(0) - 96}` : host;
      return /^[\d.]+$/.test(known)
        ? Promise.resolve(known)
        : Promise.reject(new Error(`lookup ${host}: no such host`));
    },
  };
  const advertisePeerUrls = parseMemberUrls(advertised);
  return findSrvCluster(
    { logger: silentLogger, resolver },
    { domain: 'example.org', name, serviceName, advertisePeerUrls },
  );
}

const plain = '_etcd-server._tcp.example.org';
const secure = '_etcd-server-ssl._tcp.example.org';
const at = (target: string, port = 2380): SrvRecord => ({ target, port });

test('the record that leads to this member has its name, the others are numbered', async () => {
  const records = { [plain]: [at('b.example.org.'), at('a.example.org.'), at('c.example.org.')] };
  assert.equal(
    await find(records),
    '0=http://b.example.org:2380,me=http://a.example.org:2380,1=http://c.example.org:2380',
  );
});

test('records of both services count, under a name of their own when asked', async () => {
  const records = { [secure]: [at('b.example.org.')], [plain]: [at('a.example.org.')] };
  assert.equal(await find(records), '0=https://b.example.org:2380,me=http://a.example.org:2380');
  const named = { '_etcd-server-x._tcp.example.org': [at('a.example.org.')] };
  assert.equal(await find(named, { serviceName: 'x' }), 'me=http://a.example.org:2380');
});

test('a record that leads nowhere is left out; without any the reasons are told', async () => {
  assert.equal(await find({ [plain]: [at('nowhere.'), at('a.example.org.')] }), 'me=http://a.example.org:2380');
  await assert.rejects(find({}), (error: unknown) => {
    assert.ok(error instanceof CodedError);
    assert.equal(error.code, 'config/start');
    assert.equal(
      error.message,
      `error setting up initial cluster: error querying DNS SRV records for _etcd-server-ssl lookup ${secure}: no such host\n` +
        `error querying DNS SRV records for _etcd-server lookup ${plain}: no such host`,
    );
    return true;
  });
});

test('a record of another scheme than the advertised URL is not this member', async () => {
  await assert.rejects(
    find({ [secure]: [at('a.example.org.')] }),
    /has scheme mismatch with expected peer http:\/\/10/,
  );
});
