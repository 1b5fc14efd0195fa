import { type ErrorSymbol, encodeBase64, etcdserverpb, type MessageCodec, services } from '@quorate/api';
import { copyBytes, type Logger, utf8FromBytes, utf8ToBytes } from '@quorate/base';
import type { ApplyResult, AuthStore } from '@quorate/machine';
import type { GrpcServer, UnaryCall } from '@quorate/transport';
import type { Hashed, Passwords } from '../auth/passwords.ts';
import type { Granted, TokenProvider } from '../auth/token-provider.ts';
import type { PasswordForm } from '../versions/password-form.ts';
import { decodeRequest, failCall, replyMessage } from './answers.ts';
import type { LinearizableReads, MemberContext } from './member-context.ts';
import { refuseCall } from './preconditions.ts';
import { CallOutcome, type Proposals, RequestField } from './proposals.ts';
import { readThen } from './read-then.ts';
import { makeHeader } from './response-header.ts';

/** What the auth service needs beyond the member itself. */
export interface AuthSource {
  readonly auth: AuthStore;
  readonly tokens: TokenProvider;
  readonly passwords: Passwords;
  readonly reads: LinearizableReads;
  readonly proposals: Proposals;
  readonly logger: Logger;
  /** How passwords travel in the log. */
  passwordForm(): PasswordForm;
}

const { methods } = services.Auth;
type Header = etcdserverpb.ResponseHeader;

/** Serves etcdserverpb.Auth. */
export function registerAuth(server: GrpcServer, member: MemberContext, source: AuthSource): void {
  for (const route of routes) {
    server.registerUnary(route.path, (call, bytes) => {
      if (refuseCall(call, member, false) || decodeRequest(call, route.request, bytes) === undefined) return;
      member.access.propose(call, route.field, bytes, new AuthOutcome(call, { member, reply: route.reply }));
    });
  }
  server.registerUnary(methods.AuthStatus.path, (call, bytes) => serveStatus(call, bytes, member, source));
  server.registerUnary(methods.UserAdd.path, (call, bytes) => serveUserAdd(call, bytes, member, source));
  server.registerUnary(methods.UserChangePassword.path, (call, bytes) => {
    serveChangePassword(call, bytes, member, source);
  });
  server.registerUnary(methods.Authenticate.path, (call, bytes) => serveAuthenticate(call, bytes, member, source));
}

type Reply = (call: UnaryCall, header: Header, result: ApplyResult) => void;

/** A request that is proposed as it came. */
interface Route {
  readonly path: string;
  readonly field: number;
  readonly request: MessageCodec<unknown>;
  readonly reply: Reply;
}

function route<Request, Response>(
  method: { readonly path: string; readonly request: MessageCodec<Request>; readonly response: MessageCodec<Response> },
  field: number,
  fields: (result: ApplyResult) => Partial<Response> = () => ({}),
): Route {
  const { path, request, response } = method;
  const reply: Reply = (call, header, result) => {
    replyMessage(call, response, response.create({ header, ...fields(result) } as unknown as Partial<Response>));
  };
  return { path, field, request: request as MessageCodec<unknown>, reply };
}

function namesOf(result: ApplyResult): string[] {
  return result.kind === 'auth-names' ? [...result.names] : [];
}

const addUser = route(methods.UserAdd, RequestField.authUserAdd);
const changePassword = route(methods.UserChangePassword, RequestField.authUserChangePassword);
const status = route(methods.AuthStatus, RequestField.authStatus, (result) =>
  result.kind === 'auth-status' ? { enabled: result.isEnabled, authRevision: result.authRevision } : {},
);
const routes: readonly Route[] = [
  route(methods.AuthEnable, RequestField.authEnable),
  route(methods.AuthDisable, RequestField.authDisable),
  route(methods.UserDelete, RequestField.authUserDelete),
  route(methods.UserGet, RequestField.authUserGet, (result) => ({ roles: namesOf(result) })),
  route(methods.UserList, RequestField.authUserList, (result) => ({ users: namesOf(result) })),
  route(methods.UserGrantRole, RequestField.authUserGrantRole),
  route(methods.UserRevokeRole, RequestField.authUserRevokeRole),
  route(methods.RoleAdd, RequestField.authRoleAdd),
  route(methods.RoleDelete, RequestField.authRoleDelete),
  route(methods.RoleGet, RequestField.authRoleGet, (result) =>
    result.kind === 'auth-permissions' ? { perm: [...result.permissions] } : {},
  ),
  route(methods.RoleList, RequestField.authRoleList, (result) => ({ roles: namesOf(result) })),
  route(methods.RoleGrantPermission, RequestField.authRoleGrantPermission),
  route(methods.RoleRevokePermission, RequestField.authRoleRevokePermission),
];

class AuthOutcome extends CallOutcome<UnaryCall, { readonly member: MemberContext; readonly reply: Reply }> {
  protected answer(result: ApplyResult): void {
    const { member, reply } = this.context;
    reply(this.call, makeHeader(member, result.revision), result);
  }
}

/** Members before 3.5 stop at an entry that asks for the status, so beside them each answers for itself. */
function serveStatus(call: UnaryCall, bytes: Uint8Array, member: MemberContext, source: AuthSource): void {
  if (refuseCall(call, member, false) || decodeRequest(call, status.request, bytes) === undefined) return;
  if (source.passwordForm() === 'hashed') {
    member.access.propose(call, status.field, bytes, new AuthOutcome(call, { member, reply: status.reply }));
    return;
  }
  const anybody = () => undefined;
  readThen(source.reads, call, () => {
    member.access.admit(call, anybody, () => {
      const { isEnabled, revision: authRevision } = source.auth;
      const revision = member.revision();
      status.reply(call, makeHeader(member), { kind: 'auth-status', isEnabled, authRevision, revision });
    });
  });
}

function serveUserAdd(call: UnaryCall, bytes: Uint8Array, member: MemberContext, source: AuthSource): void {
  if (refuseCall(call, member, false)) return;
  const request = decodeRequest(call, etcdserverpb.AuthUserAddRequest, copyBytes(bytes));
  if (request === undefined) return;
  const { AuthUserAddRequest } = etcdserverpb;
  const propose = (password: SentPassword) => {
    const sent = copyBytes(AuthUserAddRequest.encode({ ...request, ...password }));
    member.access.propose(call, addUser.field, sent, new AuthOutcome(call, { member, reply: addUser.reply }));
  };
  if (request.options?.noPassword) propose(noPassword);
  else preparePassword(call, request.password, member, source, propose);
}

function serveChangePassword(call: UnaryCall, bytes: Uint8Array, member: MemberContext, source: AuthSource): void {
  if (refuseCall(call, member, false)) return;
  const request = decodeRequest(call, etcdserverpb.AuthUserChangePasswordRequest, copyBytes(bytes));
  if (request === undefined) return;
  const { AuthUserChangePasswordRequest } = etcdserverpb;
  const { field, reply } = changePassword;
  const propose = (password: SentPassword) => {
    const sent = copyBytes(AuthUserChangePasswordRequest.encode({ ...request, ...password }));
    member.access.propose(call, field, sent, new AuthOutcome(call, { member, reply }));
  };
  // Nobody can authenticate after a change to no password.
  if (request.password === '') propose(noPassword);
  else preparePassword(call, request.password, member, source, propose);
}

/** The fields of a request in which a password travels; what the client sent in the second is not taken over. */
interface SentPassword {
  readonly password: string;
  readonly hashedPassword: string;
}

const noPassword: SentPassword = { password: '', hashedPassword: '' };

/**
 * Hashes a password for the log, which never holds the plain one while all members know the other form. Not for nobody: to hash is much
 * work, and the entry would be refused.
 */
function preparePassword(
  call: UnaryCall,
  password: string,
  { access }: MemberContext,
  source: AuthSource,
  propose: (password: SentPassword) => void,
): void {
  const form = source.passwordForm();
  const { passwords } = source;
  const refused =
    form === 'unknown' ? 'ErrGRPCNotCapable' : passwords.isTooLong(password) ? 'PasswordTooLong' : undefined;
  if (refused !== undefined) {
    failCall(call, refused);
    return;
  }
  if (form === 'plain') {
    propose({ password, hashedPassword: '' });
    return;
  }
  const take = (hashed: Hashed) => {
    if (call.cancelled) return;
    if (typeof hashed === 'string') failCall(call, hashed);
    else propose({ password: '', hashedPassword: encodeBase64(utf8ToBytes(hashed.hash)) });
  };
  access.admit(call, access.checkUser, () => passwords.hash(password).then(take, failUnexpectedly(call)));
}

function failUnexpectedly(call: UnaryCall): (error: unknown) => void {
  return (error) => call.fail(2, error instanceof Error ? error.message : String(error));
}

function serveAuthenticate(call: UnaryCall, bytes: Uint8Array, member: MemberContext, source: AuthSource): void {
  if (refuseCall(call, member, false)) return;
  const request = decodeRequest(call, etcdserverpb.AuthenticateRequest, bytes);
  if (request === undefined) return;
  const { name, password } = request;
  readThen(source.reads, call, () => {
    authenticate(call, name, password, source).then((granted) => {
      if (typeof granted === 'string') failCall(call, granted);
      else replyToken(call, member, granted, source.tokens);
    }, failUnexpectedly(call));
  });
}

type Authenticated = Granted & { readonly revision: number };

function replyToken(call: UnaryCall, member: MemberContext, granted: Authenticated, tokens: TokenProvider): void {
  const issued = tokens.issue(granted);
  if ('refused' in issued) {
    failCall(call, issued.refused);
    return;
  }
  const header = makeHeader(member, granted.revision);
  const response = etcdserverpb.AuthenticateResponse.create({ header, token: issued.token });
  replyMessage(call, etcdserverpb.AuthenticateResponse, response);
}

/** Checks the password here, then lets the log make the token; again if users changed between the two. */
async function authenticate(
  call: UnaryCall,
  name: string,
  password: string,
  source: AuthSource,
): Promise<Authenticated | ErrorSymbol> {
  for (;;) {
    const { revision } = source.auth;
    const refused = await refusePassword(name, password, source);
    if (refused !== undefined) {
      if (refused !== 'ErrGRPCAuthNotEnabled') {
        source.logger.warn('invalid authentication was requested', { user: name });
      }
      return refused;
    }
    if (call.cancelled) return 'ErrGRPCCanceled';
    const granted = await proposeAuthentication(name, source);
    if (typeof granted === 'string' || granted.authRevision === revision) return granted;
    source.logger.info('revision when password checked became stale; retrying', { user: name });
  }
}

async function refusePassword(name: string, password: string, source: AuthSource): Promise<ErrorSymbol | undefined> {
  const { auth, passwords } = source;
  if (!auth.isEnabled) return 'ErrGRPCAuthNotEnabled';
  const user = auth.records.user(name);
  if (user === undefined) return 'ErrGRPCAuthFailed';
  if (user.options?.noPassword) return 'PasswordForNoPasswordUser';
  const isRight = await passwords.verify(name, password, utf8FromBytes(user.password));
  if (isRight === true) return undefined;
  return isRight === false ? 'ErrGRPCAuthFailed' : isRight;
}

function proposeAuthentication(name: string, source: AuthSource): Promise<Authenticated | ErrorSymbol> {
  const { InternalAuthenticateRequest } = etcdserverpb;
  const simpleToken = source.tokens.drawPrefix();
  const request = InternalAuthenticateRequest.encode(InternalAuthenticateRequest.create({ name, simpleToken }));
  return new Promise((resolve) => {
    source.proposals.propose(RequestField.authenticate, request, {
      applied: (result) => {
        if (result.kind === 'authenticated') resolve(result);
        else if (result.kind === 'error') resolve(result.symbol);
      },
      failed: resolve,
    });
  });
}
