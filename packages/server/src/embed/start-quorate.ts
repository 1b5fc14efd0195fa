import { CodedError, type Logger, silentLogger } from '@quorate/base';
import { makeConfig } from '../config/config.ts';
import { flags } from '../config/flag-table.ts';
import { emptySettings } from '../config/parse.ts';
import type { TlsSettings } from '../config/tls-settings.ts';
import { checkValue } from '../config/values.ts';
import { type RunningMember, startMember } from './start-member.ts';

/** How an embedded member is set up. */
export interface QuorateOptions {
  /** Where the member keeps its data. Left out with `inMemory`. */
  readonly dataDir?: string;
  /** Keeps everything in memory: gone when the process ends. */
  readonly inMemory?: boolean;
  /** Addresses for clients; port 0 takes any free one. Default `http://127.0.0.1:0`. */
  readonly clientUrls?: readonly string[];
  /**
   * Addresses for other members, which are told of them (`initial-cluster` and its like are flags). Left out, and without the flag
   * `listen-peer-urls`, there are none: a cluster of one.
   */
  readonly peerUrls?: readonly string[];
  /** For `https` among `clientUrls`: paths of files, read again when they change, and what is asked of clients. */
  readonly clientTls?: Partial<TlsSettings>;
  /** The same for `peerUrls`, and for how other members are dialled. */
  readonly peerTls?: Partial<TlsSettings>;
  /** Any flag of the server by its name without dashes, for example `{ 'snapshot-count': '5000' }`. */
  readonly flags?: Readonly<Record<string, string>>;
  /** Silent by default. */
  readonly logger?: Logger;
  /** The member cannot go on, after a failed write for example. By default the error is thrown into the process. */
  readonly onFatal?: (error: unknown) => void;
}

const byName = new Map(flags.map((flag) => [flag.name, flag]));

/**
 * Starts a member inside this program; resolves when it serves.
 *
 * ```ts
 * const member = await startQuorate({ inMemory: true });
 * console.log(member.clientUrls); // for any etcd client
 * await member.stop();
 * ```
 *
 * @throws CodedError `embed/flag` for a flag that does not exist or does not take the value; UsageError for contradictions;
 * the disk's errors.
 */
export function startQuorate(options: QuorateOptions = {}): Promise<RunningMember> {
  const { inMemory = false } = options;
  const clientUrls = options.clientUrls ?? ['http://127.0.0.1:0'];
  const settings = emptySettings();
  const set = (name: string, value: string) => {
    settings.values.set(name, value);
    settings.sources.set(name, 'flag');
  };
  set('listen-client-urls', clientUrls.join(','));
  set('advertise-client-urls', clientUrls.join(','));
  if (options.peerUrls !== undefined) {
    set('listen-peer-urls', options.peerUrls.join(','));
    set('initial-advertise-peer-urls', options.peerUrls.join(','));
  }
  if (options.dataDir !== undefined) set('data-dir', options.dataDir);
  else if (inMemory) set('data-dir', '/data');
  for (const [name, value] of Object.entries(options.flags ?? {})) {
    const flag = byName.get(name);
    if (!flag) return Promise.reject(new CodedError('embed/flag', `there is no flag ${name}`));
    const checked = checkValue(flag, value);
    if ('reason' in checked)
      return Promise.reject(new CodedError('embed/flag', `flag ${name} does not take ${value}: ${checked.reason}`));
    set(name, checked.value);
  }
  const onFatal =
    options.onFatal ??
    ((error: unknown) => {
      throw error;
    });
  const withoutPeers = !settings.values.has('listen-peer-urls');
  const { clientTls = {}, peerTls = {} } = options;
  return startMember(makeConfig(settings, { inMemory, withoutPeers, clientTls, peerTls }), {
    logger: options.logger ?? silentLogger,
    onFatal,
  });
}
