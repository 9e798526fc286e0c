"use strict";

const csrfToken = document.querySelector("meta[name=csrf-token]").content;
const conversation = document.getElementById("conversation");
const chat = document.getElementById("chat");
const problem = document.getElementById("problem");

function post(path, body) {
  return fetch(path, {
    method: "POST",
    headers: { "content-type": "application/json", "x-csrf-token": csrfToken },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
}

function say(text, speaker) {
  const line = document.createElement("li");
  line.className = speaker;
  line.textContent = text;
  conversation.append(line);
}

chat.addEventListener("submit", async (event) => {
  event.preventDefault();
  problem.textContent = "";
  const message = chat.message.value;
  try {
    const response = await post("/api/chat", { message });
    const answer = await response.json();
    if (response.ok) {
      say(message, "mine");
      say(answer.reply, "reply");
      chat.reset();
    } else {
      problem.textContent = answer.message;
    }
  } catch {
    problem.textContent = "The server cannot be reached. Try again.";
  }
});

document.getElementById("logout").addEventListener("click", async () => {
  // Read to its end, or the browser would call it off when the page goes.
  await (await post("/api/auth/logout")).text();
  location.assign("/login");
});
