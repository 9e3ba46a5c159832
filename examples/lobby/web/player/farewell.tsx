import type { Disconnect } from "farewell";
import { type ReactNode, useEffect, useRef } from "react";
import { Mark } from "../shared/mark.js";
import { clockTime, remaining, useNow } from "../shared/time.js";

interface Props {
  readonly disconnect: Disconnect;
  readonly onRejoin: () => void;
  readonly onLeave: () => void;
}

/** The session is over: why, and what the player can do about it. Nothing here happens by itself. */
export function Farewell({ disconnect, onRejoin, onLeave }: Props) {
  switch (disconnect.reason) {
    case "kicked":
      return (
        <Screen fate="kicked" title="You were put out" words={wordsOf(disconnect)} onLeave={onLeave}>
          <p>The room goes on without you. You may come back, if you have read this.</p>
          <Rejoin label="Join again" onRejoin={onRejoin} />
        </Screen>
      );
    case "banned":
      return (
        <Screen fate="banned" title="You are banned" words={wordsOf(disconnect)} onLeave={onLeave}>
          <Ban until={disconnect.until} onRejoin={onRejoin} />
        </Screen>
      );
    case "superseded":
      return (
        <Screen fate="superseded" title="You joined somewhere else" words={undefined} onLeave={onLeave}>
          <p>
            Another tab or device{disconnect.by && ` (${disconnect.by})`} has your place now. This one stays quiet, so
            that the two do not put each other out in turn.
          </p>
          <Rejoin label="Use here" onRejoin={onRejoin} />
        </Screen>
      );
    default:
      return (
        <Screen fate="superseded" title="You are signed out" words={wordsOf(disconnect)} onLeave={onLeave}>
          <Rejoin label="Join again" onRejoin={onRejoin} />
        </Screen>
      );
  }
}

function Ban({ until, onRejoin }: { readonly until: Date | undefined; readonly onRejoin: () => void }) {
  const now = useNow(until !== undefined);
  if (until && until.getTime() <= now) {
    return (
      <>
        <p>Your ban is over.</p>
        <Rejoin label="Join again" onRejoin={onRejoin} />
      </>
    );
  }
  return (
    <>
      {until ? (
        <p className="term">
          <time dateTime={until.toISOString()}>Until {clockTime(until)}</time>
          <b role="timer">{remaining(until.getTime() - now)}</b>
        </p>
      ) : (
        <p className="term">
          <b>For good</b>
        </p>
      )}
      <p>Loading this page again changes nothing: your browser remembers, and does not even ask the server.</p>
      <button type="button" className="wide" onClick={onRejoin}>
        It was lifted: ask the server
      </button>
    </>
  );
}

function Rejoin({ label, onRejoin }: { readonly label: string; readonly onRejoin: () => void }) {
  return (
    <button type="button" className="primary wide" onClick={onRejoin}>
      {label}
    </button>
  );
}

interface ScreenProps {
  readonly fate: "kicked" | "banned" | "superseded";
  readonly title: string;
  /** What the server said, if it may be shown. */
  readonly words: string | undefined;
  readonly onLeave: () => void;
  readonly children: ReactNode;
}

function Screen({ fate, title, words, onLeave, children }: ScreenProps) {
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => heading.current?.focus(), []); // who was in a text field before hears what has happened
  return (
    <main className="stage">
      <title>{`${title} – Lobby`}</title>
      <section className={`card farewell ${fate}`} aria-labelledby="title">
        <Mark fate={fate} />
        <h1 id="title" ref={heading} tabIndex={-1}>
          {title}
        </h1>
        {words && <blockquote>{words}</blockquote>}
        {children}
        <button type="button" className="link" onClick={onLeave}>
          Choose another name
        </button>
      </section>
    </main>
  );
}

function wordsOf({ said, localized, message }: Disconnect): string | undefined {
  return (said && (localized?.message ?? message)) || undefined;
}
