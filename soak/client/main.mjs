import { answer, config, note } from "../child.mjs";
import { startLogin } from "./login.mjs";

// The clients of one server, in a process of their own: `users` of them, with numbers from `from` on.

const users = new Map();
for (const { user, index } of config.users) users.set(user, { index, logins: [] });

function logIn(user) {
  const { index, logins } = users.get(user);
  logins.push(startLogin(user, index, config.urls));
}

const newest = (user) => users.get(user).logins.at(-1);

async function closeAll(user) {
  await Promise.all(
    users
      .get(user)
      .logins.splice(0)
      .map((login) => login.close()),
  );
}

for (const user of users.keys()) logIn(user);

answer({
  survey: () =>
    Object.fromEntries([...users].map(([user, { logins }]) => [user, logins.map((login) => login.survey())])),
  /** A second login of the same user: one of the two has to go. */
  usurp: ({ user }) => logIn(user),
  /** After it was put out: by a new session, or, where that has ended, a new login of the old one. */
  async welcome({ user, sameSession }) {
    const { logins } = users.get(user);
    if (sameSession && logins.length === 1 && newest(user).session.state.status === "ended") {
      newest(user)
        .again()
        .catch((error) => note(`${user}: ${error.stack}`));
      return;
    }
    await closeAll(user);
    logIn(user);
  },
  knock: ({ user }) => newest(user).knock(),
  reopen: ({ user, which }) => newest(user).reopen(which),
  retry: ({ user }) => newest(user).retry(),
  /** Closes logins that have lost their place. */
  async tidy({ user }) {
    const { logins } = users.get(user);
    const over = logins.filter(({ session }) => session.state.status === "ended");
    for (const login of over) logins.splice(logins.indexOf(login), 1);
    await Promise.all(over.map((login) => login.close()));
  },
  async close() {
    await Promise.all([...users.keys()].map(closeAll));
  },
});
process.send({ ready: {} });
