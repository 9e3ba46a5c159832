/** Three players in a row. What has become of the first one is for base.css to show. */
export function Mark({ fate = "inside" }: { readonly fate?: "inside" | "kicked" | "banned" | "superseded" }) {
  return (
    <p className={`mark ${fate}`} aria-hidden="true">
      <span />
      <span />
      <span />
    </p>
  );
}
