import type { IncomingMessage, ServerResponse } from 'node:http';
import { DebugPages } from '../gateway/debug-pages.ts';
import { splitTarget } from '../gateway/http-types.ts';
import { answerTo, requestOf } from './http/http1-server.ts';
import { processVariables, profileCpu, profileHeap } from './process-debug.ts';

/** Answers what asks for a profile of this process, below `/debug/pprof/`; false for anything else. */
export type ProfilePages = (message: IncomingMessage, response: ServerResponse) => boolean;

/** Profiles for servers of HTTP/1.1 that are not a member's. */
export function makeProfilePages(): ProfilePages {
  const debug = new DebugPages(
    { variables: processVariables, commandLine: () => process.argv, profileCpu, profileHeap },
    { profiles: true },
  );
  return (message, response) => {
    if (!splitTarget(message.url ?? '/').path.startsWith('/debug/pprof/')) return false;
    return debug.serve(requestOf(message), answerTo(message, response));
  };
}
