// Errors that happen in the browser are sent home, at most a few per page.
"use strict";

(() => {
  const MOST_PER_PAGE = 5;
  let sent = 0;

  function report(message, stack) {
    if (++sent > MOST_PER_PAGE) return;
    fetch("/api/errors/log", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({
        message: (message || "unknown error").slice(0, 2000),
        stack: stack ? stack.slice(0, 8000) : null,
        source: location.pathname.slice(0, 500),
        severity: "error",
      }),
      keepalive: true,
    }).catch(() => {});
  }

  addEventListener("error", (event) => report(event.message, event.error && event.error.stack));
  addEventListener("unhandledrejection", (event) => report(String(event.reason), event.reason && event.reason.stack));
})();
