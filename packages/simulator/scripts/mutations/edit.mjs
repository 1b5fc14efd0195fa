/** @typedef {{ file: string, from: string, to: string }} Edit */
/** @typedef {{ name: string, why: string, seeds: number, isOpen?: boolean, edits: Edit[] }} Mutation
 * `isOpen`: no seed is known to catch it (a scenario may); either it needs many, or the simulator lacks something. */

/** @returns {Edit} */
export const edit = (file, from, to) => ({ file, from, to });
