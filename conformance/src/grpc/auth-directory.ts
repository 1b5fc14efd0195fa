import { join } from 'node:path';
import type { Options } from '../options.ts';
import { type ServerKind, serverProgram } from '../support/programs.ts';
import type { Report } from '../support/report.ts';
import { launch, launchFresh, type RunningServer } from '../support/server.ts';
import { preparing } from './auth-cases.ts';
import { canonicalAnswer } from './canonical.ts';
import { Connection } from './connection.ts';
import { loadMethods, type Message } from './services.ts';

// A directory with users, roles and auth on is handed from etcd to the server under test and back, with changes made by each.

type Ask = (method: string, request: Message) => Promise<string>;

async function connected<Result>(
  server: RunningServer,
  use: (connection: Connection) => Promise<Result>,
): Promise<Result> {
  const connection = new Connection(server.endpoint, loadMethods());
  try {
    return await use(connection);
  } finally {
    connection.close();
  }
}

/** Asks as a user. */
async function asUser(connection: Connection, name: string): Promise<Ask> {
  const answer = await connection.unary('Auth.Authenticate', { name, password: name });
  const token = answer.ok ? String(answer.message.token) : '';
  return async (method, request) => {
    const masked = ['revision', 'raft_term', 'member_id', 'cluster_id'];
    return `${method} as ${name}: ${canonicalAnswer(await connection.unary(method, request, { metadata: { token } }), masked)}`;
  };
}

/** All that is in the auth store, and what it allows. */
function describe(server: RunningServer): Promise<string> {
  return connected(server, async (connection) => {
    const root = await asUser(connection, 'root');
    const alice = await asUser(connection, 'alice');
    const lines = [
      await root('Auth.UserList', {}),
      await root('Auth.RoleList', {}),
      ...(await Promise.all(['root', 'alice', 'bob', 'none', 'carol'].map((name) => root('Auth.UserGet', { name })))),
      // Role root is shown in another way by 3.4.
      ...(await Promise.all(['r', 's', 't'].map((role) => root('Auth.RoleGet', { role })))),
      await alice('KV.Range', { key: Buffer.from('a'), range_end: Buffer.from('e'), count_only: true }),
      await alice('KV.Range', { key: Buffer.from('secret') }),
      await (await asUser(connection, 'none'))('KV.Range', { key: Buffer.from('a') }),
    ];
    return lines.join('\n');
  });
}

/** A user and a role more, one fewer, and another password, by whoever serves the directory now. */
async function change(server: RunningServer): Promise<void> {
  await connected(server, async (connection) => {
    const root = await asUser(connection, 'root');
    const perm = { permType: 0, key: Buffer.from('secret') };
    for (const [method, request] of [
      ['Auth.UserAdd', { name: 'carol', password: 'carol' }],
      ['Auth.RoleAdd', { name: 't' }],
      ['Auth.RoleGrantPermission', { name: 't', perm }],
      ['Auth.UserGrantRole', { user: 'carol', role: 't' }],
      ['Auth.RoleDelete', { role: 's' }],
      ['Auth.UserChangePassword', { name: 'bob', password: 'changed' }],
      ['Auth.UserChangePassword', { name: 'bob', password: 'bob' }],
    ] as const) {
      const answer = await root(method, request);
      if (answer.includes('error')) throw new Error(answer);
    }
  });
}

async function moveBackAndForth(kind: ServerKind, options: Options, check: Check, directory: string): Promise<void> {
  const extraArgs = kind === 'etcd34' ? [] : ['--bcrypt-cost=4'];
  let server = await launchFresh(kind, join(directory, kind), extraArgs);
  const { dataDir, clientPort, peerPort } = server;
  const moveTo = async (next: ServerKind) => {
    await server.stop();
    server = await launch({ kind: next, dataDir, clientPort, peerPort, extraArgs });
  };
  try {
    await connected(server, async (connection) => {
      // Those that must fail end some members of 3.4.
      for (const { method, request } of preparing.filter(({ ok }) => ok)) await connection.unary(method, request);
    });
    const made = await describe(server);
    check('the directory says something', 'root', made.includes('"root"') ? 'root' : made);
    await moveTo(options.serverUnderTest);
    check('taken over', made, await describe(server));
    await change(server);
    const changed = await describe(server);
    check('changed', 'carol', changed.includes('"carol"') ? 'carol' : changed);
    await moveTo(kind);
    check('handed back', changed, await describe(server));
  } finally {
    await server.stop();
  }
}

type Check = (name: string, expected: string, actual: string) => void;

export async function runDirectoryPart(
  kind: ServerKind,
  options: Options,
  report: Report,
  directory: string,
): Promise<void> {
  const part = `auth directory of ${kind}`;
  if (!part.includes(options.filter)) return;
  const program = serverProgram(kind);
  if (!program.found) {
    report.skip(part, program.reason);
    return;
  }
  try {
    await moveBackAndForth(
      kind,
      options,
      (name, expected, actual) => {
        if (expected === actual) report.pass(`${part}: ${name}`);
        else report.fail(`${part}: ${name}`, `expected\n${expected}\ngot\n${actual}`);
      },
      directory,
    );
  } catch (error) {
    report.fail(part, error instanceof Error ? (error.stack ?? error.message) : String(error));
  }
}
