/** @typedef {{ file: string, from: string, to: string }} Edit */
/** @typedef {{ name: string, why: string, seeds: number, edits: Edit[] }} Mutation */

/** @returns {Edit} */
export const edit = (file, from, to) => ({ file, from, to });
