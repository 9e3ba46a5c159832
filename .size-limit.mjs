// The budgets, and the one place that states them: what an app's bundle grows by, in a browser's production bundle,
// minified and compressed, without the peers that the app has anyway. `npm run size` and `bench/size.mjs` hold them.

/** The client alone. The others are it and one part more. */
const client = { "dist/index.js": "{ createClient, createSession }" };
const peers = ["@connectrpc/connect", "@bufbuild/protobuf", "react"];

/** As Vite and webpack build for production. Without this repository's tsconfig.json, which leads to the sources. */
const production = (config) => ({ ...config, conditions: ["production"], tsconfigRaw: "{}" });

const budget = (name, limit, imports) => ({
  name,
  limit,
  path: Object.keys(imports),
  import: imports,
  ignore: peers,
  gzip: true,
  modifyEsbuildConfig: production,
});

export default [
  budget("the client", "20 kB", client),
  budget("the client, with method(…)", "20.75 kB", { "dist/index.js": "{ createClient, createSession, method }" }),
  budget("the client, with farewell/browser", "22.8 kB", { ...client, "dist/browser/index.js": "{ browser }" }),
  budget("the client, with farewell/control-stream", "23.75 kB", {
    ...client,
    "dist/control-stream/index.js": "{ controlStream }",
  }),
  budget("the client, with farewell/react", "20.75 kB", {
    ...client,
    "dist/react/index.js": "{ useDisconnect, useSession, useStream }",
  }),
];
