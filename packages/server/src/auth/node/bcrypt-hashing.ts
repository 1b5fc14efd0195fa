import { createHmac, randomBytes } from 'node:crypto';
import type { Logger } from '@quorate/base';
import { genSaltSync, hashSync } from 'bcryptjs';
import type { PasswordHashing } from '../passwords.ts';
import { askBcryptThread } from './bcrypt-thread.ts';

const costMin = 4;
const costMax = 31;
const costDefault = 10;

/** bcrypt in a thread of its own, in the form `$2a$` that etcd writes. */
export function makeBcryptHashing(cost: number, logger: Logger): PasswordHashing {
  let rounds = cost;
  if (cost < costMin || cost > costMax) {
    logger.warn('use default bcrypt cost instead of the invalid given cost', {
      'min-cost': costMin,
      'max-cost': costMax,
      'default-cost': costDefault,
      'given-cost': cost,
    });
    rounds = costDefault;
  }
  const secret = randomBytes(32);
  const drawSalt = () => genSaltSync(rounds).replace(/^\$2b\$/, '$2a$');
  return {
    hash: async (password) => String(await askBcryptThread({ kind: 'hash', password, salt: drawSalt() })),
    hashNow: (password) => hashSync(password, drawSalt()),
    compare: async (password, hash) => (await askBcryptThread({ kind: 'compare', password, hash })) === true,
    digest: (text) => createHmac('sha256', secret).update(text).digest('base64'),
  };
}
