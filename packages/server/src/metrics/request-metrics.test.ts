import assert from 'node:assert/strict';
import { test } from 'node:test';
import { etcdserverpb } from '@quorate/api';
import { Metadata } from '@quorate/transport';
import { RequestField } from '../rpc/proposals.ts';
import { callObserver, clientRequests } from './call-metrics.ts';
import { MetricsRegistry } from './registry.ts';
import { requestFieldOf } from './request-field.ts';
import { RequestMetrics } from './request-metrics.ts';

const { InternalRaftRequest, PutRequest, AuthEnableRequest } = etcdserverpb;

function linesOf(registry: MetricsRegistry, pattern: RegExp): string[] {
  return registry
    .expose()
    .split('\n')
    .filter((line) => !line.startsWith('#') && pattern.test(line));
}

test('the kind of an entry is seen without decoding it', () => {
  const header = etcdserverpb.RequestHeader.create({ id: 7n, username: 'u' });
  const entry = (request: Partial<etcdserverpb.InternalRaftRequest>) =>
    InternalRaftRequest.encode(InternalRaftRequest.create({ header, ...request }));
  assert.equal(requestFieldOf(entry({ put: PutRequest.create() })), RequestField.put);
  assert.equal(requestFieldOf(entry({ authEnable: AuthEnableRequest.create() })), RequestField.authEnable);
  assert.equal(requestFieldOf(entry({})), 0);
  assert.equal(requestFieldOf(new Uint8Array(0)), 0);
});

test('requests and applies by kind and success', () => {
  const registry = new MetricsRegistry();
  const metrics = new RequestMetrics(registry);
  metrics.requestEnded(RequestField.put, 3, true);
  metrics.requestEnded(RequestField.put, 3, false);
  metrics.requestEnded(60_000, 3, true);
  metrics.applied(InternalRaftRequest.encode(InternalRaftRequest.create({ put: PutRequest.create() })), 1, true);
  metrics.applied(new Uint8Array(0), 1, true);
  assert.deepEqual(linesOf(registry, /proposals_failed/), ['etcd_server_proposals_failed_total 1']);
  assert.deepEqual(linesOf(registry, /duration_seconds_(count|sum)/), [
    'etcd_server_apply_duration_seconds_sum{op="Put",success="true",version="v3"} 0.001',
    'etcd_server_apply_duration_seconds_count{op="Put",success="true",version="v3"} 1',
    'etcd_server_request_duration_seconds_sum{success="true",type="Put"} 0.003',
    'etcd_server_request_duration_seconds_count{success="true",type="Put"} 1',
    'etcd_server_request_duration_seconds_sum{success="false",type="Put"} 0.003',
    'etcd_server_request_duration_seconds_count{success="false",type="Put"} 1',
  ]);
});

test('calls are measured as far as it is asked for', () => {
  const basic = callObserver(new MetricsRegistry(), false);
  assert.equal(basic('/etcdserverpb.KV/Put', 'unary'), null);
  const registry = new MetricsRegistry();
  const extensive = callObserver(registry, true);
  extensive('/etcdserverpb.KV/Put', 'unary')?.(6, 0);
  extensive('/etcdserverpb.KV/Range', 'unary')?.(6, 3);
  assert.deepEqual(linesOf(registry, /_count/), [
    'etcd_server_range_duration_seconds_count{success="false"} 1',
    'etcd_server_request_duration_seconds_count{success="false",type="Range"} 1',
    'grpc_server_handling_seconds_count{grpc_method="Put",grpc_service="etcdserverpb.KV",grpc_type="unary"} 1',
    'grpc_server_handling_seconds_count{grpc_method="Range",grpc_service="etcdserverpb.KV",grpc_type="unary"} 1',
  ]);
});

test('versions of clients are bounded', () => {
  const registry = new MetricsRegistry();
  const counterOf = clientRequests(registry);
  const saying = (version: string) => ({ get: () => version }) as unknown as Metadata;
  counterOf(new Metadata([]), true).add(1);
  for (let i = 0; i < 100; i++) counterOf(saying(`v${i}`), false).add(1);
  const lines = linesOf(registry, /client_requests/);
  assert.equal(lines.length, 65);
  assert.ok(lines.includes('etcd_server_client_requests_total{client_api_version="unknown",type="unary"} 37'));
  assert.ok(lines.includes('etcd_server_client_requests_total{client_api_version="unknown",type="stream"} 1'));
});
