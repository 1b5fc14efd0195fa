/**
 * An operational error: bad input, a limit, a missing thing, a failing disk. `code` is stable and is what callers
 * look at; nobody parses `message`. `data` holds the typed facts that belong to the code.
 */
export class CodedError<Code extends string = string, Data = unknown> extends Error {
  readonly code: Code;
  readonly data: Data | undefined;

  constructor(code: Code, message: string, options: { data?: Data; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'CodedError';
    this.code = code;
    this.data = options.data;
  }
}

/** True when `error` is a {@link CodedError} with that code. */
export function hasCode(error: unknown, code: string): boolean {
  return error instanceof CodedError && error.code === code;
}
