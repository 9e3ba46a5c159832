/** One call on a session, by a name for people and a number that is unique within the session. */
export interface StreamLabel {
  /** From 1, in the order in which they came. */
  readonly id: number;
  /** `package.Service/Method`. */
  readonly name: string;
}
