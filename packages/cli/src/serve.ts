import { readFileSync } from 'node:fs';
import { hasCode } from '@quorate/base';
import {
  addEnvironment,
  createLogger,
  etcdVersion,
  helpText,
  type MemberConfig,
  makeConfig,
  parseArguments,
  quorateVersion,
  type RawSettings,
  settingsFromFile,
  settingsWithoutEffect,
  startMember,
  UsageError,
  usageText,
} from 'quorate';
import { parse as parseYaml } from 'yaml';

type Environment = Readonly<Record<string, string | undefined>>;

function versionText(): string {
  const { platform, arch } = process;
  return `etcd Version: ${etcdVersion}\nGit SHA: quorate-${quorateVersion}\nGo Version: none (Node.js ${process.version})\nGo OS/Arch: ${platform}/${arch === 'x64' ? 'amd64' : arch}\n`;
}

/** Settings of the command line and environment, or of the configuration file alone when one is named. @throws UsageError */
function readSettings(
  args: readonly string[],
  environment: Environment,
): { settings: RawSettings; file: string | undefined } {
  const settings = parseArguments(args);
  const file = settings.values.get('config-file') ?? environment.ETCD_CONFIG_FILE;
  const asksForText = settings.values.get('version') === 'true';
  if (file === undefined || file === '' || asksForText) {
    addEnvironment(settings, environment);
    return { settings, file: undefined };
  }
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    throw new UsageError((error as Error).message, 1, false);
  }
  try {
    return { settings: settingsFromFile(parseYaml(text)), file };
  } catch (error) {
    if (error instanceof UsageError) throw error;
    throw new UsageError(`error converting YAML to JSON: ${(error as Error).message}`, 1, false);
  }
}

function refuseUsage(error: UsageError): void {
  const { exitCode, usage } = error.data ?? { exitCode: 1, usage: false };
  if (usage) process.stderr.write(`${error.message}\n${usageText}`);
  else
    createLogger({ level: 'info', format: 'json', outputs: [] }).warn('failed to verify flags', {
      error: error.message,
    });
  process.exitCode = exitCode;
}

/** Runs a member until a signal stops it. What goes wrong is logged in one line and ends the process with an exit code. */
export async function serve(args: readonly string[], environment: Environment): Promise<void> {
  if (args.some((argument) => /^--?(?:h|help)$/.test(argument))) {
    process.stderr.write(usageText);
    process.stdout.write(helpText());
    return;
  }
  let config: MemberConfig;
  let settings: RawSettings;
  let file: string | undefined;
  try {
    ({ settings, file } = readSettings(args, environment));
    if (settings.values.get('version') === 'true') {
      process.stdout.write(versionText());
      return;
    }
    config = makeConfig(settings);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    refuseUsage(error);
    return;
  }
  const logger = createLogger({ level: config.logLevel, format: config.logFormat, outputs: config.logOutputs });
  for (const note of settings.notes) logger[note.level](note.message, note.fields);
  if (file !== undefined) {
    logger.info(
      'loaded server configuration, other configuration command line flags and environment variables will be ignored if provided',
      { path: file },
    );
  }
  logger.info('Running: ', { args: ['quorate', ...args] });
  if (!settings.values.has('data-dir')) {
    logger.warn("'data-dir' was empty; using default", { 'data-dir': config.dataDir });
  }
  for (const name of settingsWithoutEffect(settings)) {
    logger.warn('this flag is known but nothing acts on it yet', { flag: `--${name}` });
  }
  const onFatal = (error: unknown): never => {
    if (hasCode(error, 'member/removed')) {
      logger.error('server error', { error: describeError(error) });
      logger.warn('data-dir used by this member must be removed', { 'data-dir': config.dataDir });
      process.exit(0);
    }
    logger.error('the member stops because it cannot go on', { error: describeError(error), ...stackOf(error) });
    process.exit(1);
  };
  // A broken invariant in a handler, say: a state that nobody knows is not gone on with.
  process.on('uncaughtException', onFatal);
  process.on('unhandledRejection', onFatal);
  try {
    const member = await startMember(config, { logger, onFatal });
    stopOnSignals(member, logger);
  } catch (error) {
    logger.error('bootstrap failed', { error: describeError(error), ...stackOf(error) });
    // Whatever is still open must not keep the process.
    process.exit(1);
  }
}

/** Where it broke; what has a code says enough by its message. */
function stackOf(error: unknown): { stacktrace?: string } {
  return error instanceof Error && !('code' in error) && error.stack !== undefined ? { stacktrace: error.stack } : {};
}

function describeError(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause === undefined ? error.message : `${error.message}: ${describeError(error.cause)}`;
}

interface Stoppable {
  stop(): Promise<void>;
}

interface InfoLogger {
  info(message: string, fields?: Readonly<Record<string, unknown>>): void;
}

/** Drains on the first SIGTERM or SIGINT, then lets the signal end the process as if nothing had caught it. */
function stopOnSignals(member: Stoppable, logger: InfoLogger): void {
  const stop = (signal: NodeJS.Signals) => {
    process.removeAllListeners('SIGINT');
    process.removeAllListeners('SIGTERM');
    logger.info('received signal; shutting down', { signal: signal === 'SIGTERM' ? 'terminated' : 'interrupt' });
    // Process 1 has no default handler, and a profile is written only by an orderly exit.
    const exitsOrderly = process.pid === 1 || process.execArgv.some((option) => option.startsWith('--cpu-prof'));
    member.stop().then(
      () => (exitsOrderly ? process.exit(0) : process.kill(process.pid, signal)),
      (error: unknown) => {
        logger.info('stopping failed', { error: describeError(error) });
        process.exit(1);
      },
    );
  };
  process.once('SIGINT', stop);
  process.once('SIGTERM', stop);
}
