// @vitest-environment happy-dom
import { Code, ConnectError, createClient as createConnectClient } from "@connectrpc/connect";
import { expect, test } from "vitest";
import { ChatService } from "../../examples/gen/chat/v1/chat_pb.js";
import { method } from "../../src/index.js";
import { type OpenStream, useStream } from "../../src/react/index.js";
import { createStage } from "./stage.js";

const stage = createStage();
const { page, served, start } = stage;
const down = () => new ConnectError("down", Code.Unavailable);

/** Where the stream stands, and what it has missed. A click opens it anew. */
function Gap({ open }: { open: OpenStream<{ readonly id: number }> }) {
  const { status, value, gap, again } = useStream(open, []);
  return (
    <button type="button" onClick={again}>
      {status} {value?.id ?? "nothing"}, gap {gap ?? "none"}
    </button>
  );
}

async function cut(n: number) {
  await page.happens(() => served(n).end(down()));
  await page.happens(() => stage.clock.advance(20_000));
}

const resume = (request: object, last: { id: number }) => ({ ...request, afterId: last.id });
const position = ({ id }: { id: number }) => id;

test("a component knows that its stream may have missed something, until it opens it anew", async () => {
  const { chat } = start();
  await page.render(<Gap open={(signal) => chat.subscribe({}, { signal })} />);
  await page.happens(() => served(0).send(1));
  expect(page.text).toBe("open 1, gap none");
  await cut(0);
  await page.happens(() => served(1).send(3));
  expect(page.text).toBe("open 3, gap unknown");
  await page.happens(() => page.button.click());
  expect(page.text).toBe("pending nothing, gap none");
});

test("a component knows how many messages are missing, where that is known, over all losses", async () => {
  const { chat } = start({ methods: [method(ChatService.method.subscribe, { resume, position })] });
  await page.render(<Gap open={(signal) => chat.subscribe({}, { signal })} />);
  await page.happens(() => served(0).send(1));
  await cut(0);
  await page.happens(() => served(1).send(2));
  expect(page.text).toBe("open 2, gap none");
  await cut(1);
  await page.happens(() => served(2).send(5));
  expect(page.text).toBe("open 5, gap 2");
  await cut(2);
  await page.happens(() => served(3).send(7));
  expect(page.text).toBe("open 7, gap 3");
  await cut(3);
  await page.happens(() => served(4).send(1, "of another run"));
  expect(page.text).toBe("open 1, gap unknown");
});

test("a component hears of its own stream's gap alone", async () => {
  const { chat } = start();
  await page.render(
    <>
      <Gap open={(signal) => chat.subscribe({ room: "one" }, { signal })} />
      <Gap open={(signal) => chat.subscribe({ room: "other" }, { signal })} />
    </>,
  );
  await cut(0);
  await page.happens(() => served(2).send(1));
  expect(page.text).toBe("open 1, gap unknownpending nothing, gap none");
});

test("of a stream that no client of ours has returned, no gap is known", async () => {
  const { session } = start();
  const chat = createConnectClient(ChatService, session);
  await page.render(<Gap open={(signal) => chat.subscribe({}, { signal })} />);
  await cut(0);
  await page.happens(() => served(1).send(1));
  expect(page.text).toBe("open 1, gap none");
});
