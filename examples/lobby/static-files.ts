import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import type { ServerResponse } from "node:http";
import { extname, join, normalize } from "node:path";

const types: { readonly [extension: string]: string } = {
  ".html": "text/html; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".svg": "image/svg+xml",
};

/** Serves the files of a folder that are of a known type. A path without a type is that of a page. */
export function staticFiles(folder: string) {
  return async (url: string, response: ServerResponse): Promise<void> => {
    const { pathname } = new URL(url, "http://localhost");
    const path = normalize(pathname); // without any "..", so that it stays in the folder
    const file = join(folder, extname(path) === "" ? join(path, "index.html") : path);
    const type = types[extname(file)];
    const known = type !== undefined && (await stat(file).catch(() => undefined))?.isFile();
    if (!known) {
      response.writeHead(404, { "content-type": "text/plain" }).end("Not found");
      return;
    }
    response.writeHead(200, { "content-type": type, "cache-control": "no-cache" });
    createReadStream(file).pipe(response);
  };
}
