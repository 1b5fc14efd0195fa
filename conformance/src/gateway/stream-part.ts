import type { HttpPair } from './http-pair.ts';
import { talk } from './web-socket-talk.ts';

const put = (value: string) => ({
  path: '/v3/kv/put',
  body: `{"key":"Zm9v","value":"${Buffer.from(value).toString('base64')}"}`,
});

/** Blobs are a database's own, and so is where they are cut: how they add up counts, and what is with them. */
function snapshotShape(body: string): string {
  const lines = body
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line).result as Record<string, string>);
  const sizes = lines.map(({ blob = '' }) => Buffer.from(blob, 'base64').length);
  let left = sizes.slice(0, -1).reduce((sum, size) => sum + size, 0);
  const addsUp = lines.slice(0, -1).every(({ remaining_bytes = '0' }, i) => {
    left -= sizes[i] as number;
    return left === Number(remaining_bytes);
  });
  const ends = lines.slice(-2).map((line) => Object.keys(line).join());
  const bounded = sizes.every((size) => size <= 32 * 1024);
  const versions = new Set(lines.map(({ version }) => version));
  return [`adds up: ${addsUp}, bounded: ${bounded}, last: ${sizes.at(-1)}`, ...versions, ...ends].join('\n');
}

/** Streams whose request is complete before they answer. */
export async function runStreams(http: HttpPair): Promise<void> {
  await http.compare('a put', put('one'), { status: 200 });
  await http.compare('a delete', { path: '/v3/kv/deleterange', body: '{"key":"Zm9v"}' }, { status: 200 });
  const watch = '{"create_request":{"key":"Zm9v","start_revision":"1","prev_kv":true}}';
  for (const [name, body, lines] of [
    ['a watch of the past', watch, 2],
    ['two requests at once', `${watch}{"create_request":{"key":"Zm9v","watch_id":"5"}}`, 3],
    ['a cancel', `${watch}\n{"cancel_request":{"watch_id":"0"}}`, 2],
    ['broken behind a good one', `${watch}{"create_request":3}`, 2],
  ] as const) {
    await http.compare(name, { path: '/v3/watch', body, lines }, { status: 200 });
  }
  for (const [name, body] of [
    ['two renewals', '{"ID":"1"}{"ID":2}'],
    ['broken renewal', '{"ID":"1"}{"ID":{}}{"ID":"2"}'],
    ['no renewal', ''],
    ['nothing sound', 'x'],
  ] as const) {
    await http.compare(`keepalive: ${name}`, { path: '/v3/lease/keepalive', body }, { status: 200 });
  }
  await http.compare(
    'a snapshot',
    { path: '/v3/maintenance/snapshot', body: '{}' },
    { status: 200, showBody: snapshotShape },
  );
  await http.compare(
    'a snapshot asked for badly',
    { path: '/v3/maintenance/snapshot', body: 'x' },
    { status: 400, anyMessage: true },
  );
}

export async function runWebSockets(http: HttpPair): Promise<void> {
  const watch = '{"create_request":{"key":"Zm9v","start_revision":"1"}}';
  await http.compare('a put', put('<one>'), { status: 200 });
  await talk(http, 'a watch, then its cancel', {
    path: '/v3/watch',
    send: [
      [0, watch],
      [2, '{"cancel_request":{"watch_id":"0"}}'],
    ],
    frames: 3,
  });
  await talk(http, 'renewals', {
    path: '/v3/lease/keepalive',
    send: [
      [0, '{"ID":"1"}'],
      [1, '{"ID":"2"}'],
      [2, 'x'],
    ],
  });
  await talk(http, 'a token', {
    path: '/v3/watch',
    opening: { protocols: ['Bearer', 'tok'] },
    send: [[0, watch]],
    frames: 2,
  });
  await talk(http, 'another protocol', { path: '/v3/watch', opening: { protocols: ['other'] }, send: [] });
  await talk(http, 'an unknown path', { path: '/v3/nothing', send: [] });
  await talk(http, 'a path outside', { path: '/nothing', send: [] });
  const future = '{"create_request":{"key":"Zw=="}}';
  await talk(http, 'two requests in a frame', { path: '/v3/watch', send: [[0, future + future]], frames: 2 });
}
