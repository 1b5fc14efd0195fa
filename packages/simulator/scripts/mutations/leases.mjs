// Leases: they end when they may, and once.
import { edit } from './edit.mjs';

/** @type {import('./edit.mjs').Mutation[]} */
export const leases = [
  {
    name: 'lease is renewed after its revoke',
    why: 'Its holder believes to hold what is gone.',
    seeds: 20,
    edits: [edit('lease/lessor.js', 'this.leases.delete(id);', '')],
  },
  {
    name: 'expired lease is revived',
    why: 'Its revoke is in the log already, and takes from the holder what the renewal has promised.',
    seeds: 450,
    edits: [
      edit(
        'lease/lease-expiry.js',
        'if (lease.expiryMs <= now) {\n            return new Promise',
        'if (false) {\n            return new Promise',
      ),
    ],
  },
  {
    name: 'old leader hands its revokes to the next one',
    why: 'What it took for expired while its disk was stalled has been renewed there. (Ours until the simulator found it.)',
    seeds: 1000,
    edits: [
      edit(
        'member/leadership.js',
        'deps.proposals.proposeAsLeader(RequestField.leaseRevoke',
        'deps.proposals.propose(RequestField.leaseRevoke',
      ),
    ],
  },
  {
    name: 'old leader revokes leases when it comes back',
    why: 'It goes on counting what it knew when it last led, and the others pass its revokes on.',
    seeds: 20,
    edits: [edit('member/leadership.js', 'if (!role.isLeader)\n            this.deps.expiry.demote();', '')],
  },
  {
    name: 'new leader counts leases from their grant',
    why: 'Renewals are not in the log: a new leader that does not start anew ends leases that are held.',
    seeds: 20,
    edits: [
      edit(
        'lease/lease-expiry.js',
        'granted(lease) {\n        if (!this.isPromoted)\n            return;\n        const now',
        'granted(lease) {\n        const now',
      ),
      edit(
        'lease/lease-expiry.js',
        'lease.expiryMs = now + lease.ttlSeconds * 1000;\n        this.expiries',
        'lease.expiryMs = now + lease.ttlSeconds * 1000;\n        if (!this.isPromoted)\n            return;\n        this.expiries',
      ),
      edit(
        'lease/lease-expiry.js',
        'of spreadExpiries(this.lessor.all(), now + extendMs)) {',
        'of this.lessor.all()) {',
      ),
    ],
  },
  {
    name: 'leader renews without asking',
    why: 'Others may have another leader already, which let the lease end.',
    seeds: 250,
    edits: [
      edit(
        'member/leader-leases.js',
        'replica.isReadable() || this.confirmed > cameAt ? this.renewHere(id) : this.renewAsked(id)',
        'this.renewHere(id)',
      ),
    ],
  },
  {
    name: 'follower renews leases itself',
    why: 'Only the leader knows when they end.',
    seeds: 50,
    edits: [
      edit(
        'lease/lease-expiry.js',
        'renew(id) {\n        if (!this.isPromoted)\n            return renewal.notPrimary;',
        'renew(id) {',
      ),
      edit(
        'member/leader-leases.js',
        'if (!expiry.isPrimary)\n            return this.renewElsewhere(id);\n        return replica.isReadable() || this.confirmed > cameAt ? this.renewHere(id) : this.renewAsked(id)',
        'return this.renewHere(id)',
      ),
      edit(
        'lease/lease-expiry.js',
        'if (lease.expiryMs <= now) {\n            return new Promise',
        'if (this.isPromoted && lease.expiryMs <= now) {\n            return new Promise',
      ),
    ],
  },
  {
    name: 'leases are restored after the keys',
    why: 'Keys find no lease to hang on, and stay when it ends, on this member alone.',
    seeds: 20,
    edits: [edit('mvcc/store.js', 'if (lease === 0n || this.leases?.has(lease) !== true)', 'if (true)')],
  },
  {
    name: 'checkpoint stays when a lease is renewed',
    why: 'The next leader takes what was left before the renewal for what is left, and ends a lease that is held.',
    seeds: 60,
    edits: [
      edit(
        'lease/lease-expiry.js',
        'if (lease.remainingTtlSeconds > 0 && this.deps.checkpoint',
        'if (false && this.deps.checkpoint',
      ),
    ],
  },
  {
    name: 'checkpoints are not stored',
    why: 'After a loss of power leases have their whole life before them, each time.',
    seeds: 150,
    edits: [edit('lease/lessor.js', 'if (this.options.persistsCheckpoints?.() ?? true)', 'if (false)')],
  },
  {
    name: 'new leader takes a checkpoint for the whole life',
    why: 'Leases do not end where leaders change more often than they would.',
    seeds: 60,
    edits: [
      edit(
        'lease/spread-expiries.js',
        'lease.remainingTtlSeconds > 0 ? lease.remainingTtlSeconds : lease.ttlSeconds',
        'lease.ttlSeconds',
      ),
    ],
  },
];
