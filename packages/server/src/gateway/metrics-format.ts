/** In what form metrics are answered. */
interface MetricsFormat {
  /** Delimited messages instead of text. */
  readonly isProtobuf: boolean;
  readonly contentType: string;
}

interface Choice {
  readonly type: string;
  readonly parameters: ReadonlyMap<string, string>;
  readonly quality: number;
}

const protobufType = 'application/vnd.google.protobuf';
const protobufMessage = 'io.prometheus.client.MetricFamily';
/** What is done to names outside the old alphabet. We have none, so it is only said. */
const escapings: ReadonlySet<string> = new Set(['allow-utf-8', 'underscores', 'dots', 'values']);

/**
 * Chooses by an Accept header, as etcd does: the first that is known, the likeliest first. Protobuf in its two forms for human eyes is passed
 * over, and OpenMetrics is not among etcd's.
 */
export function negotiateMetrics(accept: string): MetricsFormat {
  let escaping = 'underscores';
  for (const { type, parameters } of choicesOf(accept)) {
    const wanted = parameters.get('escaping') ?? '';
    if (escapings.has(wanted)) escaping = wanted;
    if (type === protobufType && parameters.get('proto') === protobufMessage) {
      if (parameters.get('encoding') !== 'delimited') continue;
      const form = `proto=${protobufMessage}; encoding=delimited; escaping=${escaping}`;
      return { isProtobuf: true, contentType: `${protobufType}; ${form}` };
    }
    if (type === 'text/plain' && ['', '0.0.4'].includes(parameters.get('version') ?? '')) break;
  }
  return { isProtobuf: false, contentType: `text/plain; version=0.0.4; charset=utf-8; escaping=${escaping}` };
}

function choicesOf(accept: string): Choice[] {
  const choices = accept.split(',').map((part): Choice => {
    const [type = '', ...rest] = part.split(';').map((text) => text.trim());
    const parameters = new Map(rest.map((text): [string, string] => splitOnce(text)));
    return { type, parameters, quality: Number(parameters.get('q') ?? 1) || 0 };
  });
  return choices.sort((a, b) => b.quality - a.quality || wildcards(a) - wildcards(b));
}

function splitOnce(text: string): [name: string, value: string] {
  const [name = '', value = ''] = text.split('=').map((half) => half.trim());
  return [name, value];
}

function wildcards({ type }: Choice): number {
  return type.split('*').length;
}
