import type { HeaderList, HttpAnswer } from './http-types.ts';

/** A whole answer in pieces, each sent when there is room for it. */
export function sendPaced(
  answer: Omit<HttpAnswer, 'sendPieces'>,
  status: number,
  headers: HeaderList,
  pieces: readonly Uint8Array[],
): void {
  const bytes = pieces.reduce((sum, piece) => sum + piece.length, 0);
  answer.begin(status, [...headers, ['Content-Length', String(bytes)]]);
  let sent = 0;
  let isOver = false;
  const goOn = () => {
    if (isOver) return;
    while (sent < pieces.length) if (!answer.write(pieces[sent++] as Uint8Array)) return;
    isOver = true;
    answer.end();
  };
  answer.onDrain(goOn);
  goOn();
}
