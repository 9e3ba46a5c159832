import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { gameUrl } from "../shared/config.js";
import { App } from "./app.js";
import { openDesk } from "./desk.js";
import { takeToken } from "./token.js";

const url = await gameUrl();
const token = takeToken();
createRoot(document.getElementById("app") as HTMLElement).render(
  <StrictMode>
    <App open={(token) => openDesk(url, token)} initial={token === "" ? undefined : openDesk(url, token)} />
  </StrictMode>,
);
