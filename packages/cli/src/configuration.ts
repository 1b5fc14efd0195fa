import { readFileSync } from 'node:fs';
import {
  addEnvironment,
  advertiseMissing,
  createLogger,
  deprecationWarnings,
  type Environment,
  etcdVersion,
  helpText,
  type MemberConfig,
  makeConfig,
  type ProgramLogger,
  parseArguments,
  quorateVersion,
  type RawSettings,
  raiseRaftTimeouts,
  readLogConfig,
  type SettingNote,
  settingsFromFile,
  UsageError,
  type UsageErrorData,
  usageText,
} from 'quorate';
import { parseDocument } from 'yaml';
import { detectDefaultHost } from './default-host.ts';
import { systemErrorText } from './system-error.ts';

/** What a member is started with. */
export interface Configuration {
  readonly config: MemberConfig;
  readonly settings: RawSettings;
  readonly logger: ProgramLogger;
}

/** The configuration, or the code that the process ends with after all was said. */
export type ConfigurationOutcome = Configuration | { readonly exitCode: number };

/** Reads command line, environment and configuration file, and says what is to be said about them. */
export async function readConfiguration(
  args: readonly string[],
  environment: Environment,
): Promise<ConfigurationOutcome> {
  const speaker = new Speaker(args);
  try {
    const given = parseArguments(args);
    if (given.values.get('version') === 'true') {
      process.stdout.write(versionText());
      return { exitCode: 0 };
    }
    const file = given.values.get('config-file') || environment.ETCD_CONFIG_FILE || '';
    const settings = file === '' ? fromEnvironment(given, environment, speaker) : fromFile(given, file);
    return makeConfiguration(settings, file, speaker);
  } catch (error) {
    const exitCode = await speaker.refuse(error);
    return { exitCode };
  }
}

function makeConfiguration(settings: RawSettings, file: string, speaker: Speaker): Configuration {
  const logger = openLogger(settings);
  if (file === '') speaker.logger = logger;
  const host = defaultHost();
  let config: MemberConfig;
  try {
    config = makeConfig(settings, 'address' in host ? { defaultHost: host.address } : {});
  } catch (error) {
    sayNotes(logger, settings.warnings);
    if (file === '') sayNotes(logger, deprecationWarnings(settings));
    throw error;
  }
  speaker.logger = logger;
  sayNotes(logger, settings.warnings);
  if (file !== '') {
    logger.info(
      'loaded server configuration, other configuration command line flags and environment variables will be ignored if provided',
      { path: file },
    );
  }
  sayNotes(logger, deprecationWarnings(settings));
  speaker.sayRunning();
  if (!('address' in host)) logger.info('failed to detect default host', { error: host.reason });
  else if (isAdvertised(config, host.address))
    logger.info('detected default host for advertise', { host: host.address });
  if (!settings.values.get('data-dir')) {
    logger.warn("'data-dir' was empty; using default", { 'data-dir': config.dataDir });
  }
  return { config, settings, logger };
}

function fromEnvironment(settings: RawSettings, environment: Environment, speaker: Speaker): RawSettings {
  try {
    addEnvironment(settings, environment);
    raiseRaftTimeouts(settings);
  } finally {
    sayNotes(speaker.logger, settings.notes);
  }
  return settings;
}

/** Settings of the file alone, but for two flags that it has no keys for. @throws UsageError */
function fromFile(given: RawSettings, file: string): RawSettings {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    throw new UsageError(`open ${file}: ${systemErrorText(error)}`, 1, 'verify');
  }
  // YAML 1.1, where `yes` is a boolean, and of a key given twice the last counts. What looks like a date is text, as in etcd.
  const document = parseDocument(text, {
    ...{ version: '1.1', uniqueKeys: false, logLevel: 'error' },
    customTags: (tags) => tags.filter((tag) => typeof tag === 'string' || tag.tag !== 'tag:yaml.org,2002:timestamp'),
  });
  const [problem] = document.errors;
  if (problem) throw new UsageError(`error converting YAML to JSON: yaml: ${problem.message}`, 1, 'verify');
  const settings = settingsFromFile(documentValue(document));
  for (const flag of ['raft-read-timeout', 'raft-write-timeout']) {
    const value = given.values.get(flag);
    if (value !== undefined) settings.values.set(flag, value);
  }
  return settings;
}

/** @throws UsageError for an alias of nothing, say */
function documentValue(document: ReturnType<typeof parseDocument>): unknown {
  try {
    return document.toJS();
  } catch (error) {
    throw new UsageError(`error converting YAML to JSON: yaml: ${(error as Error).message}`, 1, 'verify');
  }
}

function openLogger(settings: RawSettings): ProgramLogger {
  const options = readLogConfig(settings);
  try {
    return createLogger(options);
  } catch (error) {
    const { path } = error as { path?: string };
    const reason = (error as Error).message;
    if (path === undefined) throw new UsageError(reason, 1, 'verify');
    throw new UsageError(`open sink ${JSON.stringify(path)}: open ${path}: ${systemErrorText(error)}`, 1, 'verify');
  }
}

function defaultHost(): { readonly address: string } | { readonly reason: string } {
  try {
    return { address: detectDefaultHost() };
  } catch (error) {
    return { reason: systemErrorText(error) };
  }
}

function isAdvertised(config: MemberConfig, host: string): boolean {
  const isMade = [config.listenPeerUrls, config.listenClientUrls].some((urls) => urls[0]?.host === '0.0.0.0');
  return isMade && [...config.advertisePeerUrls, ...config.advertiseClientUrls].some((url) => url.host === host);
}

export function sayNotes(logger: ProgramLogger, notes: readonly SettingNote[]): void {
  for (const { level, message, fields } of notes) logger[level](message, fields);
}

function versionText(): string {
  const { platform, arch } = process;
  return `etcd Version: ${etcdVersion}\nGit SHA: quorate-${quorateVersion}\nGo Version: none (Node.js ${process.version})\nGo OS/Arch: ${platform}/${arch === 'x64' ? 'amd64' : arch}\n`;
}

/** Says why nothing is started: through the logger that the settings describe, as soon as there is one. */
class Speaker {
  logger: ProgramLogger = createLogger({ level: 'info', format: 'json', outputs: [] });
  private readonly args: readonly string[];

  constructor(args: readonly string[]) {
    this.args = args;
  }

  sayRunning(): void {
    this.logger.info('Running: ', { args: ['quorate', ...this.args] });
  }

  /** @returns the exit code. @throws what is no refusal */
  async refuse(error: unknown): Promise<number> {
    if (!(error instanceof UsageError)) throw error;
    const data = error.data as UsageErrorData;
    this.tell(error.message, data);
    await this.logger.flush();
    return data.exitCode;
  }

  private tell(message: string, { telling, fields = {} }: UsageErrorData): void {
    switch (telling) {
      case 'help':
        process.stderr.write(usageText);
        process.stdout.write(helpText());
        return;
      case 'usage':
        process.stderr.write(`${message}\n${usageText}`);
        return;
      case 'plain':
        process.stderr.write(`${message}\n`);
        return;
      case 'fatal':
        this.logger.fatal(message, fields);
        return;
      case 'verify':
        this.sayRunning();
        this.logger.warn('failed to verify flags', { error: message });
        if (message === advertiseMissing) this.logger.warn('advertise client URLs are not set', { error: message });
        return;
      default:
        telling satisfies never;
    }
  }
}
