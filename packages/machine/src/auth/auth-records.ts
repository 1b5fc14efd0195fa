import { authpb, decodeUtf8Lossy } from '@quorate/api';
import { compareBytes, copyBytes, latin1ToBytes, readUint64BE, utf8ToBytes, writeUint64BE } from '@quorate/base';
import { type Backend, BucketId } from '@quorate/storage';

export type AuthBackend = Pick<Backend, 'put' | 'delete' | 'get' | 'range'>;

const enabledKey = latin1ToBytes('authEnabled');
const revisionKey = latin1ToBytes('authRevision');
const allKeys = new Uint8Array(0);

/**
 * Users, roles, the revision of both and whether they are enforced, in memory and, byte for byte as etcd keeps them, in the backend:
 *
 *     auth       authEnabled -> 01 or 00 (absent before the first enable),  authRevision -> 8 bytes, big endian
 *     authUsers  name -> authpb.User
 *     authRoles  name -> authpb.Role
 */
export class AuthRecords {
  private backend: AuthBackend;
  private readonly userByName = new Map<string, authpb.User>();
  private readonly roleByName = new Map<string, authpb.Role>();
  private enabled = false;
  private currentRevision = 0;

  constructor(backend: AuthBackend) {
    this.backend = backend;
    this.load();
  }

  /** Starts over with what another backend holds (a leader's snapshot). */
  restore(backend: AuthBackend): void {
    this.backend = backend;
    this.userByName.clear();
    this.roleByName.clear();
    this.load();
  }

  private load(): void {
    const { backend } = this;
    this.enabled = backend.get(BucketId.auth, enabledKey)?.[0] === 1;
    const revision = backend.get(BucketId.auth, revisionKey);
    this.currentRevision = revision === undefined ? 0 : readUint64BE(revision, 0);
    backend.range(BucketId.authUsers, allKeys, undefined, Number.MAX_SAFE_INTEGER, (_key, value) => {
      const user = authpb.User.decode(copyBytes(value));
      this.userByName.set(textOf(user.name), user);
      return true;
    });
    backend.range(BucketId.authRoles, allKeys, undefined, Number.MAX_SAFE_INTEGER, (_key, value) => {
      const role = authpb.Role.decode(copyBytes(value));
      this.roleByName.set(textOf(role.name), role);
      return true;
    });
    if (this.currentRevision === 0) this.nextRevision();
  }

  get isEnabled(): boolean {
    return this.enabled;
  }

  setEnabled(isEnabled: boolean): void {
    this.enabled = isEnabled;
    this.backend.put(BucketId.auth, enabledKey, new Uint8Array([isEnabled ? 1 : 0]));
  }

  /** Grows with every change of users and roles, and when auth is switched off. */
  get revision(): number {
    return this.currentRevision;
  }

  nextRevision(): void {
    this.currentRevision += 1;
    const value = new Uint8Array(8);
    writeUint64BE(this.currentRevision, value, 0);
    this.backend.put(BucketId.auth, revisionKey, value);
  }

  user(name: string): authpb.User | undefined {
    return this.userByName.get(name);
  }

  users(): IterableIterator<[string, authpb.User]> {
    return this.userByName.entries();
  }

  /** In byte order. */
  userNames(): string[] {
    return inByteOrder(this.userByName.keys());
  }

  putUser(name: string, user: authpb.User): void {
    this.userByName.set(name, user);
    this.backend.put(BucketId.authUsers, utf8ToBytes(name), copyBytes(authpb.User.encode(user)));
  }

  deleteUser(name: string): void {
    this.userByName.delete(name);
    this.backend.delete(BucketId.authUsers, utf8ToBytes(name));
  }

  role(name: string): authpb.Role | undefined {
    return this.roleByName.get(name);
  }

  /** In byte order. */
  roleNames(): string[] {
    return inByteOrder(this.roleByName.keys());
  }

  putRole(name: string, role: authpb.Role): void {
    this.roleByName.set(name, role);
    this.backend.put(BucketId.authRoles, utf8ToBytes(name), copyBytes(authpb.Role.encode(role)));
  }

  deleteRole(name: string): void {
    this.roleByName.delete(name);
    this.backend.delete(BucketId.authRoles, utf8ToBytes(name));
  }
}

function textOf(name: Uint8Array): string {
  return decodeUtf8Lossy(name, 0, name.length);
}

/** Texts in the order of their UTF-8 bytes, which is not that of their UTF-16 units. */
export function inByteOrder(texts: Iterable<string>): string[] {
  return [...texts]
    .map((text) => ({ text, bytes: utf8ToBytes(text) }))
    .sort((a, b) => compareBytes(a.bytes, b.bytes))
    .map(({ text }) => text);
}
