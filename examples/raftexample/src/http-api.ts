import { createServer, type IncomingMessage, type Server } from 'node:http';
import { utf8ToBytes } from '@quorate/base';
import { type ConfChange, ConfChangeType, createConfChange, RaftError, type RaftNode } from '@quorate/raft';
import { encodePut, type KeyValueStore } from './key-value-store.ts';
import { type Members, peerUrl } from './members.ts';

export interface ApiDeps {
  readonly store: KeyValueStore;
  readonly node: Pick<RaftNode, 'propose' | 'proposeConfChange'>;
  readonly members: Members;
}

export const valueBytesMax = 1024 * 1024;
/** How long a proposal waits for a leader. */
const leaderWaitMs = 5000;

interface Answer {
  readonly status: number;
  readonly text?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

const done: Answer = { status: 204 };

/**
 * The clients' side:
 *
 *     PUT /KEY      value      proposes the value      204
 *     GET /KEY                 what this node has      200 value, 404
 *     POST /ID      peer URL   proposes a new node     204
 *     DELETE /ID               proposes to remove one  204
 *
 * 204 says that Raft took the proposal, not yet that it is committed: whoever wants to know reads it back.
 */
export function createApi(deps: ApiDeps): Server {
  return createServer((request, response) => {
    answer(deps, request)
      .catch(failure)
      .then(({ status, text, headers }) => {
        const type = text === undefined ? {} : { 'Content-Type': 'text/plain; charset=utf-8' };
        response.writeHead(status, { ...type, ...headers }).end(text);
      });
  });
}

async function answer(deps: ApiDeps, request: IncomingMessage): Promise<Answer> {
  const path = request.url ?? '/';
  switch (request.method) {
    case 'PUT':
      return put(deps, path, await bodyOf(request));
    case 'GET': {
      const value = deps.store.get(path);
      return value === undefined ? { status: 404, text: 'no such key\n' } : { status: 200, text: value };
    }
    case 'POST':
      return addNode(deps, path, await bodyOf(request));
    case 'DELETE':
      return changeNode(deps, ConfChangeType.RemoveNode, path);
    default:
      return { status: 405, text: 'method not allowed\n', headers: { Allow: 'PUT, GET, POST, DELETE' } };
  }
}

async function put({ node }: ApiDeps, key: string, value: string): Promise<Answer> {
  await node.propose(encodePut(key, value), AbortSignal.timeout(leaderWaitMs));
  return done;
}

async function addNode(deps: ApiDeps, path: string, body: string): Promise<Answer> {
  const url = peerUrl(body);
  if (url === undefined) throw new BadRequest('the body is not a URL as http://127.0.0.1:42379');
  return changeNode(deps, ConfChangeType.AddNode, path, url);
}

async function changeNode(
  { node, members }: ApiDeps,
  type: ConfChange['type'],
  path: string,
  url = '',
): Promise<Answer> {
  if (!/^\/[1-9]\d{0,18}$/.test(path)) throw new BadRequest('the path is not the id of a node');
  const change = createConfChange({ type, nodeId: BigInt(path.slice(1)), context: utf8ToBytes(url) });
  const refusal = members.refusal(change);
  if (refusal !== undefined) throw new BadRequest(refusal);
  await node.proposeConfChange(change, AbortSignal.timeout(leaderWaitMs));
  return done;
}

class BadRequest extends Error {}

function failure(error: Error): Answer {
  // Raft did not take it: no leader, or too much under way. The same request may do well a little later.
  if (error instanceof RaftError) return { status: 503, text: `${error.message}\n` };
  if (error instanceof BadRequest) return { status: 400, text: `${error.message}\n` };
  throw error;
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  try {
    const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
    let text = '';
    let bytes = 0;
    // Left early, the connection stays for the answer.
    for await (const chunk of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Uint8Array>) {
      bytes += chunk.length;
      if (bytes > valueBytesMax) throw new BadRequest(`it has more than ${valueBytesMax} bytes`);
      text += decoder.decode(chunk, { stream: true });
    }
    return text + decoder.decode();
  } catch (error) {
    throw new BadRequest(`the body cannot be taken: ${(error as Error).message}`);
  }
}
