/** Workers of a traffic process, at most: each has a column in every cell of `shared-table.ts`. */
export const MAX_WORKERS = 16;
