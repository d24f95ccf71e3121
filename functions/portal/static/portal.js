// What no page needs, and makes some quicker: copying a text, reading a file into a field, a warning before typed text is
// lost, and looking again at what is waited for.
"use strict";

for (const button of document.querySelectorAll("button[data-copies]")) {
  button.hidden = false;
  button.addEventListener("click", async () => {
    const from = document.getElementById(button.dataset.copies);
    await navigator.clipboard.writeText(from.value ?? from.textContent);
    button.textContent = button.dataset.done;
  });
}

for (const chooser of document.querySelectorAll("input[data-fills]")) {
  chooser.parentElement.hidden = false;
  chooser.addEventListener("change", async () => {
    const [file] = chooser.files;
    if (file) document.getElementById(chooser.dataset.fills).value = await file.text();
  });
}

for (const form of document.querySelectorAll("form[data-kept]")) {
  let typed = false;
  form.addEventListener("input", () => { typed = true; });
  form.addEventListener("submit", () => { typed = false; });
  addEventListener("beforeunload", (event) => { if (typed) event.preventDefault(); });
}

// A part of a page that waits for something is looked at again, as long as the page says so.
for (const part of document.querySelectorAll("[data-watched]")) {
  const look = setInterval(async () => {
    const answer = await fetch(location.href).catch(() => null);
    const page = answer?.ok ? new DOMParser().parseFromString(await answer.text(), "text/html") : null;
    const now = page?.getElementById(part.id);
    if (!now) return;
    if (!now.hasAttribute("data-watched")) clearInterval(look);
    if (now.textContent !== part.textContent) part.replaceChildren(...now.childNodes);
  }, 3000);
}
