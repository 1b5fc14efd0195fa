import { existsSync } from 'node:fs';
import { connect } from 'node:net';
import type { LineLevel } from './json-logger.ts';
import type { LogOutput } from './outputs.ts';

const journalSocket = '/run/systemd/journal/stdout';
/** Where etcd, which speaks in datagrams, looks. */
const namedInErrors = '/run/systemd/journal/socket';
const identifier = 'quorate';
/** Bytes that a journal has not taken, beyond which lines are dropped. */
const waitingBytesMax = 1024 * 1024;

/** syslog's numbers. */
const priorities: Readonly<Record<LineLevel, number>> = { debug: 7, info: 6, warn: 4, error: 3, fatal: 2 };

/** The lines that the journal's stream protocol, sd_journal_stream_fd(3), begins with; it has no answer. */
const header = [
  identifier,
  '', // unit: the journal knows it
  String(priorities.info), // of lines without a prefix
  '1', // lines have a prefix with their priority
  '0', // not forwarded to syslog,
  '0', // the kernel log,
  '0', // the console
  '',
].join('\n');

/** The journal of systemd. Node has no datagram sockets for paths, so it is the journal's stream that is spoken to. */
export function openJournal(path = journalSocket): LogOutput {
  if (!existsSync(path)) {
    throw new Error(`can't find journal (dial unixgram ${namedInErrors}: connect: no such file or directory)`);
  }
  const socket = connect(path);
  // A journal that restarts hands its streams over; one that is gone for good must not end the member.
  socket.on('error', () => {});
  socket.unref();
  socket.write(header);
  let dropped = 0;
  return {
    write: (line, level) => {
      if (socket.writableLength > waitingBytesMax) {
        dropped++;
        return;
      }
      if (dropped > 0)
        socket.write(`<${priorities.warn}>${dropped} lines are missing: the journal did not take them\n`);
      dropped = 0;
      const prefix = `<${priorities[level]}>`;
      // Each line of a text is an entry of its own there.
      socket.write(`${prefix}${line.trimEnd().replaceAll('\n', `\n${prefix}`)}\n`);
    },
    flush: () => new Promise((resolve) => void socket.write('', () => resolve())),
  };
}
