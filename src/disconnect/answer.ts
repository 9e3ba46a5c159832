import { ConnectError } from "@connectrpc/connect";

// Who has answered: the service, somebody in its place, or nobody.

/** The service itself: neither the transport, nor a proxy in its place. */
export function isAnswer(error: unknown): boolean {
  return error instanceof ConnectError && !isLocal(error) && !isReplaced(error);
}

/** Nobody. No metadata: no response reached us, so the transport made this error up. */
export function isLocal({ metadata, details }: ConnectError): boolean {
  return metadata.keys().next().done === true && details.length === 0;
}

/** Somebody else: with an HTTP error, a web page or a login form. gRPC-Web reads a page as a message. */
export function isReplaced(error: ConnectError, header?: Headers): boolean {
  const { rawMessage: text } = error;
  return httpStatusOf(text) > 0 || text.startsWith("unsupported content type") || (isLocal(error) && isForeign(header));
}

/** A content type that is none of Connect's, gRPC's or gRPC-Web's. */
export function isForeign(header: Headers | undefined): boolean {
  return /^(?!application\/(connect|grpc))./i.test(header?.get("content-type") ?? "");
}

/** The status of an HTTP error, by Connect's words for it, which are nobody's message; else `NaN`. */
export function httpStatusOf(text: string): number {
  return Number(/^HTTP (\d{3})$/.exec(text)?.[1]);
}
