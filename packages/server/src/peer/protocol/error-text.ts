import { type ErrorSymbol, errors } from '@quorate/api';

/** How members tell each other of an error of the store: without the prefix that it has for clients. */
export function storeErrorText(symbol: ErrorSymbol): string {
  return errors[symbol].message.replace(/^etcdserver: /, '');
}
