import { authpb, type ErrorSymbol, encodeBase64, etcdserverpb } from '@quorate/api';
import { latin1ToBytes, utf8ToBytes } from '@quorate/base';
import type { TestMachine } from '../../apply/testing/test-machine.ts';
import type { ApplyResult } from '../../apply/types.ts';
import { nobody } from '../identity.ts';

const { READ, WRITE, READWRITE } = authpb.PermissionType;
export const permissionTypes = { read: READ, write: WRITE, readwrite: READWRITE } as const;

/** One request by a short name, as a line of a test: `user add alice`, `grant r1 read a c`, … */
export class AuthMachine {
  readonly machine: TestMachine;

  constructor(machine: TestMachine) {
    this.machine = machine;
  }

  /** Whose requests come from here on; everybody is known under the present revision. */
  as(username: string): this {
    this.machine.identity = username === '' ? nobody : { username, authRevision: this.machine.auth.revision };
    return this;
  }

  /** The result's kind and what it names, or the symbol of the error. */
  run(line: string): string {
    const [verb = '', ...words] = line.split(' ');
    const result = this.machine.propose(requestOf(verb, words.map(unquote)));
    return textOf(result);
  }

  /** Runs lines none of which may fail. */
  setUp(...lines: string[]): this {
    for (const line of lines) {
      const text = this.run(line);
      if (text.startsWith('ErrGRPC')) throw new Error(`${line}: ${text}`);
    }
    return this;
  }
}

/** `''` is nothing, `\0` the byte 0. */
function unquote(word: string): string {
  return word === "''" ? '' : word.replaceAll('\\0', '\0');
}

type Request = Partial<etcdserverpb.InternalRaftRequest>;
const pb = etcdserverpb;

function requestOf(verb: string, words: readonly string[]): Request {
  const [a = '', b = '', c = '', d = ''] = words;
  const key = latin1ToBytes;
  switch (verb) {
    case 'enable':
      return { authEnable: pb.AuthEnableRequest.create() };
    case 'disable':
      return { authDisable: pb.AuthDisableRequest.create() };
    case 'status':
      return { authStatus: pb.AuthStatusRequest.create() };
    case 'authenticate':
      return { authenticate: pb.InternalAuthenticateRequest.create({ name: a, simpleToken: 'token' }) };
    case 'user-add': {
      const hashedPassword = encodeBase64(utf8ToBytes(`hash of ${b}`));
      const noPassword = b === 'none';
      const options = noPassword ? authpb.UserAddOptions.create({ noPassword }) : undefined;
      return { authUserAdd: pb.AuthUserAddRequest.create({ name: a, hashedPassword, options }) };
    }
    case 'user-add-plain':
      return { authUserAdd: pb.AuthUserAddRequest.create({ name: a, password: b }) };
    case 'user-delete':
      return { authUserDelete: pb.AuthUserDeleteRequest.create({ name: a }) };
    case 'user-get':
      return { authUserGet: pb.AuthUserGetRequest.create({ name: a }) };
    case 'user-list':
      return { authUserList: pb.AuthUserListRequest.create() };
    case 'passwd':
      return { authUserChangePassword: pb.AuthUserChangePasswordRequest.create({ name: a, hashedPassword: b }) };
    case 'user-grant':
      return { authUserGrantRole: pb.AuthUserGrantRoleRequest.create({ user: a, role: b }) };
    case 'user-revoke':
      return { authUserRevokeRole: pb.AuthUserRevokeRoleRequest.create({ name: a, role: b }) };
    case 'role-add':
      return { authRoleAdd: pb.AuthRoleAddRequest.create({ name: a }) };
    case 'role-delete':
      return { authRoleDelete: pb.AuthRoleDeleteRequest.create({ role: a }) };
    case 'role-get':
      return { authRoleGet: pb.AuthRoleGetRequest.create({ role: a }) };
    case 'role-list':
      return { authRoleList: pb.AuthRoleListRequest.create() };
    case 'grant': {
      const permType = permissionTypes[b as keyof typeof permissionTypes];
      const perm = authpb.Permission.create({ permType, key: key(c), rangeEnd: key(d) });
      const request = { name: a, perm: b === '' ? undefined : perm };
      return { authRoleGrantPermission: pb.AuthRoleGrantPermissionRequest.create(request) };
    }
    case 'revoke': {
      const request = { role: a, key: key(b), rangeEnd: key(c) };
      return { authRoleRevokePermission: pb.AuthRoleRevokePermissionRequest.create(request) };
    }
    default:
      throw new Error(`no request ${verb}`);
  }
}

function textOf(result: ApplyResult): ErrorSymbol | string {
  switch (result.kind) {
    case 'error':
      return result.symbol;
    case 'auth-done':
      return 'ok';
    case 'auth-status':
      return `${result.isEnabled ? 'on' : 'off'} at ${result.authRevision}`;
    case 'auth-names':
      return result.names.join(' ');
    case 'auth-permissions':
      return result.permissions
        .map(({ permType, key, rangeEnd }) => `${permType}[${latin1(key)},${latin1(rangeEnd)}]`)
        .join(' ');
    case 'authenticated':
      return `${result.simpleToken} of ${result.username} at ${result.authRevision}`;
    default:
      return result.kind;
  }
}

function latin1(bytes: Uint8Array): string {
  return String.fromCharCode(...bytes).replaceAll('\0', '\\0');
}
