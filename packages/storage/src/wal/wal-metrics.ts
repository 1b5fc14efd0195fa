/** Seconds: 1 ms doubling 13 times, as etcd's disk histograms have them. */
export const fsyncBuckets: readonly number[] = Array.from({ length: 14 }, (_, i) => 2 ** i / 1000);
