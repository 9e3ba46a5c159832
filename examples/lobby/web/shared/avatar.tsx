import type { CSSProperties } from "react";

/** A colour and a letter, always the same for the same name. */
export function Avatar({ name }: { readonly name: string }) {
  const hue = [...name].reduce((hue, letter) => (hue * 31 + (letter.codePointAt(0) ?? 0)) % 360, 7);
  return (
    <span className="avatar" style={{ "--hue": hue } as CSSProperties} aria-hidden="true">
      {[...name][0]?.toUpperCase()}
    </span>
  );
}
