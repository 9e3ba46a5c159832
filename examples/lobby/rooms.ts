/** The rooms that there are. The page lists them, and the server knows no others. */
export const rooms = ["Lobby", "Arena", "Tavern"] as const;

export type RoomName = (typeof rooms)[number];

export function isRoom(name: string): name is RoomName {
  return (rooms as readonly string[]).includes(name);
}
