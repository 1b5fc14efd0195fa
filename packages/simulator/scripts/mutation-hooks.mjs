// Module hooks that change the built product while it is loaded: `file` of an edit is the end of a module's path.
import { edited } from './mutation-table.mjs';

let edits = [];

export function initialize(data) {
  edits = data.edits;
}

export async function load(url, context, nextLoad) {
  const loaded = await nextLoad(url, context);
  const wanted = edits.filter(({ file }) => url.endsWith(`/${file}`));
  if (wanted.length === 0) return loaded;
  let source = String(loaded.source);
  for (const edit of wanted) {
    const text = edited(source, edit);
    if (text === undefined)
      throw new Error(`stale mutation: ${edit.file} does not have this exactly once: ${edit.from}`);
    source = text;
  }
  return { ...loaded, source };
}
