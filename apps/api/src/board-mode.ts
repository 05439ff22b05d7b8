/** What bull-board may show and do. `full`: jobs are shown as they are, and can be changed. */
export const boardModes = ['off', 'read-only', 'full'] as const;
export type BoardMode = (typeof boardModes)[number];
