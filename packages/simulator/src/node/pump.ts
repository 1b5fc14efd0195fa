import type { Pump } from '../world/scheduler.ts';

/** Steps for which the event loop goes round once; promises go on between any two all the same. */
const stepsPerTurn = 64;

/** Steps the process's own event loop, between whose callbacks every promise that can go on does. */
export const pump: Pump = (step) =>
  new Promise((resolve, reject) => {
    let isOver = false;
    const once = () => {
      if (isOver) return;
      try {
        if (step()) return;
        isOver = true;
        resolve();
      } catch (error) {
        isOver = true;
        reject(error);
      }
    };
    const turn = () => {
      if (isOver) return;
      for (let i = 0; i < stepsPerTurn; i++) setImmediate(once);
      setImmediate(turn);
    };
    turn();
  });
