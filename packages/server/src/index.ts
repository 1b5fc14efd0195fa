export { type MemberConfig, makeConfig, settingsWithoutEffect } from './config/config.ts';
export { helpText, usageText } from './config/help.ts';
export { addEnvironment, parseArguments, type RawSettings, settingsFromFile, UsageError } from './config/parse.ts';
export { type RunningMember, type StartOptions, startMember } from './embed/start-member.ts';
export { type QuorateOptions, startQuorate } from './embed/start-quorate.ts';
export { createLogger, type LoggerOptions } from './logging/json-logger.ts';
export { etcdVersion, quorateVersion } from './version.ts';
