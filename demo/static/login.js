"use strict";

const form = document.getElementById("login");
const problem = document.getElementById("problem");

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const button = form.querySelector("button");
  button.disabled = true;
  problem.textContent = "";
  try {
    const response = await fetch("/api/auth/login", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ email: form.email.value, password: form.password.value }),
    });
    const answer = await response.json();
    if (response.ok) {
      // The server has made sure that this is a path of its own.
      location.assign(form.dataset.next);
      return;
    }
    problem.textContent = answer.message;
  } catch {
    problem.textContent = "The server cannot be reached. Try again.";
  }
  button.disabled = false;
});
