import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { after, before, describe, test } from 'node:test';
import type { HttpAnswer } from '../../gateway/http-types.ts';
import { createHttp1Server, type Http1Server } from './http1-server.ts';

describe('a server of HTTP/1 that finishes', () => {
  const answers: HttpAnswer[] = [];
  let http: Http1Server;
  const net = createServer({ noDelay: true }, (socket) => void http.server.emit('connection', socket));

  before(async () => {
    http = createHttp1Server((request, answer) => {
      if (request.target === '/slow') answers.push(answer);
      else answer.send(200, [['X-Seen', request.headers.get('x-a') ?? '']], 'done');
    });
    net.listen(0, '127.0.0.1');
    await once(net, 'listening');
  });
  after(() => {
    http.close();
    net.close();
  });

  function open(path: string): Socket {
    const socket = connect((net.address() as AddressInfo).port, '127.0.0.1');
    socket.setEncoding('latin1');
    socket.write(`GET ${path} HTTP/1.1\r\nHost: a\r\nX-A: b\r\n\r\n`);
    return socket;
  }

  test('idle connections go at once, a request under way is answered first, a stuck one is cut', async () => {
    const idle = open('/');
    const [text] = await once(idle, 'data');
    assert.match(text, /^HTTP\/1\.1 200 OK\r\nX-Seen: b\r\nContent-Length: 4\r\n/);
    const slow = open('/slow');
    const stuck = open('/slow');
    while (answers.length < 2) await new Promise((resolve) => setImmediate(resolve));
    const idleClosed = once(idle, 'close');
    http.finish();
    await idleClosed;
    answers.forEach((answer, i) => {
      if (i === 0) answer.send(200, [], 'late');
    });
    const sockets = [slow, stuck];
    const [first] = await Promise.race(sockets.map((socket) => once(socket, 'data')));
    assert.match(first, /late$/);
    await Promise.race(sockets.map((socket) => once(socket, 'close')));
    const left = sockets.filter((socket) => !socket.destroyed);
    assert.equal(left.length, 1);
    const cut = once(left[0] as Socket, 'close');
    http.close();
    await cut;
  });
});

describe('requests that come before the first is answered', () => {
  const answers: [string, HttpAnswer][] = [];
  let http: Http1Server;
  const net = createServer({ noDelay: true }, (socket) => void http.server.emit('connection', socket));

  before(async () => {
    http = createHttp1Server((request, answer) => answers.push([request.target, answer]));
    net.listen(0, '127.0.0.1');
    await once(net, 'listening');
  });
  after(() => {
    http.close();
    net.close();
  });

  function send(count: number): Socket {
    const socket = connect((net.address() as AddressInfo).port, '127.0.0.1');
    for (let i = 0; i < count; i++) socket.write(`GET /${i} HTTP/1.1\r\nHost: a\r\n\r\n`);
    return socket.setEncoding('latin1');
  }

  test('are served one by one', async () => {
    const socket = send(3);
    let text = '';
    socket.on('data', (more) => {
      text += more;
    });
    for (let i = 0; i < 3; i++) {
      while (answers.length === i) await new Promise((resolve) => setImmediate(resolve));
      // All that the client sent has been read by now, and only this one is served.
      assert.deepEqual(
        answers.map(([target]) => target),
        ['/0', '/1', '/2'].slice(0, i + 1),
      );
      answers[i]?.[1].send(200, [], `answer ${i}`);
    }
    while (!text.includes('answer 2')) await once(socket, 'data');
    assert.deepEqual([...text.matchAll(/answer \d/g)].flat(), ['answer 0', 'answer 1', 'answer 2']);
    socket.destroy();
  });

  test('are bounded in number: a client that sends more is cut', async () => {
    answers.length = 0;
    const socket = send(150);
    socket.on('error', () => {});
    await once(socket, 'close');
    assert.equal(answers.length, 1);
  });
});
