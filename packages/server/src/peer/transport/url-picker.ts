/** Which of a member's URLs is used: one, until it fails. */
export class UrlPicker {
  private urls: readonly string[];
  private index = 0;

  constructor(urls: readonly string[]) {
    this.urls = urls;
  }

  /** False when they are those that it has. */
  update(urls: readonly string[]): boolean {
    if (urls.length === this.urls.length && urls.every((url, i) => url === this.urls[i])) return false;
    this.urls = urls;
    this.index = 0;
    return true;
  }

  pick(): string {
    return this.urls[this.index] as string;
  }

  /** Goes on to the next, unless another did already. */
  failed(url: string): void {
    if (url === this.pick()) this.index = (this.index + 1) % this.urls.length;
  }
}
