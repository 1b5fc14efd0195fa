import { answerFrom, type HttpAnswer, type HttpRequest, refuseMethod, sendError, splitTarget } from './http-types.ts';
import { activeList, type RecentCalls } from './recent-calls.ts';

/** The process as it shows itself to those who debug it. */
export interface DebugSource {
  /** JSON texts by name. */
  variables(): Readonly<Record<string, string>>;
  /** What the process was started with. */
  commandLine(): readonly string[];
  /** V8's CPU profile of the next `seconds`, a `.cpuprofile` file. */
  profileCpu(seconds: number): Promise<string>;
  /** V8's sampled allocations of the next `seconds`, a `.heapprofile` file. */
  profileHeap(seconds: number): Promise<string>;
}

const htmlType = ['Content-Type', 'text/html; charset=utf-8'] as const;
const profilePath = '/debug/pprof/';
/** Etcd's default, and ours for the longest. */
const defaultSeconds = 30;
const secondsMax = 300;

export interface DebugOptions {
  readonly profiles: boolean;
  /** Left out where they are not recorded. */
  readonly requests?: RecentCalls | undefined;
}

/** `/debug/vars`, and profiles and recent calls where they are switched on. */
export class DebugPages {
  private readonly source: DebugSource;
  private readonly hasProfiles: boolean;
  private readonly requests: RecentCalls | undefined;
  private isProfiling = false;

  constructor(source: DebugSource, options: DebugOptions) {
    this.source = source;
    this.hasProfiles = options.profiles;
    this.requests = options.requests;
  }

  /** A path that lacks only its slash. */
  isFolder(path: string): boolean {
    return this.hasProfiles && `${path}/` === profilePath;
  }

  /** @returns false for a path that is none of these. */
  serve(request: HttpRequest, answer: HttpAnswer): boolean {
    const { path, query } = splitTarget(request.target);
    if (path === '/debug/vars') {
      if (!refuseMethod(request, answer)) this.serveVariables(answer);
      return true;
    }
    if (path === '/debug/requests' && this.requests !== undefined) {
      this.serveRequests(this.requests, request, new URLSearchParams(query), answer);
      return true;
    }
    if (!this.hasProfiles || !path.startsWith(profilePath)) return false;
    return this.serveProfile(path.slice(profilePath.length), new URLSearchParams(query), answer);
  }

  private serveRequests(calls: RecentCalls, request: HttpRequest, params: URLSearchParams, answer: HttpAnswer): void {
    if (!isOfThisMachine(request)) {
      sendError(answer, 401, 'not allowed');
      return;
    }
    const page = calls.page(params.get('fam') ?? '', Number(params.get('b') ?? activeList));
    answer.send(200, [htmlType], page);
  }

  private serveVariables(answer: HttpAnswer): void {
    const entries = Object.entries(this.source.variables()).sort(([a], [b]) => (a < b ? -1 : 1));
    const lines = entries.map(([name, json]) => `${JSON.stringify(name)}: ${json}`);
    answer.send(200, [['Content-Type', 'application/json; charset=utf-8']], `{\n${lines.join(',\n')}\n}\n`);
  }

  private serveProfile(name: string, params: URLSearchParams, answer: HttpAnswer): boolean {
    switch (name) {
      case '':
        answer.send(
          200,
          [['Content-Type', 'text/plain; charset=utf-8']],
          'cmdline\nheap?seconds=30\nprofile?seconds=30\n',
        );
        return true;
      case 'cmdline':
        answer.send(200, [['Content-Type', 'text/plain; charset=utf-8']], this.source.commandLine().join('\0'));
        return true;
      case 'profile':
        answerFrom(
          this.record(params, answer, 'profile.cpuprofile', (seconds) => this.source.profileCpu(seconds)),
          answer,
        );
        return true;
      case 'heap':
        answerFrom(
          this.record(params, answer, 'heap.heapprofile', (seconds) => this.source.profileHeap(seconds)),
          answer,
        );
        return true;
      default:
        return false;
    }
  }

  private async record(
    params: URLSearchParams,
    answer: HttpAnswer,
    fileName: string,
    profile: (seconds: number) => Promise<string>,
  ): Promise<void> {
    const seconds = Number(params.get('seconds') ?? defaultSeconds);
    if (!(seconds > 0 && seconds <= secondsMax)) {
      sendError(answer, 400, `seconds must be more than 0 and at most ${secondsMax}`);
      return;
    }
    // One at a time: they share V8's profiler.
    if (this.isProfiling) {
      sendError(answer, 500, 'Could not enable profiling: a profile is being recorded');
      return;
    }
    this.isProfiling = true;
    try {
      const text = await profile(seconds);
      const disposition = ['Content-Disposition', `attachment; filename="${fileName}"`] as const;
      answer.send(200, [['Content-Type', 'application/json'], disposition], text);
    } finally {
      this.isProfiling = false;
    }
  }
}

function isOfThisMachine({ remoteAddress }: HttpRequest): boolean {
  return /^(?:127\.|\[::1\]|\[::ffff:127\.)/.test(remoteAddress);
}
