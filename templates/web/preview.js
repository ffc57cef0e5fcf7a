// Shows the mails anew when a file behind them has changed, and keeps what the person chose and where they read.
"use strict";

const EVERY = 700; // milliseconds between looks
const boxes = document.querySelectorAll(".views input");

function recall() {
  for (const box of boxes) {
    box.checked = sessionStorage.getItem(box.id) !== "off";
    box.addEventListener("change", () => sessionStorage.setItem(box.id, box.checked ? "on" : "off"));
  }
}

async function text(path) {
  const answer = await fetch(path);
  if (!answer.ok) throw new Error(answer.statusText);
  return answer.text();
}

async function renew() {
  const fresh = new DOMParser().parseFromString(await text(location.pathname), "text/html");
  for (const part of document.querySelectorAll("[data-part]")) {
    const other = fresh.querySelector(`[data-part="${part.dataset.part}"]`);
    part.replaceChildren(...(other ? other.childNodes : []));
  }
  document.body.dataset.stamp = fresh.body.dataset.stamp;
  for (const frame of document.querySelectorAll("iframe")) frame.contentWindow.location.reload();
}

async function look() {
  try {
    if ((await text("/stamp")) !== document.body.dataset.stamp) await renew();
    document.body.classList.remove("over");
  } catch {
    document.body.classList.add("over");
  }
  setTimeout(look, EVERY);
}

recall();
document.querySelector(".list [aria-current]").scrollIntoView({ block: "nearest", inline: "center" });
setTimeout(look, EVERY);
