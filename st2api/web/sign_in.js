// Signing in where authentication is on. The token is shown to the API once, which answers with a cookie that no script
// can read; this page keeps nothing.

import { UNAUTHORIZED, ask } from "./api.js";

export class SignIn {
  // `signedIn()` is called after each success.
  constructor(dialog, signedIn) {
    this.dialog = dialog;
    this.form = dialog.querySelector("form");
    this.token = dialog.querySelector("input");
    this.problem = dialog.querySelector("[role=alert]");
    this.signedIn = signedIn;
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.show(this.token.value.trim());
    });
    document.addEventListener(UNAUTHORIZED, () => dialog.open || dialog.showModal());
  }

  async show(token) {
    this.problem.textContent = "";
    try {
      await ask("/user", "GET", { "X-Auth-Token": token });
      // Whether the browser keeps the cookie is seen only by asking without the token.
      await ask("/user");
    } catch (error) {
      this.problem.textContent = error.message;
      return;
    }
    this.form.reset();
    this.dialog.close();
    this.signedIn();
  }
}
