import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { gameUrl } from "../shared/config.js";
import { App } from "./app.js";
import { connect } from "./connection.js";
import { seats } from "./seat.js";

// Sessions are made here and by what the player does, never while React renders: it may do that twice.
const url = await gameUrl();
const seat = seats.stored();
createRoot(document.getElementById("app") as HTMLElement).render(
  <StrictMode>
    <App connectTo={(seat) => connect(url, seat)} initial={seat && connect(url, seat)} />
  </StrictMode>,
);
