import { isRoom, type RoomName } from "../../rooms.js";

/** Who sits at this tab, and where. */
export interface Seat {
  readonly name: string;
  readonly room: RoomName;
  /** One login: the tab's own, so that a second tab of the same name supersedes this one. */
  readonly login: string;
}

const key = "lobby.seat";

/** For `sessionStorage`: a reload keeps the seat, and another tab does not have it. */
export const seats = {
  take(name: string, room: RoomName): Seat {
    const seat = { name, room, login: crypto.randomUUID() };
    sessionStorage.setItem(key, JSON.stringify(seat));
    return seat;
  },
  leave(): void {
    sessionStorage.removeItem(key);
  },
  /** The seat from before a reload. */
  stored(): Seat | undefined {
    const seat = JSON.parse(sessionStorage.getItem(key) ?? "null") as Seat | null;
    return seat && isRoom(seat.room) ? seat : undefined;
  },
};
