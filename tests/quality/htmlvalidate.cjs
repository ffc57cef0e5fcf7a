// The rules for mail: every rule of html-validate but these, each left out for a reason.
module.exports = {
  root: true,
  extends: ["html-validate:recommended", "html-validate:document", "html-validate:a11y", "html-validate:standard"],
  rules: {
    "no-inline-style": "off", // many mail programs read no style sheet: the style must stand in the elements
    "no-deprecated-attr": "off", // Outlook for Windows takes widths and paddings of tables from attributes only
    "no-conditional-comment": "off", // what is for Outlook for Windows alone stands in them
    "no-trailing-whitespace": "off", // blanks between links; a slot stands on a line of its own
    "prefer-tbody": "off", // every parser puts it there, and hundreds of them take room
    "long-title": "off", // the title is the subject, which is as long as wide inboxes show
  },
};
