/** Where the game server is. The page comes from the supervisor, which knows. */
export async function gameUrl(): Promise<string> {
  const { gameUrl } = (await (await fetch("/config.json")).json()) as { gameUrl: string };
  return gameUrl;
}
