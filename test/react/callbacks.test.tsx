// @vitest-environment happy-dom
import { expect, test } from "vitest";
import { type OpenStream, useStream } from "../../src/react/index.js";
import { createStage } from "./stage.js";

const { page, served, start } = createStage();

interface Props {
  readonly open: OpenStream<{ readonly id: number }>;
  readonly reduce?: () => never;
}

function Last({ open, reduce = (() => "reduced") as () => never }: Props) {
  const { status, error } = useStream(open, [], reduce, undefined);
  return (
    <p>
      {status} {String(error)}
    </p>
  );
}

const own = new Error("own");
const late = (() => Promise.reject(own)) as () => never;
const promise = "TypeError: a promise came, where the answer is needed at once";

test("an `open` of useStream that is async and rejects fails its stream, and is no unhandled rejection", async () => {
  await page.render(<Last open={late} />);
  expect(page.text).toBe(`failed ${promise}`);
});

test("a `reduce` of useStream that is async and rejects fails its stream, and is no unhandled rejection", async () => {
  const { chat } = start();
  await page.render(<Last open={(signal) => chat.subscribe({}, { signal })} reduce={late} />);
  await page.happens(() => served(0).send(1));
  expect(page.text).toBe(`failed ${promise}`);
});
