import type { HttpFallback, HttpResponse } from '@quorate/transport';
import type { HeaderList, HttpAnswer, HttpHandler } from '../../gateway/http-types.ts';

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
  return {
    send: (status, headers, body) =>
      response.send(status, lowered(headers), typeof body === 'string' ? Buffer.from(body) : body),
    begin: (status, headers) => response.begin(status, lowered(headers)),
    write: (text) => response.write(Buffer.from(text)),
    end: () => response.end(),
    onDrain: (callback) => response.onDrain(callback),
    onClose: (callback) => response.onCancel(callback),
  };
}

/** The headers as HTTP/2 has them, with the date that Node adds by itself over HTTP/1. */
function lowered(headers: HeaderList): (readonly [string, string])[] {
  const date = ['date', new Date().toUTCString()] as const;
  return [...headers.map(([name, value]) => [name.toLowerCase(), value] as const), date];
}
