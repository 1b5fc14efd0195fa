import { readFileSync } from 'node:fs';
import { type Clock, CodedError, emptyBytes, type Logger, type Random } from '@quorate/base';
import { parseDurationMs } from '../../config/duration.ts';
import { JwtTokens } from '../jwt-tokens.ts';
import { SimpleTokens } from '../simple-tokens.ts';
import { noTokenProvider, type TokenProvider } from '../token-provider.ts';
import { isSignMethod, readJwtKeys } from './jwt-keys.ts';

const ttlMsDefault = 300_000;
const knownOptions = new Set(['sign-method', 'pub-key', 'priv-key', 'ttl']);

interface TokenDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

/**
 * Makes what `--auth-token` asks for: `simple`, `jwt,key=value,…`, or nothing.
 * @throws CodedError auth/token-options, auth/token-keys with etcd's texts
 */
export function makeTokenProvider(deps: TokenDeps, spec: string, simpleTtlSeconds: number): TokenProvider {
  const [type = '', ...pairs] = spec.split(',');
  const options = readOptions(pairs, spec, deps.logger);
  switch (type) {
    case 'simple':
      deps.logger.warn('simple token is not cryptographically signed');
      return new SimpleTokens(deps, simpleTtlSeconds * 1000 || ttlMsDefault);
    case 'jwt':
      return makeJwtTokens(deps, options);
    case '':
      return noTokenProvider;
    default:
      deps.logger.warn('unknown token type', { type });
      throw invalidOptions();
  }
}

function invalidOptions(): CodedError {
  return new CodedError('auth/token-options', 'auth: invalid auth options');
}

function readOptions(pairs: readonly string[], spec: string, logger: Logger): ReadonlyMap<string, string> {
  const options = new Map<string, string>();
  for (const pair of pairs) {
    const [name = '', value, ...more] = pair.split('=');
    if (value === undefined || more.length > 0 || options.has(name)) {
      logger.error('invalid token option', { option: spec });
      throw invalidOptions();
    }
    options.set(name, value);
  }
  return options;
}

function makeJwtTokens(deps: TokenDeps, options: ReadonlyMap<string, string>): JwtTokens {
  const { logger } = deps;
  const refuse = (problem: string) => {
    logger.error('problem loading JWT options', { error: problem });
    return invalidOptions();
  };
  const readKey = (name: string) => {
    const path = options.get(name) ?? '';
    if (path === '') return emptyBytes;
    try {
      return readFileSync(path);
    } catch (error) {
      throw refuse(error instanceof Error ? error.message : String(error));
    }
  };
  const ttl = options.get('ttl') ?? '';
  const ttlMs = ttl === '' ? ttlMsDefault : parseDurationMs(ttl);
  if (ttlMs === undefined) throw refuse(`time: invalid duration "${ttl}"`);
  const files = { publicKey: readKey('pub-key'), privateKey: readKey('priv-key') };
  const method = options.get('sign-method') ?? '';
  if (!isSignMethod(method)) throw refuse('auth: invalid auth method');
  const unknown = [...options.keys()].filter((name) => !knownOptions.has(name));
  if (unknown.length > 0) logger.warn('unknown JWT options', { keys: unknown });
  return new JwtTokens(deps, readJwtKeys(method, files), ttlMs);
}
