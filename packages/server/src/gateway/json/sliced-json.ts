import { type AnyMessageCodec, type Field, toJson } from '@quorate/api';
import { type Clock, nextTurn } from '@quorate/base';

/** Longest stretch of making text in one turn. */
const sliceMs = 2;
/** Items between two looks at the clock. */
const itemsPerStep = 64;

/** The JSON text of a message that may hold very many others (keys, for example): made in slices, so that the loop is not held. */
export async function jsonInSlices(type: AnyMessageCodec, message: object, clock: Clock): Promise<string> {
  const values = message as Record<string, unknown>;
  const members: string[] = [];
  for (const field of type.fields) {
    const value = values[field.key];
    if (field.kind === 'message' && field.label === 'repeated') {
      const items = value as readonly object[];
      if (items.length > 0) members.push(`"${field.name}":[${await itemsInSlices(field, items, clock)}]`);
      continue;
    }
    // The field alone, as the whole message would have it.
    const alone = JSON.stringify(toJson(type, { ...type.create(), [field.key]: value }));
    if (alone !== '{}') members.push(alone.slice(1, -1));
  }
  return `{${members.join(',')}}`;
}

async function itemsInSlices(field: Field, items: readonly object[], clock: Clock): Promise<string> {
  const type = (field.message as () => AnyMessageCodec)();
  const texts: string[] = [];
  let startMs = clock.nowMs();
  for (const [i, item] of items.entries()) {
    texts.push(JSON.stringify(toJson(type, item)));
    if (i % itemsPerStep !== 0 || clock.nowMs() - startMs < sliceMs) continue;
    await nextTurn(clock);
    startMs = clock.nowMs();
  }
  return texts.join(',');
}
