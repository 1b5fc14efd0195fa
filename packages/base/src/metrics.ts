/** Monotonic count. */
export interface Counter {
  add(amount: number): void;
}

/** A value that goes up and down. */
export interface Gauge {
  set(value: number): void;
}

/** A distribution over fixed buckets; seconds unless its name says otherwise. */
export interface Histogram {
  observe(value: number): void;
}

/** Label values in the order in which the metric's label names were declared. */
export type LabelValues = readonly string[];

/** Makes metrics by etcd's names. Asking twice for the same name and labels gives the same cell. Cells are plain numbers: cheap on a hot path. */
export interface Metrics {
  counter(name: string, help: string, labels?: Readonly<Record<string, string>>): Counter;
  gauge(name: string, help: string, labels?: Readonly<Record<string, string>>): Gauge;
  histogram(
    name: string,
    help: string,
    bucketBounds: readonly number[],
    labels?: Readonly<Record<string, string>>,
  ): Histogram;
}

/** Keeps nothing. */
export const noMetrics: Metrics = {
  counter: () => ({ add() {} }),
  gauge: () => ({ set() {} }),
  histogram: () => ({ observe() {} }),
};
