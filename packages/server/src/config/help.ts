import { type Flag, featureGates, flags } from './flag-table.ts';

const width = 100;

function wrap(text: string, indent: string): string {
  const lines: string[] = [];
  let line = indent;
  for (const word of text.split(' ')) {
    if (line.length + word.length + 1 > width && line.trim() !== '') {
      lines.push(line);
      line = indent;
    }
    line += line === indent ? word : ` ${word}`;
  }
  return [...lines, line].join('\n');
}

function describe(flag: Flag): string {
  const value = flag.kind === 'bool' ? `'${flag.default || 'false'}'` : `'${flag.default}'`;
  const notes = [
    flag.status === 'deprecated' ? 'Deprecated.' : '',
    flag.status === 'unsafe' ? 'Unsafe.' : '',
    flag.ours ? "Quorate's own." : '',
  ].filter((note) => note !== '');
  return `  --${flag.name} ${value}\n${wrap([`${flag.meaning}.`, ...notes].join(' '), '    ')}`;
}

/** The short text on how the command is called. */
export const usageText = `Usage:

  quorate [flags]
    Start a member.

  quorate --version
    Show the version.

  quorate -h | --help
    Show all flags.

  quorate --config-file
    Path to a configuration file. While it is given, other flags and environment variables are ignored.
`;

/** All flags with their defaults, from the flag table. */
export function helpText(): string {
  const shown = flags.filter((flag) => flag.status !== 'hidden' && flag.status !== 'removed');
  const gates = featureGates.map(
    (gate) =>
      `    ${gate.name}=true|false (${gate.stage.toUpperCase()} - default=${gate.default})\n${wrap(`${gate.meaning}.`, '      ')}`,
  );
  return `Flags:\n\n${shown.map(describe).join('\n')}\n\nFeature gates:\n\n${gates.join('\n')}\n`;
}
