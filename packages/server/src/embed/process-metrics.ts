import { readdirSync, readFileSync } from 'node:fs';
import type { MetricsRegistry } from '../metrics/registry.ts';

const kibibyte = 1024;
/** What Prometheus' Go client says where there is no limit. */
const unlimited = 2 ** 64;

function readProc(name: string): string {
  try {
    return readFileSync(`/proc/self/${name}`, 'latin1');
  } catch {
    // Only Linux has it.
    return '';
  }
}

function openFiles(): number {
  try {
    return readdirSync('/proc/self/fd').length;
  } catch {
    return 0;
  }
}

/** A soft limit of the process. */
function limitOf(name: string): number {
  const value = new RegExp(`^${name}\\s+(\\S+)`, 'm').exec(readProc('limits'))?.[1];
  return value === 'unlimited' ? unlimited : Number(value ?? 0);
}

export const openFilesMax = (): number => limitOf('Max open files');

/** Bytes in and out of the network namespace. */
function networkBytes(): readonly [received: number, sent: number] {
  const lines = readProc('net/netstat')
    .split('\n')
    .filter((line) => line.startsWith('IpExt:'));
  const [names = [], values = []] = lines.map((line) => line.split(' '));
  const octets = (name: string) => Number(values[names.indexOf(name)] ?? 0);
  return [octets('InOctets'), octets('OutOctets')];
}

/** The process under the names that Prometheus' clients use, and etcd's own two. Everything is read when somebody looks. */
export function registerProcessMetrics(metrics: MetricsRegistry): void {
  const startSeconds = Date.now() / 1000 - process.uptime();
  const gauges = [
    ['os_fd_used', 'The number of used file descriptors.', openFiles],
    ['os_fd_limit', 'The file descriptor limit.', openFilesMax],
    ['process_open_fds', 'Number of open file descriptors.', openFiles],
    ['process_max_fds', 'Maximum number of open file descriptors.', openFilesMax],
    [
      'process_virtual_memory_bytes',
      'Virtual memory size in bytes.',
      () => Number(/^VmSize:\s+(\d+)/m.exec(readProc('status'))?.[1] ?? 0) * kibibyte,
    ],
    [
      'process_virtual_memory_max_bytes',
      'Maximum amount of virtual memory available in bytes.',
      () => limitOf('Max address space'),
    ],
    ['process_resident_memory_bytes', 'Resident memory size in bytes.', () => process.memoryUsage.rss()],
    ['process_start_time_seconds', 'Start time of the process since unix epoch in seconds.', () => startSeconds],
  ] as const;
  const counters = [
    [
      'process_cpu_seconds_total',
      'Total user and system CPU time spent in seconds.',
      () => {
        const { user, system } = process.cpuUsage();
        return (user + system) / 1e6;
      },
    ],
    [
      'process_network_receive_bytes_total',
      'Number of bytes received by the process over the network.',
      () => networkBytes()[0],
    ],
    [
      'process_network_transmit_bytes_total',
      'Number of bytes sent by the process over the network.',
      () => networkBytes()[1],
    ],
  ] as const;
  const gaugeCells = gauges.map(([name, help, read]) => ({ cell: metrics.gauge(name, help), read }));
  const counterCells = counters.map(([name, help, read]) => ({ cell: metrics.counter(name, help), read, before: 0 }));
  metrics.onScrape(() => {
    for (const { cell, read } of gaugeCells) cell.set(read());
    for (const counter of counterCells) {
      const now = counter.read();
      counter.cell.add(now - counter.before);
      counter.before = now;
    }
  });
}
