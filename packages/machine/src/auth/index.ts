export type { AuthAnswer, TokenSink } from './auth-handler.ts';
export { AuthStore, type AuthStoreDeps } from './auth-store.ts';
export { type Identity, nobody, rootName } from './identity.ts';
export type { PutAccess } from './permissions.ts';
