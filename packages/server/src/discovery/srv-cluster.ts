import { CodedError, type Logger } from '@quorate/base';
import type { MemberUrl } from '../config/urls.ts';

export interface SrvRecord {
  /** Host name; a dot at its end is the root's. */
  readonly target: string;
  readonly port: number;
}

/** Asks the domain name system. */
export interface SrvResolver {
  /** The records of a name as `_etcd-server._tcp.example.org`, in the order of their priority. Rejects when there are none. */
  records(name: string): Promise<readonly SrvRecord[]>;
  /** The first IP address of a host name; of an address itself. Rejects when there is none. */
  address(host: string): Promise<string>;
}

export interface SrvQuestion {
  readonly domain: string;
  /** Appended to the names of the services; empty for none. */
  readonly serviceName: string;
  /** The member that asks, and the URLs it is to be found by among the records. */
  readonly name: string;
  readonly advertisePeerUrls: readonly MemberUrl[];
}

const services = [
  { scheme: 'https', service: 'etcd-server-ssl' },
  { scheme: 'http', service: 'etcd-server' },
] as const;

/**
 * The initial cluster in the records of a domain, `name=url,…`: the record that leads to this member has its name, the others are numbered.
 * @throws CodedError config/start when no record is found
 */
export async function findSrvCluster(
  deps: { readonly logger: Logger; readonly resolver: SrvResolver },
  question: SrvQuestion,
): Promise<string> {
  const { logger } = deps;
  const { domain, name, serviceName, advertisePeerUrls } = question;
  const found: string[] = [];
  const problems: string[] = [];
  for (const { scheme, service: base } of services) {
    const service = serviceName === '' ? base : `${base}-${serviceName}`;
    const result = await clusterOf(deps.resolver, question, scheme, service);
    found.push(...result.nodes);
    if (result.problem !== undefined) problems.push(result.problem);
    logger.info(`get cluster for ${base} SRV`, {
      'service-scheme': scheme,
      'service-name': service,
      'server-name': name,
      'discovery-srv': domain,
      'advertise-peer-urls': advertisePeerUrls.map(({ href }) => href),
      'found-cluster': found,
      ...(result.problem === undefined ? {} : { error: result.problem }),
    });
  }
  const problem = problems.join('\n');
  if (problem !== '') logger.warn('failed to resolve during SRV discovery', { error: problem });
  if (found.length === 0) throw new CodedError('config/start', `error setting up initial cluster: ${problem}`);
  for (const node of found) logger.info('got bootstrap from DNS for etcd-server', { node });
  return found.join(',');
}

/** Nodes of one service, and what went wrong in finding them. */
interface ServiceNodes {
  readonly nodes: readonly string[];
  readonly problem?: string;
}

async function clusterOf(
  resolver: SrvResolver,
  { domain, name, advertisePeerUrls }: SrvQuestion,
  scheme: string,
  service: string,
): Promise<ServiceNodes> {
  const nodes: string[] = [];
  let problem: string | undefined;
  let number = 0;
  try {
    const own = new Map<string, MemberUrl>();
    for (const url of advertisePeerUrls) own.set(`${await resolver.address(url.host)} ${url.port}`, url);
    for (const { target, port } of await resolver.records(`_${service}._tcp.${domain}`)) {
      const address = await resolver.address(target).catch((error: Error) => {
        problem = error.message;
        return undefined;
      });
      if (address === undefined) continue;
      const url = `${scheme}://${target.replace(/\.$/, '')}:${port}`;
      const mine = own.get(`${address} ${port}`);
      if (mine === undefined) nodes.push(`${number++}=${url}`);
      else if (mine.scheme === scheme) nodes.push(`${name}=${url}`);
      else problem = `bootstrap at ${url} from DNS for ${service} has scheme mismatch with expected peer ${mine.href}`;
    }
  } catch (error) {
    problem = (error as Error).message;
  }
  // One record that leads nowhere is no failure while another is found.
  if (nodes.length > 0 || problem === undefined) return { nodes };
  return { nodes, problem: `error querying DNS SRV records for _${service} ${problem}` };
}
