// For clients of the admin service that cannot load farewell/server, such as a web page for the staff.
export { AdminService, type Outcome as AdminOutcome, type Stream as AdminStream } from "../gen/farewell/v1/admin_pb.js";
