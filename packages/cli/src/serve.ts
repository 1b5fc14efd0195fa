import { CodedError, hasCode } from '@quorate/base';
import { type Environment, type ProgramLogger, startMember } from 'quorate';
import { type Configuration, readConfiguration, sayNotes } from './configuration.ts';
import { dataDirKind } from './data-dir-kind.ts';
import { describeError, isListenError, stackOf } from './describe-error.ts';
import { openFilesMax, reservedFiles } from './open-files.ts';
import { notifyServiceManager } from './service-manager.ts';
import { stopOnSignals } from './signals.ts';

/** Runs a member until a signal stops it. What goes wrong is logged in one line and ends the process with an exit code. */
export async function serve(args: readonly string[], environment: Environment): Promise<void> {
  const outcome = await readConfiguration(args, environment);
  if ('exitCode' in outcome) {
    process.exitCode = outcome.exitCode;
    return;
  }
  const { config, logger, settings } = outcome;
  const kindCode = sayDataDirKind(outcome);
  if (kindCode !== 0) await end(logger, kindCode);
  // As in etcd, which judges them once more here.
  sayNotes(logger, settings.warnings);
  const onFatal = (error: unknown): void => {
    if (hasCode(error, 'member/removed')) {
      logger.warn('server error', { error: describeError(error) });
      logger.warn('data-dir used by this member must be removed', { 'data-dir': config.dataDir });
      void end(logger, 0);
      return;
    }
    logger.error('the member stops because it cannot go on', { error: describeError(error), ...stackOf(error) });
    void end(logger, 1);
  };
  // A broken invariant in a handler, say: a state that nobody knows is not gone on with.
  process.on('uncaughtException', onFatal);
  process.on('unhandledRejection', onFatal);
  try {
    const member = await startMember(config, { logger, onFatal, ...connectionLimit() });
    stopOnSignals(member, logger);
    await notifyServiceManager(logger, environment);
  } catch (error) {
    sayStartFailed(outcome, error);
    // Whatever is still open must not keep the process.
    await end(logger, 1);
  }
}

/** Files stay free for the member itself. (A process with fewer than it needs does not even come here: Node.js fails to load it.) */
function connectionLimit(): { readonly connectionsMax?: number } {
  const filesMax = openFilesMax();
  return filesMax === undefined ? {} : { connectionsMax: Math.max(1, filesMax - reservedFiles) };
}

/** @returns what the process ends with where nothing can be started on the directory, else 0 */
function sayDataDirKind({ config, logger }: Configuration): number {
  const { dataDir } = config;
  let kind: ReturnType<typeof dataDirKind>;
  try {
    kind = dataDirKind(logger, dataDir);
  } catch (error) {
    logger.fatal('failed to list data directory', { dir: dataDir, error: describeError(error) });
    return 1;
  }
  const fields = { 'data-dir': dataDir, 'dir-type': kind };
  switch (kind) {
    case 'empty':
      logger.info('Initialize and start etcd server', fields);
      return 0;
    case 'member':
      logger.info('server has already been initialized', fields);
      return 0;
    case 'proxy':
      logger.info('server has already been initialized', fields);
      logger.fatal('v2 http proxy has already been deprecated in 3.6', { 'dir-type': kind });
      return 2;
    case 'broken':
      logger.fatal('invalid datadir; both member and proxy directories exist', { 'data-dir': dataDir });
      return 1;
    default:
      return kind satisfies never;
  }
}

function sayStartFailed({ config, logger }: Configuration, error: unknown): void {
  if (error instanceof CodedError && error.code === 'tls/self-signed') {
    logger.fatal(error.message, { error: describeError(error.cause) });
    return;
  }
  const fields = { error: describeError(error), ...stackOf(error) };
  if (hasCode(error, 'peer/listen')) logger.error('creating peer listener failed', fields);
  else if (!isOutsideBootstrap(error)) logger.error('bootstrap failed', fields);
  if (hasCode(error, 'discovery/refused')) {
    const { token, endpoints } = config.discovery.v3;
    logger.warn('failed to bootstrap; discovery token was already used', {
      'discovery-token': token,
      'discovery-endpoints': endpoints,
      error: describeError(error),
    });
    logger.warn('do not reuse discovery token; generate a new one to bootstrap a cluster');
    return;
  }
  logger.fatal('discovery failed', fields);
}

/** Codes of what is not found out while the files of a member are opened. */
const outsideBootstrap = ['config/start', 'tls/config', 'auth/token-options'];

function isOutsideBootstrap(error: unknown): boolean {
  return isListenError(error) || outsideBootstrap.some((code) => hasCode(error, code));
}

async function end(logger: ProgramLogger, code: number): Promise<never> {
  await logger.flush();
  process.exit(code);
}
