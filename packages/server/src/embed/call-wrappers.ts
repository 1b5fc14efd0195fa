import type { HandlerWrapper } from '@quorate/transport';

/** The first is the outermost; undefined when there is none. */
export function wrapperOf(wrappers: readonly (HandlerWrapper | undefined)[]): HandlerWrapper | undefined {
  const [first, ...rest] = wrappers.filter((wrapper) => wrapper !== undefined);
  const inner = rest.length === 0 ? undefined : wrapperOf(rest);
  if (first === undefined || inner === undefined) return first;
  return {
    unary: (handler) => first.unary(inner.unary(handler)),
    stream: (handler) => first.stream(inner.stream(handler)),
  };
}
