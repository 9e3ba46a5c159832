const key = "lobby.staff";

/** The token of the staff, from the link that was printed at the start, and for as long as the tab is open. */
export function takeToken(): string {
  const given = location.hash.slice(1);
  if (given !== "") {
    sessionStorage.setItem(key, given);
    history.replaceState(null, "", location.pathname); // not into the history, nor over somebody's shoulder
  }
  return sessionStorage.getItem(key) ?? "";
}

export function keepToken(token: string): void {
  sessionStorage.setItem(key, token);
}
