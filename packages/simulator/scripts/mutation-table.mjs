// Real mistakes of this kind of system, each as a change of the built product. The simulator must catch every one within the
// stated number of seeds: see mutations.mjs.
//
// `edits` replace text of a module of the build (`file` is the end of its path), which must be there exactly once: when it is
// not, the product has changed, and the entry is to be changed with it.
import { consensus } from './mutations/consensus.mjs';
import { durability } from './mutations/durability.mjs';
import { leases } from './mutations/leases.mjs';
import { membership } from './mutations/membership.mjs';
import { permissions } from './mutations/permissions.mjs';
import { snapshots } from './mutations/snapshots.mjs';
import { store } from './mutations/store.mjs';
import { watches } from './mutations/watches.mjs';

/** The text with the edit made; undefined when what it replaces is not there exactly once. */
export function edited(text, { from, to }) {
  const parts = text.split(from);
  return parts.length === 2 ? parts.join(to) : undefined;
}

/** @type {import('./mutations/edit.mjs').Mutation[]} */
export const mutations = [
  ...durability,
  ...consensus,
  ...store,
  ...watches,
  ...leases,
  ...snapshots,
  ...membership,
  ...permissions,
];
