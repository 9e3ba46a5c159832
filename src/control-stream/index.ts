export { controlStream } from "./control-stream.js";
