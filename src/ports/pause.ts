/** Why nothing may go out now, though nothing is wrong with the server. */
export type Pause = "offline" | "hidden" | "frozen" | "asleep";
