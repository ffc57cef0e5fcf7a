"use strict";
// Guesses the time zone of who has not chosen one yet. Shown and changeable; without it the newsletter's own stands there.
for (const select of document.querySelectorAll("select[data-guess]")) {
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  if ([...select.options].some((option) => option.value === zone)) {
    select.value = zone;
  }
}
