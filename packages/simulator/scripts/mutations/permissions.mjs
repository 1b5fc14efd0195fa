// Who may do what, the same on all members.
import { edit } from './edit.mjs';

/** @type {import('./edit.mjs').Mutation[]} */
export const permissions = [
  {
    name: 'permissions of a user are kept when they change',
    why: 'Who has lost a permission goes on using it, and the members differ by what they have looked up before.',
    seeds: 20,
    edits: [edit('auth/auth-requests.js', 'if (context.records.revision !== before)', 'if (false)')],
  },
  {
    name: 'permissions are stale after a snapshot',
    why: 'The member judges by users and roles of before, and applies or refuses what the others do not.',
    seeds: 1000,
    edits: [edit('auth/auth-store.js', 'this.permissions.forget();', '')],
  },
  {
    name: 'users stay those before a snapshot',
    why: 'Users and roles are read from a database that nothing is written to any more.',
    seeds: 20,
    edits: [edit('member/member-state.js', 'this.auth.restore(next.backend);', '')],
  },
];
