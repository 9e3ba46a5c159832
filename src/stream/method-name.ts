import type { DescMethod } from "@bufbuild/protobuf";

/** `package.Service/Method`, as in the request's path. */
export function methodName(method: DescMethod): string {
  return `${method.parent.typeName}/${method.name}`;
}
