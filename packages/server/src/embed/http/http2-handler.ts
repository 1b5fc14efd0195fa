import type { HttpFallback, HttpResponse } from '@quorate/transport';
import type { HeaderList, HttpAnswer, HttpHandler } from '../../gateway/http-types.ts';
import { sendPaced } from '../../gateway/paced.ts';

/** Serves requests over HTTP/2 that are not gRPC. */
export function http2Handler(handler: HttpHandler): HttpFallback {
  return (request, response) => {
    const { certificate } = request.peer;
    const { headers, authority } = request;
    handler(
      {
        method: request.method,
        target: request.path,
        headers: {
          get: (name) => (name === 'host' && authority !== '' ? authority : headers.get(name)),
          entries: () => (authority === '' ? headers.entries() : [['host', authority], ...headers.entries()]),
        },
        body: request,
        secure: request.peer.secure,
        remoteAddress: request.peer.address,
        commonName: certificate?.verified === true ? certificate.commonName : '',
      },
      answerTo(response),
    );
  };
}

function answerTo(response: HttpResponse): HttpAnswer {
  const answer = {
    room: response,
    send: (status: number, headers: HeaderList, body: string | Uint8Array) =>
      response.send(status, lowered(headers), typeof body === 'string' ? Buffer.from(body) : body),
    begin: (status: number, headers: HeaderList) => response.begin(status, lowered(headers)),
    write: (text: string | Uint8Array) => response.write(typeof text === 'string' ? Buffer.from(text) : text),
    end: () => response.end(),
    onDrain: (callback: () => void) => response.onDrain(callback),
    onClose: (callback: () => void) => response.onCancel(callback),
  };
  return { ...answer, sendPieces: (status, headers, pieces) => sendPaced(answer, status, headers, pieces) };
}

/** The headers as HTTP/2 has them, with the date that Node adds by itself over HTTP/1. */
function lowered(headers: HeaderList): (readonly [string, string])[] {
  const date = ['date', new Date().toUTCString()] as const;
  return [...headers.map(([name, value]) => [name.toLowerCase(), value] as const), date];
}
