import type { CertificateAuthority, LeafFiles } from './certificates.ts';

/** What a part of the suite finds in its folder. */
export interface TlsWorld {
  readonly folder: string;
  readonly authority: CertificateAuthority;
  readonly other: CertificateAuthority;
  /** For 127.0.0.1 and localhost. */
  readonly server: LeafFiles;
  readonly client: LeafFiles;
}

export type Visit = {
  readonly name: string;
  /** What the reference has to do with it. */
  readonly works: boolean;
} & (
  | { readonly flags: readonly string[]; readonly scheme?: 'http' }
  | { readonly handshake: { readonly maxVersion?: 'TLSv1.2'; readonly ciphers?: string } }
);

/** Servers that are all started alike, and who comes to see them. */
export interface ClientPart {
  readonly name: string;
  /** What etcd 3.4 cannot do is left out there. */
  readonly needs37?: true;
  /** A file with the authorities that the servers take for those of the system. */
  readonly systemAuthorities?: string;
  /** etcd forgets to log whom it refuses. */
  readonly logsNothing?: true;
  readonly args: readonly string[];
  readonly visits: readonly Visit[];
}

const trust = ({ authority }: TlsWorld) => `--cacert=${authority.file}`;
const identity = ({ cert, key }: LeafFiles) => [`--cert=${cert}`, `--key=${key}`];
const skipVerify = '--insecure-skip-tls-verify';
const transport = '--insecure-transport=false';

function serverArgs({ server }: TlsWorld): string[] {
  return [`--cert-file=${server.cert}`, `--key-file=${server.key}`];
}

export async function makeClientParts(world: TlsWorld): Promise<ClientPart[]> {
  return [
    serverOnly(world),
    await serverOfAnotherHost(world),
    await authorityAlone(world),
    await authorityOfSystem(world),
    await revoked(world),
    await allowedHostname(world),
    ...versionsAndSuites(world),
    autoTls(world),
  ];
}

function serverOnly(world: TlsWorld): ClientPart {
  return {
    name: 'server certificate alone',
    args: serverArgs(world),
    visits: [
      { name: 'trusting its authority', works: true, flags: [trust(world)] },
      { name: 'with a certificate nobody asked for', works: true, flags: [trust(world), ...identity(world.client)] },
      { name: 'trusting nobody', works: true, flags: [transport, skipVerify] },
      { name: 'trusting the system', works: false, flags: [transport] },
      { name: 'trusting another authority', works: false, flags: [`--cacert=${world.other.file}`] },
      { name: 'without TLS', works: false, flags: [], scheme: 'http' },
      { name: 'handshake', works: true, handshake: {} },
    ],
  };
}

async function serverOfAnotherHost(world: TlsWorld): Promise<ClientPart> {
  const elsewhere = await world.authority.issue('elsewhere', { hosts: ['10.9.8.7', 'elsewhere.example'] });
  return {
    name: 'server certificate for another address',
    args: [`--cert-file=${elsewhere.cert}`, `--key-file=${elsewhere.key}`],
    visits: [
      { name: 'trusting its authority', works: false, flags: [trust(world)] },
      { name: 'trusting nobody', works: true, flags: [transport, skipVerify] },
    ],
  };
}

async function authorityAlone(world: TlsWorld): Promise<ClientPart> {
  const foreign = await world.other.issue('foreign');
  const expired = await world.authority.issue('expired', { isExpired: true });
  const serverUse = await world.authority.issue('server-use', { usages: ['server'] });
  const elsewhere = await world.authority.issue('client-elsewhere', { hosts: ['10.9.8.7'] });
  const as = (files: LeafFiles) => [trust(world), ...identity(files)];
  return {
    name: 'authority alone asks for certificates',
    args: [...serverArgs(world), `--trusted-ca-file=${world.authority.file}`],
    visits: [
      { name: 'with a certificate', works: true, flags: as(world.client) },
      { name: 'with one for another address', works: true, flags: as(elsewhere) },
      { name: 'without', works: false, flags: [trust(world)] },
      { name: 'with one of another authority', works: false, flags: as(foreign) },
      { name: 'with an expired one', works: false, flags: as(expired) },
      { name: 'with one for servers', works: false, flags: as(serverUse) },
    ],
  };
}

async function authorityOfSystem(world: TlsWorld): Promise<ClientPart> {
  const stranger = await world.other.issue('system-stranger');
  return {
    name: 'client certificates of the authorities of the system',
    systemAuthorities: world.authority.file,
    args: [...serverArgs(world), '--client-cert-auth'],
    visits: [
      { name: 'with a certificate', works: true, flags: [trust(world), ...identity(world.client)] },
      { name: 'without', works: false, flags: [trust(world)] },
      { name: 'with one of another authority', works: false, flags: [trust(world), ...identity(stranger)] },
    ],
  };
}

async function revoked(world: TlsWorld): Promise<ClientPart> {
  const serials = ['0fa0', '00b1b2b3b4b5b6b7b8b9'];
  const clients = await Promise.all(
    serials.map((serialNumber) => world.authority.issue(`revoked-${serialNumber}`, { serialNumber })),
  );
  const crl = await world.authority.revoke('revoked', serials);
  return {
    name: 'revocation list',
    args: [
      ...serverArgs(world),
      ...['--client-cert-auth', `--trusted-ca-file=${world.authority.file}`, `--client-crl-file=${crl}`],
    ],
    visits: [
      { name: 'with a certificate', works: true, flags: [trust(world), ...identity(world.client)] },
      ...clients.map((files, i) => ({
        name: `with revoked ${serials[i]}`,
        works: false,
        flags: [trust(world), ...identity(files)],
      })),
    ],
  };
}

async function allowedHostname(world: TlsWorld): Promise<ClientPart> {
  const allowed = await world.authority.issue('allowed', { hosts: ['a.clients.example'] });
  const wildcard = await world.authority.issue('wildcard', { hosts: ['*.clients.example'] });
  return {
    name: 'allowed host names of clients',
    args: [
      ...serverArgs(world),
      ...['--client-cert-auth', `--trusted-ca-file=${world.authority.file}`],
      '--client-cert-allowed-hostname=a.clients.example',
    ],
    visits: [
      { name: 'with that name', works: true, flags: [trust(world), ...identity(allowed)] },
      { name: 'with a wildcard for it', works: true, flags: [trust(world), ...identity(wildcard)] },
      { name: 'with another name', works: false, flags: [trust(world), ...identity(world.client)] },
    ],
  };
}

function versionsAndSuites(world: TlsWorld): ClientPart[] {
  const suites = ['TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384', 'TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256'];
  return [
    {
      name: 'TLS 1.3 at least',
      needs37: true,
      args: [...serverArgs(world), '--tls-min-version=TLS1.3'],
      visits: [
        { name: 'etcdctl', works: true, flags: [trust(world)] },
        { name: 'handshake of 1.2', works: false, handshake: { maxVersion: 'TLSv1.2' } },
        { name: 'handshake', works: true, handshake: {} },
      ],
    },
    {
      name: 'TLS 1.2 at most, and chosen suites',
      needs37: true,
      args: [...serverArgs(world), '--tls-max-version=TLS1.2', `--cipher-suites=${suites.join(',')}`],
      visits: [
        { name: 'etcdctl', works: true, flags: [trust(world)] },
        ...['ECDHE-ECDSA-AES256-GCM-SHA384', 'ECDHE-ECDSA-AES128-GCM-SHA256'].map((ciphers) => ({
          name: `handshake with ${ciphers}`,
          works: true,
          handshake: { ciphers },
        })),
        {
          name: 'handshake with another suite',
          works: false,
          handshake: { ciphers: 'ECDHE-ECDSA-CHACHA20-POLY1305', maxVersion: 'TLSv1.2' },
        },
      ],
    },
  ];
}

function autoTls(world: TlsWorld): ClientPart {
  return {
    name: 'certificate of its own making',
    logsNothing: true,
    args: ['--auto-tls'],
    visits: [
      { name: 'trusting nobody', works: true, flags: [transport, skipVerify] },
      { name: 'trusting an authority', works: false, flags: [trust(world)] },
    ],
  };
}
