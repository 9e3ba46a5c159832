/** One call on a session, by a name for people and a number that is unique within the session. */
export interface StreamLabel {
  readonly id: number;
  /** `package.Service/Method`. */
  readonly name: string;
}
