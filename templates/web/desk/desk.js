// What a page of the desk does more where there are scripts: papers are dragged, buttons act without a new page.
// Everything works without it.
"use strict";

const main = document.getElementById("main");
let sending = false;

// Put the answer in the place of the page, and the keyboard where it was.
function show(html, url) {
  const fresh = new DOMParser().parseFromString(html, "text/html");
  const next = fresh.getElementById("main");
  if (!next) return location.assign(url);
  const at = fresh.querySelector("[autofocus]")?.id || document.activeElement?.id;
  const top = scrollY;
  main.replaceChildren(...next.childNodes);
  document.title = fresh.title;
  prepare();
  scrollTo(0, top);
  document.getElementById(at)?.focus({ preventScroll: false });
}

async function send(form, button) {
  if (sending) return;
  sending = true;
  const body = new URLSearchParams(new FormData(form));
  if (button?.name) body.append(button.name, button.value);
  try {
    const answer = await fetch(form.action, { method: "POST", body });
    const path = new URL(answer.url).pathname;
    if (path !== location.pathname) return location.assign(answer.url);
    show(await answer.text(), answer.url);
  } catch {
    form.requestSubmit ? HTMLFormElement.prototype.submit.call(form) : form.submit();
  } finally {
    sending = false;
  }
}

document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.method !== "post" || form.dataset.plain !== undefined || !form.closest("[data-live-forms]")) return;
  event.preventDefault();
  send(form, event.submitter);
});

// Dragging: a paper that is dropped on another's place is moved there.
let dragged = null;

function above(event, paper) {
  const box = paper.getBoundingClientRect();
  return event.clientY < box.top + box.height / 2;
}

function clear() {
  for (const paper of document.querySelectorAll(".over, .under")) paper.classList.remove("over", "under");
}

function drop(event, paper) {
  event.preventDefault();
  clear();
  if (!dragged || dragged === paper) return;
  const papers = [...paper.parentElement.children];
  const from = papers.indexOf(dragged);
  let to = papers.indexOf(paper) + (above(event, paper) ? 0 : 1);
  if (to > from) to -= 1;
  if (to === from) return;
  const form = dragged.querySelector("form.buttons");
  const position = form.elements.position;
  position.disabled = false;
  position.value = String(to + 1);
  send(form, { name: "do", value: "move" });
}

function sortable(list) {
  for (const paper of list.children) {
    paper.draggable = true;
    paper.addEventListener("dragstart", (event) => {
      if (event.target !== paper) return;
      dragged = paper;
      paper.classList.add("dragged");
      event.dataTransfer.effectAllowed = "move";
      event.dataTransfer.setData("text/plain", paper.dataset.paper);
    });
    paper.addEventListener("dragend", () => {
      paper.classList.remove("dragged");
      clear();
      dragged = null;
    });
    paper.addEventListener("dragover", (event) => {
      if (!dragged) return;
      event.preventDefault();
      clear();
      paper.classList.add(above(event, paper) ? "over" : "under");
    });
    paper.addEventListener("drop", (event) => drop(event, paper));
  }
}

// What changes by itself is looked at again while somebody can see it.
async function look(part) {
  if (!document.hidden) {
    try {
      const answer = await fetch(part.dataset.live);
      if (answer.ok && !answer.redirected && !part.contains(document.activeElement)) {
        part.innerHTML = new DOMParser().parseFromString(await answer.text(), "text/html").body.innerHTML;
      }
    } catch {
      // The next look may go better.
    }
  }
  if (part.isConnected) setTimeout(look, 3000, part);
}

function prepare() {
  for (const list of document.querySelectorAll("[data-sortable]")) sortable(list);
  for (const part of document.querySelectorAll("[data-live]")) setTimeout(look, 3000, part);
}

prepare();
