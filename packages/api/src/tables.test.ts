import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { AnyMessageCodec, Field } from './codec.ts';
import * as api from './index.ts';
import { messageTypesOf } from './testing/random-message.ts';

interface ProtoMethod {
  name: string;
  requestType: string;
  responseType: string;
  requestStream?: boolean;
  responseStream?: boolean;
  resolvedRequestType: { fullName: string };
  resolvedResponseType: { fullName: string };
}
interface ProtoRoot {
  lookupService(name: string): { methodsArray: ProtoMethod[] };
}
const script = (await import(new URL('../scripts/generate.mjs', import.meta.url).href)) as { loadProtos(): ProtoRoot };

test('the services are those of the .proto files', () => {
  const root = script.loadProtos();
  for (const { name, methods } of Object.values(api.services)) {
    const declared = root.lookupService(name).methodsArray.map((method) => ({
      path: `/${name}/${method.name}`,
      request: method.resolvedRequestType.fullName.slice(1),
      response: method.resolvedResponseType.fullName.slice(1),
      clientStreaming: method.requestStream === true,
      serverStreaming: method.responseStream === true,
    }));
    const ours = Object.values(methods as Record<string, api.AnyMethod>).map((method) => ({
      path: method.path,
      request: method.request.name,
      response: method.response.name,
      clientStreaming: method.clientStreaming,
      serverStreaming: method.serverStreaming,
    }));
    assert.deepEqual(ours, declared);
  }
});

test('paths are unique', () => {
  const grpc = api.allMethods.map(({ path }) => path);
  assert.equal(new Set(grpc).size, grpc.length);
  const http = api.allMethods.flatMap(({ http }) => http.map(({ path }) => path));
  assert.equal(new Set(http).size, http.length);
});

// The facts about etcd the tables must agree with; they are not part of the package.
const specFolder = process.env.QUORATE_SPEC ?? '';
const skip = existsSync(join(specFolder, 'api-messages.tsv'))
  ? false
  : 'the folder of the specification tables is absent: set QUORATE_SPEC';

function readTable(name: string): Record<string, string>[] {
  const lines = readFileSync(join(specFolder, name), 'utf8').split('\n');
  const [head, ...rows] = lines.filter((line) => line !== '' && !line.startsWith('#')).map((line) => line.split('\t'));
  return rows.map((row) => Object.fromEntries(row.map((cell, i) => [(head as string[])[i] as string, cell])));
}

const allTypes = new Map<string, AnyMessageCodec>(
  Object.values(api)
    .filter((value) => typeof value === 'object')
    .flatMap((namespace) => messageTypesOf(namespace))
    .map((type) => [type.name, type]),
);

function typeText(field: Field): string {
  const base = field.message?.().name ?? field.enumName ?? field.kind;
  if (field.label === 'map') return `map<string,${base}>`;
  return field.label === 'repeated' ? `repeated ${base}` : base;
}

test('the messages and enums are those of the specification table', { skip }, () => {
  const rows = readTable('api-messages.tsv').filter((row) => row.kind !== 'extension' && row.kind !== 'reserved');
  const fieldsSeen = new Map<string, string[]>();
  const enumsSeen = new Map<string, Record<string, number>>();
  for (const row of rows) {
    const packageName = /\((.*)\)/.exec(row['file(package)'] as string)?.[1] as string;
    const name = `${packageName}.${row.message}`;
    if (row.kind === 'enum') {
      enumsSeen.set(name, { ...enumsSeen.get(name), [row.name as string]: Number(row.number) });
      continue;
    }
    const type = allTypes.get(name);
    assert.ok(type, name);
    const seen = fieldsSeen.get(name) ?? [];
    fieldsSeen.set(name, seen);
    if (row.kind === 'empty') continue;
    const field = type.fields[seen.length];
    assert.ok(field, `${name}.${row.name}`);
    seen.push(row.name as string);
    assert.deepEqual(
      {
        name: field.name,
        number: field.number,
        type: typeText(field),
        oneof: field.oneof ?? '-',
        jsonName: field.jsonName,
        since: field.since ?? type.since ?? '-',
      },
      {
        name: row.name,
        number: Number(row.number),
        type: (row.type as string).replace(/^optional /, ''),
        oneof: row.oneof,
        jsonName: row.json_name,
        since: row.since,
      },
      `${name}.${row.name}`,
    );
  }
  for (const [name, type] of allTypes) {
    assert.deepEqual(
      type.fields.map((field) => field.name),
      fieldsSeen.get(name),
      name,
    );
    for (const field of type.fields) {
      if (field.enumName) assert.deepEqual(field.values, enumsSeen.get(field.enumName), field.enumName);
    }
  }
});

test('the services and their routes are those of the specification table', { skip }, () => {
  const rows = readTable('api-services.tsv').map((row) => ({
    service: row.service,
    name: row.method,
    request: row.request,
    response: row.response,
    clientStreaming: row.client_streaming === 'yes',
    serverStreaming: row.server_streaming === 'yes',
    path: row.grpc_path,
    http: row.http_paths === '-' ? [] : (row.http_paths as string).split(',').map((path) => `${row.http_verb} ${path}`),
  }));
  const ours = api.allMethods.map((method) => ({
    service: method.service,
    name: method.name,
    request: method.request.name,
    response: method.response.name,
    clientStreaming: method.clientStreaming,
    serverStreaming: method.serverStreaming,
    path: method.path,
    http: method.http.map(({ verb, path }) => `${verb} ${path}`),
  }));
  assert.deepEqual(ours, rows);
});

test('the errors are those of the specification table', { skip }, () => {
  const rows = readTable('api-errors.tsv');
  const publicRows = rows.filter((row) => row.kind === 'error.go');
  const ours = Object.entries(api.errors).filter(([symbol]) => symbol.startsWith('ErrGRPC'));
  assert.deepEqual(
    ours.map(([symbol, { code, message, httpStatus, sentCode }]) => [symbol, code, message, httpStatus, sentCode]),
    publicRows.map((row) => [
      row.symbol,
      Number(row.code_number),
      row.message,
      Number(row.http_status),
      row.notes?.includes('with code 2 (Unknown)') ? 2 : Number(row.code_number),
    ]),
  );
  for (const row of rows.filter(({ kind, message }) => kind === 'extra' && !message?.includes('<'))) {
    const symbol = api.errorSymbolOf(row.message as string);
    assert.ok(symbol, row.message);
    assert.equal(api.errors[symbol].code, Number(row.code_number));
    assert.equal(api.errors[symbol].httpStatus, Number(row.http_status));
  }
  for (const row of rows.filter(({ kind }) => kind !== 'watch_cancel_reason')) {
    assert.equal(api.grpcStatusName(Number(row.code_number)), row.code_name);
  }
  const reasons = rows.filter(({ kind, message }) => kind === 'watch_cancel_reason' && message !== '');
  assert.deepEqual(
    Object.values(api.watchCancelReasons),
    reasons.map(({ message }) => message),
  );
});
