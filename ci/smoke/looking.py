"""What a page shows, read in the browser."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from playwright.sync_api import Page

_LOOK = r"""() => {
  const root = document.documentElement, width = root.clientWidth;
  const overflow = Math.max(root.scrollWidth, document.body ? document.body.scrollWidth : 0) - width;
  let widest = '', farthest = width + 1;
  if (overflow > 1) for (const element of document.querySelectorAll('body *')) {
    const right = element.getBoundingClientRect().right + window.scrollX;
    if (right > farthest) {
      farthest = right;
      const name = element.id ? '#' + element.id : element.classList.length ? '.' + element.classList[0] : '';
      widest = '<' + element.tagName.toLowerCase() + name + '>';
    }
  }
  const parts = ['img[src]', 'script[src]', 'iframe[src]', 'audio[src]', 'video[src]', 'source[src]', 'embed[src]',
    'object[data]', 'form[action]', 'link[rel~=stylesheet][href]', 'link[rel~=icon][href]', 'link[rel~=preload][href]',
    'link[rel~=modulepreload][href]', 'link[rel~=manifest][href]'];
  const insecure = [...document.querySelectorAll(parts.join(','))]
    .map(element => ['src', 'data', 'action', 'href'].map(name => element.getAttribute(name)).find(Boolean) || '')
    .filter(address => /^http:/i.test(address.trim()));
  const visible = element => element.checkVisibility({checkOpacity: true, checkVisibilityCSS: true});
  const readable = () => {
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
      if (walker.currentNode.data.trim() && walker.currentNode.parentElement.innerText.trim()
          && visible(walker.currentNode.parentElement)) return true;
    }
    return false;
  };
  const text = document.body && readable() ? document.body.innerText.trim().length : 0;
  const main = [...document.querySelectorAll('main, [role=main]')].find(visible);
  const above = (x, y) => {
    let element = document.elementFromPoint(x * width, y * innerHeight);
    while (element && getComputedStyle(element).position !== 'fixed') element = element.parentElement;
    return element;
  };
  const spots = [0.1, 0.3, 0.5, 0.7, 0.9];
  const tops = new Set(spots.flatMap(x => spots.map(y => above(x, y))));
  const cover = tops.size === 1 ? [...tops][0] : null;
  const content = cover || main || document.body;
  const shown = content ? content.innerText.trim() : '';
  const busy = content && (content.closest('[aria-busy=true]')
    || content.querySelector('[aria-busy=true], [role=progressbar]'));
  const words = ['loading', 'please wait', 'just a moment', 'one moment', 'wird geladen', 'lädt', 'bitte warten',
    'chargement', 'cargando', 'caricamento'].join('|');
  const promises = new RegExp(`^(${words})(?!\\p{L})(\\s+\\p{L}+){0,3}[^\\p{L}]*$`, 'iu');
  const waiting = !!busy && !shown || promises.test(shown);
  const things = 'canvas, video, audio, iframe, object, embed, input, select, textarea, button, a[href]';
  const empty = element => !shown && !element.querySelector(element === cover ? things : 'img, svg, ' + things);
  const hollow = (cover ? empty(cover) && 'cover' : main && empty(main) && 'main') || '';
  return {title: document.title, text, shown: shown.slice(0, 400), waiting, hollow, overflow, widest, insecure};
}"""

_WORKER = """() => {
  const workers = navigator.serviceWorker;
  const active = {active: true}, none = {active: false};
  return workers ? workers.getRegistrations().then(all => all.length ? workers.ready.then(() => active) : none) : none;
}"""


def has_worker(page: Page) -> bool:
    """Whether a service worker of the page is ready to answer the next visit. Raises Playwright's errors."""
    answer = page.wait_for_function(_WORKER, polling=100).json_value()
    return bool(answer["active"])


def look_at(page: Page, patience_ms: float) -> dict[str, Any]:
    """What the page shows; one that says that it is loading gets `patience_ms` to show more.

    Not by `evaluate`, which has no deadline: a script of the page may never end. Raises Playwright's errors.
    """
    from playwright.sync_api import TimeoutError as Late

    seen: dict[str, Any] = page.wait_for_function(_LOOK, polling=100).json_value()
    if seen["waiting"]:
        with contextlib.suppress(Late):
            page.wait_for_function(f"() => !({_LOOK})().waiting", polling=250, timeout=patience_ms)
        seen = page.wait_for_function(_LOOK, polling=100).json_value()
    return seen
