import { timestampDate } from "@bufbuild/protobuf/wkt";
import type { Session, SessionState } from "farewell";
import { useEffect, useState } from "react";
import type { Announcement } from "../../../gen/lobby/v1/lobby_pb.js";
import { remaining, useNow } from "../shared/time.js";
import { bannerOf } from "./banner-of.js";

interface Props {
  readonly session: Session;
  readonly state: SessionState;
  readonly stream: {
    readonly status: "pending" | "open" | "complete" | "failed";
    readonly error: unknown;
    readonly again: () => void;
  };
  readonly announcement: Announcement | undefined;
}

/** Always in the page, for a live region that comes with its text is not read out. The countdown is not, each second. */
export function Banner({ session, state, stream, announcement }: Props) {
  const { status, error, again } = stream;
  const isBack = useBack(session);
  const isAhead = announcement?.at !== undefined && timestampDate(announcement.at) > new Date();
  const now = useNow(state.status === "waiting" || isAhead);
  const banner = bannerOf(state, { status, error, announcement, isBack }, now);
  return (
    <div className={`banner ${banner?.tone ?? "silent"}`}>
      <p role="status" aria-live="polite">
        {banner?.text}{" "}
        {banner?.countdown && (
          <span aria-live="off" className="countdown">
            {banner.countdown.words} {remaining(banner.countdown.until - now)}
          </span>
        )}
      </p>
      {banner?.action === "retry" && (
        <button type="button" onClick={session.retry}>
          Try now
        </button>
      )}
      {banner?.action === "again" && (
        <button type="button" onClick={again}>
          Try again
        </button>
      )}
    </div>
  );
}

const backMs = 3_000;

/** True for a moment after a reconnect. */
function useBack(session: Session): boolean {
  const [isBack, setIsBack] = useState(false);
  useEffect(() => session.on("reconnected", () => setIsBack(true)), [session]);
  useEffect(() => {
    if (!isBack) return;
    const timer = setTimeout(() => setIsBack(false), backMs);
    return () => clearTimeout(timer);
  }, [isBack]);
  return isBack;
}
