/** An id as it stands in log lines and descriptions. */
export function hex(id: bigint): string {
  return id.toString(16);
}
