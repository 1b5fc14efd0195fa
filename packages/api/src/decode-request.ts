import type { MessageCodec } from './codec.ts';
import { DecodeError } from './decode-error.ts';
import { unmarshalFailed } from './errors.ts';

/** Decodes a request; answers the call and returns undefined when it is malformed. */
export function decodeRequest<M>(
  call: { fail(code: number, message: string): void },
  codec: Pick<MessageCodec<M>, 'decode'>,
  bytes: Uint8Array,
): M | undefined {
  try {
    return codec.decode(bytes);
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error;
    const { code, message } = unmarshalFailed(error.message);
    call.fail(code, message);
    return undefined;
  }
}
