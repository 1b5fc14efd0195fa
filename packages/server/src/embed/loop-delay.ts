import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { MetricsRegistry } from '../metrics/registry.ts';

const resolutionMs = 10;
const secondsPerNanosecond = 1e-9;

/**
 * Measures how late a timer of 10 ms comes, which is how long requests may wait behind other work. Each scrape shows the time
 * since the one before.
 * @returns what ends the measuring.
 */
export function watchLoopDelay(registry: MetricsRegistry): () => void {
  const delays = monitorEventLoopDelay({ resolution: resolutionMs });
  delays.enable();
  const quantiles = [0.5, 0.99, 0.999, 1] as const;
  const name = 'quorate_event_loop_delay_seconds';
  const help = 'How late timers come since the last scrape, by quantile.';
  const gauges = quantiles.map((quantile) => registry.gauge(name, help, { quantile: String(quantile) }));
  registry.onScrape(() => {
    quantiles.forEach((quantile, i) => {
      const nanoseconds = quantile === 1 ? delays.max : delays.percentile(quantile * 100);
      // The timer's own period is part of what the histogram holds.
      gauges[i]?.set(Math.max(0, nanoseconds * secondsPerNanosecond - resolutionMs / 1000));
    });
    delays.reset();
  });
  return () => delays.disable();
}
