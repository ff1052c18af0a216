"use strict";
// The page of a plan: sends what stands in the field, and says what came of it.
const field = document.getElementById("plan");
const button = document.getElementById("agree");
const said = document.getElementById("said");

button.addEventListener("click", async () => {
  let plan;
  try {
    plan = JSON.parse(field.value);
  } catch (error) {
    said.textContent = "The plan is no JSON: " + error.message;
    return;
  }
  button.disabled = true;
  said.textContent = "Sending it …";
  try {
    const answer = await fetch("/api/session/plan", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ session_id: field.dataset.session, plan }),
    });
    const told = await answer.json();
    if (answer.ok) {
      field.readOnly = true;
      said.textContent = "It begins.";
      return;
    }
    said.textContent = told.detail || "The server answered " + answer.status + ".";
  } catch (error) {
    said.textContent = "The server can't be reached: " + error.message;
  }
  button.disabled = false;
});
