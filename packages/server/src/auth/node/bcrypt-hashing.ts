import { createHmac, randomBytes } from 'node:crypto';
import type { Logger } from '@quorate/base';
import bcrypt from 'bcrypt';
import type { PasswordHashing } from '../passwords.ts';

const costMin = 4;
const costMax = 31;
const costDefault = 10;

/** bcrypt in threads of libuv, in the form `$2a$` that etcd writes. */
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
  return {
    hash: async (password) => bcrypt.hash(bufferOf(password), await bcrypt.genSalt(rounds, 'a')),
    hashNow: (password) => bcrypt.hashSync(bufferOf(password), bcrypt.genSaltSync(rounds, 'a')),
    compare: (password, hash) => bcrypt.compare(bufferOf(password), hash),
    digest: (text) => createHmac('sha256', secret).update(text).digest('base64'),
  };
}

function bufferOf(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
}
