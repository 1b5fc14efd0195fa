import { request as httpRequest, type IncomingMessage } from 'node:http';

const ASK_TIMEOUT_MS = 20_000;

export interface Ask {
  readonly method?: string;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** Reads only so many lines of the answer and then leaves. */
  readonly lines?: number;
}

export interface HttpAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** One request over a connection of its own; paths go out as they are written. */
export function ask(endpoint: string, { method = 'POST', path, headers = {}, body, lines }: Ask): Promise<HttpAnswer> {
  const [host = '', port = ''] = endpoint.split(':');
  return new Promise((resolve, reject) => {
    const request = httpRequest({ host, port, method, path, headers, agent: false }, (response) => {
      read(response, lines, (text) => {
        resolve({ status: response.statusCode ?? 0, headers: headersOf(response), body: text });
        request.destroy();
      });
    });
    request.setTimeout(ASK_TIMEOUT_MS, () => request.destroy(new Error(`${method} ${path}: no answer`)));
    request.on('error', reject);
    request.end(body);
  });
}

function read(response: IncomingMessage, lines: number | undefined, done: (text: string) => void): void {
  let text = '';
  response.setEncoding('utf8');
  response.on('error', () => {});
  response.on('data', (chunk: string) => {
    text += chunk;
    if (lines !== undefined && text.split('\n').length > lines) done(text.split('\n').slice(0, lines).join('\n'));
  });
  response.on('end', () => done(text));
}

function headersOf(response: IncomingMessage): Record<string, string> {
  const headers: Record<string, string> = {};
  for (let i = 0; i < response.rawHeaders.length; i += 2) {
    headers[response.rawHeaders[i] as string] = response.rawHeaders[i + 1] as string;
  }
  return headers;
}
