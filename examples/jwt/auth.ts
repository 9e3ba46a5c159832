import { randomBytes, randomUUID } from "node:crypto";
import { errors, type JWTPayload, jwtVerify, SignJWT } from "jose";

/** What the app has to know of a user's tokens, from `bouncer.epoch`. */
export type EpochOf = (user: string) => Promise<number>;

/** What one login gives: a token for the calls, and one to get the next. */
export interface Tokens {
  readonly access: string;
  readonly refresh: string;
}

/** What a token says. */
export interface Login {
  readonly user: string;
  /** The id of the login: the same in all tokens that came of it. */
  readonly session: string;
  readonly epoch: number;
  readonly expiresAt: Date;
}

/** The token, or the password, is not one that counts. */
export class AuthError extends Error {}

/** Signs users in. Everything is in the tokens, except the epoch to which they are compared. */
export function createAuth(epochOf: EpochOf) {
  const secret = randomBytes(32);

  return {
    async login(user: string, password: string, lifetimeMs: number): Promise<Tokens> {
      const epoch = await epochOf(user); // before the password is checked: what is revoked meanwhile includes this login
      if (password !== "open sesame") throw new AuthError("wrong password");
      const login = { user, session: randomUUID(), epoch };
      return { access: await sign(login, "access", lifetimeMs), refresh: await sign(login, "refresh", 3_600_000) };
    },
    /** The next access token of a login, unless that was revoked. It keeps the epoch, or an old login would become new. */
    async refresh(token: string): Promise<string | undefined> {
      const login = await read(token, "refresh");
      const revoked = login.epoch < (await epochOf(login.user));
      return revoked ? undefined : await sign(login, "access", 60_000);
    },
    /** Who comes with an access token. Whether it was revoked is for the bouncer to say. */
    verify: (token: string): Promise<Login> => read(token, "access"),
  };

  async function sign({ user, session, epoch }: Omit<Login, "expiresAt">, use: string, ms: number): Promise<string> {
    return await new SignJWT({ sid: session, epoch })
      .setProtectedHeader({ alg: "HS256" })
      .setSubject(user)
      .setAudience(use)
      .setIssuedAt()
      .setExpirationTime(new Date(Date.now() + ms))
      .sign(secret);
  }

  async function read(token: string, use: string): Promise<Login> {
    try {
      const { payload } = await jwtVerify(token, secret, { algorithms: ["HS256"], audience: use });
      return loginOf(payload);
    } catch (error) {
      if (error instanceof errors.JOSEError) throw new AuthError(error.code);
      throw error;
    }
  }
}

function loginOf({ sub, sid, epoch, exp }: JWTPayload): Login {
  if (typeof sub !== "string" || typeof sid !== "string" || typeof epoch !== "number" || exp === undefined) {
    throw new AuthError("the token is not one of ours");
  }
  return { user: sub, session: sid, epoch, expiresAt: new Date(exp * 1_000) };
}
