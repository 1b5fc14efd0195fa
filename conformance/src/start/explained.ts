import type { Explanations } from './log-book.ts';
import type { Scene } from './scenes.ts';

type Reasons = Explanations['ofReference'];

/** Come or do not come by how fast things go; of either. */
const slowness: Reasons = [
  [/^(?:warn|info) (?:apply request took too long|request stats|slow fdatasync|finished slow)/, 'a slow machine'],
  [/^warn (?:leader failed to send out heartbeat|the event loop was blocked)/, 'a slow machine'],
];

/** Come or do not come by the order in which members hear of each other; of either. */
const orderOfMembers: Reasons = [
  [/^warn prober /, 'a probe that meets a member on its way up or down'],
  [/^warn waiting for ReadIndex response/, 'a change of the leader'],
  [
    /^warn (?:failed to reach the peer URL|failed to get version|failed to dial remote)/,
    'a member on its way up or down',
  ],
  [/^warn (?:lost|closed) TCP streaming connection/, 'who of two members is first to notice'],
  [
    /^warn (?:failed to find remote peer in cluster|failed to process Raft message)/,
    'who of two members is first to know',
  ],
  [/^warn (?:rejected Raft message from|rejected stream from remote peer)/, 'who of two members is first to know'],
  [/^warn (?:peer became inactive|dropped internal Raft message)/, 'who of two members is first to notice'],
  [/^info peer became active/, 'who of two members is first to notice'],
  [
    /^info (?:added new remote peer|removed remote peer)/,
    'whether a message comes before the entry that tells of its sender',
  ],
  [/^(?:warn leadership transfer failed|info skipped leadership transfer; local)/, 'in which order members stop'],
  [/^info initialized peer connections; fast-forwarding/, 'whether a leader is heard of first'],
  [
    /^info (?:setting up initial|set initial|updating|updated) cluster version/,
    'whether it comes with the log or a database',
  ],
  [/^error the member has been permanently removed/, 'whether it hears of it from another before the entry comes'],
  [/^warn server error$/, 'the same'],
];

/** Lines of etcd 3.7.1 that are not ours. */
const ofEtcd: Reasons = [
  [/^info (?:Opening|Opening bbolt) db/, "a line of Go's bbolt, beside `opened backend db`, which is ours, too"],
  [/^info (?:bootstrapping (?:cluster|storage|raft)|Bootstrapping WAL from snapshot)$/, 'stages that are not ours'],
  [
    /^info (?:constructed a snapshot from WAL record|Constructed a new raft snapshot)/,
    'made from the v2 store; ours needs none',
  ],
  [/^info Skipping snapshot backend$/, 'said only when there is one to install'],
  [
    /^info (?:ignore already added member|ignored already updated member)$/,
    'etcd applies old entries to a v2 store, too',
  ],
  [/^info resolved URL Host$/, 'which addresses a name has; ours compares them without a word'],
  [/^info updated cluster version$/, 'etcd sets it once more by its old entries when it is started again'],
  [/^info cmux::serve$/, 'the multiplexer of Go'],
  [
    /^info (?:started|stopped) (?:HTTP pipelining|stream reader|stream writer|TCP streaming)/,
    "a goroutine's begin and end",
  ],
  [/^info set message encoder$/, 'a choice that is not ours'],
  [/^info started to purge file$/, 'ours purges when it has made a snapshot'],
  [/^info server has stopped; stopping (?:storage|cluster) version's monitor$/, "a goroutine's end"],
  [/^error setting up serving from embedded etcd failed\.$/, 'the end of listeners in Go'],
  [/^warn stopp(?:ing|ed) insecure grpc server due to error$/, 'the end of listeners in Go'],
  [
    /^(?:warn Failed to detect schema version|error failed to update storage version)$/,
    'of a database that is still empty; ours waits',
  ],
];

const fields: Explanations['fields'] = [
  [/^info starting an etcd server$/, /^(?:git-sha|go-|max-cpu-)/, 'of Go'],
  [/^info starting an etcd server$/, /^local-address$/, 'of a feature gate that is not ours'],
  [/^info starting an etcd server$/, /^discovery-/, 'how the registry is dialled: only where it is'],
  [/^info started as single-node; fast-forwarding/, /^forward-/, 'ours stands for election at once'],
];

/** Why lines and fields of etcd are not ours, and ours not its. */
export function explainedIn(scene: Scene): Explanations {
  const chance = scene === 'joins, is started again, is removed' ? [...slowness, ...orderOfMembers] : slowness;
  return { ofReference: [...ofEtcd, ...chance], ofUnderTest: chance, fields };
}
