/** Text as UTF-8; here, since the library itself runs where there is no TextEncoder. */
export function bytesOf(text: string): Uint8Array {
  const escaped = encodeURIComponent(text).match(/%..|./g) ?? [];
  return Uint8Array.from(escaped, (part) =>
    part.length === 1 ? part.charCodeAt(0) : Number.parseInt(part.slice(1), 16),
  );
}
